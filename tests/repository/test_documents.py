"""What the documents show is true: commands, code, links, and names of files and functions.

A block of code in a document is one of three kinds:

- fenced as ``python``: it runs, here or in the test that ``RUN_ELSEWHERE`` names;
- fenced as ``text``: an example of output, or a drawing;
- any other, fenced or indented: commands, one per line.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest
import torch

import features.corpus.formats.delimited
import features.encoders.pooling
import heads.architectures.attention
import heads.training.losses
from features.corpus.recognition.dialect import Reading
from features.corpus.rows import ColumnRequest
from features.options import option
from heads.head import SequenceHead
from heads.registry import make_settings
from heads.settings import SequenceSettings
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.cli.main import main, make_parser
from pipeline.config import DataConfig, ExperimentConfig
from tests.support.corpora import sentence

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:\A|\n)\n((?:    .+\n)+)")
RUN_ELSEWHERE = {
    "docs/api.md": "manyheads/test_run.py",
    "docs/cache.md": "features/store/test_format.py",
    "docs/doctor-foreign.md": "pipeline/doctor/foreign/test_examination.py",
    "docs/models.md": "heads/test_estimator.py",
    "docs/other-programs.md": "features/test_sentence_transformers.py",
    "docs/scale.md": "features/test_ray.py",
    "docs/serving.md": "pipeline/serving/test_process.py",
}
PACKAGES = ("features", "heads", "manyheads", "pipeline")
TO_BE_ADDED = ("heads/architectures/mean.py", "pipeline/cli/commands/count.py")
"""Files of the examples of docs/architecture.md."""

OURS = (*PACKAGES, "tests", "benchmarks", "examples", "docs")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return [code for found, code in FENCED.findall(read(name)) if found == language]


def commands(name: str) -> list[str]:
    """All command lines of a document; one that ends with a backslash goes on."""
    text = read(name)
    shown = [*blocks(name, ""), *INDENTED.findall(FENCED.sub("", text))]
    lines = "\n".join(shown).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


def every_command(*programs: str) -> list[str]:
    """Each command of a program that some document shows, once."""
    lines = [line for name in NAMES for line in commands(name)]
    return list(dict.fromkeys(line for line in lines if line.startswith(programs)))


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def check_manyheads(arguments: list[str]) -> None:
    """Parse a command line, and the settings of the head that it names."""
    parsed = make_parser().parse_args(arguments)
    assert parsed.command
    if parsed.command == "train":
        config = options.from_arguments(ExperimentConfig, parsed)
        assert make_settings(config.head, config.overrides(classes=7))


@pytest.mark.parametrize("name", NAMES)
def test_every_block_is_of_a_known_kind(name: str) -> None:
    """Anything that is no command is marked as ``python`` or as ``text``."""
    assert {language for language, _ in FENCED.findall(read(name))} <= {"", "python", "text"}
    programs = ("manyheads", "make", "python -m", "pip install", "export", "aws")
    for line in commands(name):
        assert line.startswith(programs), line


@pytest.mark.parametrize("line", every_command("manyheads"))
def test_commands_are_understood(line: str) -> None:
    check_manyheads(words(line)[1:])


def makefile_variables() -> set[str]:
    return set(re.findall(r"^(\w+) *\?=", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("line", every_command("make"))
def test_targets_give_commands_that_are_understood(line: str) -> None:
    # As from a plain shell: variables given to the ``make test`` around this are not meant.
    outside = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", *makefile_variables())
    done = subprocess.run(
        ["make", "--dry-run", *words(line)[1:]],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in outside},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    variables = {word.split("=")[0] for word in words(line)[2:]}
    assert variables <= makefile_variables()
    for given in done.stdout.splitlines():
        if given.startswith(".venv/bin/manyheads"):
            check_manyheads(words(given)[1:])


@pytest.mark.parametrize("line", every_command("python", "pip", "export"))
def test_other_programs_get_names_that_exist(line: str) -> None:
    program, *rest = words(line)
    if program == "python":
        assert importlib.util.find_spec(rest[1])
    elif program == "pip":
        (extras,) = re.findall(r"manyheads\[([\w,]+)\]", line)
        known = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
        assert set(extras.split(",")) <= set(known)
    else:
        variables = [word.split("=")[0] for word in rest]
        source = read("features/storage/bucket.py")
        assert all(variable in source for variable in variables), variables


def write(path: Path, column: str = "text") -> None:
    rows = [(sentence(i), ("good", "bad")[i % 2]) for i in range(60)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([(column, "label"), *rows])


def test_the_commands_of_the_readme_run(tiny_models: dict[str, Path]) -> None:
    write(Path("my.csv"))
    stands_for = {
        "FOLDER": str(tiny_models["bert"]),
        "all-MiniLM-L6-v2": str(tiny_models["xlnet"]),
        "attention": "meanmax",  # quicker
    }
    ran = set()
    for line in commands("README.md"):
        if line.startswith("manyheads"):
            arguments = [stands_for.get(word, word) for word in words(line)[1:]]
            if "--encoder" not in arguments:
                arguments += ["--encoder", str(tiny_models["bert"])]
            quick = {"train": ["--set", "epochs=1"], "layers": ["--seeds", "1"]}
            assert main([*arguments, *quick.get(arguments[0], [])]) == 0, line
            ran.add(arguments[0])
    assert ran == {"encoders", "train", "layers"}


def test_python_of_every_document_runs_somewhere() -> None:
    shown = {name for name in NAMES if blocks(name, "python")}
    assert shown == {*RUN_ELSEWHERE, "docs/memory.md", "docs/architecture.md"}
    for name, test in RUN_ELSEWHERE.items():
        assert Path(name).name in read(f"tests/{test}")


def test_python_of_the_page_about_memory() -> None:
    write(Path("my.csv"), column="body")
    for block in blocks("docs/memory.md", "python"):
        names: dict[str, object] = {}
        exec(block, names)  # the page's own code, as a reader would run it
        assert len(names["table"]) == 60  # type: ignore[arg-type]


def of_architecture(number: int, module: ModuleType, **more: object) -> dict[str, object]:
    """Run an example of docs/architecture.md as if it stood in a module."""
    names = {**vars(module), **more}
    exec(blocks("docs/architecture.md", "python")[number], names)
    return names


def test_the_head_the_loss_and_the_pooling_of_the_page_about_the_architecture() -> None:
    names = of_architecture(0, heads.architectures.attention, SequenceSettings=SequenceSettings)
    head = names["MeanHead"](names["MeanSettings"](), 5, 3)  # type: ignore[operator]
    assert isinstance(head, SequenceHead)
    x, mask = torch.ones(2, 4, 5), torch.ones(2, 4, dtype=torch.bool)
    assert head.classify(x, mask).shape == (2, 3)
    loss = of_architecture(1, heads.training.losses)["squared"]
    sure = torch.tensor([[0.0, 99.0], [99.0, 0.0]])
    assert loss(sure, torch.tensor([1, 1])) == pytest.approx(1.0)  # type: ignore[operator]
    pool = of_architecture(2, features.encoders.pooling)["first_token"]
    mask[0, 0] = False
    x = torch.arange(8.0).reshape(2, 4, 1)
    assert pool(x, mask, mask).tolist() == [[1.0], [4.0]]  # type: ignore[operator]


def test_the_file_format_of_the_page_about_the_architecture() -> None:
    Path("texts.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    names = of_architecture(3, features.corpus.formats.delimited, islice=islice)
    wanted = [ColumnRequest("text", "--text-column")]
    batches = names["lines"](Path("texts.txt"), wanted, 2, False, Reading())  # type: ignore[operator]
    assert [batch.cells["text"] for batch in batches] == [["one", "two"], ["three"]]


def test_the_command_of_the_page_about_the_architecture() -> None:
    write(Path("my.csv"))
    names: dict[str, object] = {"argparse": argparse, "options": options, "Answer": Answer}
    names["DataConfig"] = DataConfig
    exec(blocks("docs/architecture.md", "python")[4], names)
    parser = argparse.ArgumentParser()
    names["add_options"](parser)  # type: ignore[operator]
    answer = names["run"](parser.parse_args(["--data", "my.csv"]))  # type: ignore[operator]
    assert answer.json == {"texts": 60}


def test_the_option_of_the_page_about_the_architecture() -> None:
    names: dict[str, object] = {"option": option, "check_overlap": print}
    exec(blocks("docs/architecture.md", "python")[5], names)
    assert names["overlap"].default == 4  # type: ignore[attr-defined]


def anchors(path: Path) -> set[str]:
    """The names under which GitHub links to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", read(name)):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


def quoted(name: str) -> Iterator[str]:
    """What stands between backticks, outside blocks."""
    yield from re.findall(r"`([^`\n]+)`", FENCED.sub("", read(name)))


SOURCES = [path for folder in OURS for path in sorted((ROOT / folder).rglob("*.py"))]


def modules(ending: str) -> list[Path]:
    """The modules of this name: of their file alone, or with folders before it."""
    return [path for path in SOURCES if f"/{path.relative_to(ROOT)}".endswith(f"/{ending}.py")]


@pytest.mark.parametrize("name", NAMES)
def test_files_and_modules_exist(name: str) -> None:
    for each in quoted(name):
        if re.fullmatch(rf"(?:{'|'.join(OURS)})/[\w./-]*", each):
            assert (ROOT / each).exists() or each in TO_BE_ADDED, each
        elif re.fullmatch(r"[\w/]+\.py", each):
            assert modules(each.removesuffix(".py")), each


def test_functions_of_the_page_about_the_architecture_exist() -> None:
    found = 0
    for each in quoted("docs/architecture.md"):
        *path, name = each.split(".")
        if (
            not path
            or name in ("py", "md", "json", "toml")
            or not all(map(str.isidentifier, path))
        ):
            continue
        if modules("/".join([*path, name])):  # a module
            continue
        if path in (["features"], ["heads"]):  # what the package itself offers
            assert hasattr(importlib.import_module(path[0]), name), each
        elif path[-1][0].isupper():  # a method
            files = defining(rf"^class {path[-1]}\b", SOURCES)
            assert defining(rf"^    def {name}\b|^    {name}:", files), each
        else:
            assert defining(rf"^(?:def|class) {name}\b", modules("/".join(path))), each
        found += 1
    assert found > 20


def defining(pattern: str, files: list[Path]) -> list[Path]:
    definition = re.compile(pattern, re.MULTILINE)
    return [file for file in files if definition.search(file.read_text(encoding="utf-8"))]
