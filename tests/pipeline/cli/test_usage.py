"""Help and wrong usage: the usual first, and the right form of what was meant."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from heads.presets import PRESETS
from heads.registry import HEADS
from pipeline.cli.main import COMMANDS, make_parser
from pipeline.cli.parser import OTHER, OTHER_TITLE, TITLES, USUAL_TITLE, Parser
from pipeline.reports.listing import RANKING
from tests.support.cli import REPOSITORY, Refusal, Run

FORMS = [
    ("trian", "no command is called 'trian' (did you mean train?); see: manyheads --help"),
    ("reviews.csv", "(did you mean manyheads train --data reviews.csv?)"),
    ("train reviews.csv", "(did you mean manyheads train --data reviews.csv?)"),
    ("train --head cnn --epochs 5", "(did you mean --set epochs=5?)"),
    ("train --epochs=5", "(did you mean --head cnn --set epochs=5?)"),
    ("train --head lstm --lr 0.1", "(did you mean --set learning_rate=0.1?)"),
    ("train --head cnn --epoch 5", "(did you mean --set epochs=5?)"),
    ("train --units 64", "(did you mean --head lstm --set units=64?)"),
    ("train --c 3", "(did you mean --set c=3?)"),
    ("train --label-colum topic", "(did you mean --label-column topic?)"),
    ("train --skip-empy", "(did you mean --skip-empty?)"),
    ("train cnn", "(did you mean manyheads train --head cnn?)"),
    ("train units=64", "(did you mean --set units=64?)"),
    ("train --colour red", "manyheads train has no option --colour; see: manyheads train"),
    ("train --dtype flat16", "unknown choice 'flat16' (did you mean float16?)"),
    ("train --head lsmt", "no head is called 'lsmt' (did you mean lstm?)"),
    ("train --head cnn --set epoch=5", "no setting 'epoch' (did you mean epochs?)"),
    ("train --preset lon", "no preset is called 'lon' (did you mean LONG?)"),
    ("heads lsmt", "no head or preset is called 'lsmt' (did you mean lstm?)"),
    ("predict reviews.csv", "(did you mean manyheads predict --data reviews.csv?)"),
    ("predict --tex x", "(did you mean --text x?)"),
    ("train --label-column lable", "no column 'lable' (did you mean label?)"),
    ("predict --runs", "expected one argument; see: manyheads predict --help"),
    ("features --data x --roofline --json --cach y", "(did you mean --cache y?)"),
]


@pytest.mark.parametrize(("line", "part"), FORMS)
def test_the_right_form_is_said(refusal: Refusal, line: str, part: str) -> None:
    assert part in refusal(*line.split())


def test_options_are_not_abbreviated(refusal: Refusal) -> None:
    assert "has no option --dat " in refusal("train", "--dat", "x.csv")


CHEAP = """
train --epochs 5
train --data nowhere.csv
train --head gru
train --label-column topic
train --encoder no/such
train --head cnn --set filters=x
predict --text x
predict --data nowhere.csv
lr-range --data nowhere.csv
layers --data nowhere.csv
audit --data nowhere.csv
export --data nowhere.csv --out x.npy
runs
heads cnn
"""


def test_what_is_wrong_or_cheap_is_answered_without_torch() -> None:
    slow = ("torch", "transformers", "sklearn", "matplotlib", "faiss", "scipy")
    code = (
        "import sys; from pipeline.cli.main import main\n"
        "assert main(['trian']) == 2 and 'pydantic' not in sys.modules\n"
        "for line in sys.argv[1].strip().splitlines():\n"
        "    main(line.split())\n"
        f"    found = [name for name in {slow} if name in sys.modules]\n"
        "    assert not found, (line, found)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, CHEAP],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    # All lines but runs and heads, and trian.
    assert done.stderr.count("error: ") == CHEAP.strip().count("\n")
    assert not Path("runs").exists()


def loaded_after(code: str) -> set[str]:
    """Return the modules that a new process has loaded in the end."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    return set(done.stderr.splitlines()[-1].split())


def test_only_the_command_that_runs_is_imported() -> None:
    start = "from pipeline.cli.main import main"
    for line, own in (("trian", set()), ("--version", set()), ("train --epochs 5", {"train"})):
        loaded = loaded_after(f"{start}\nmain({line.split()})")
        package = "pipeline.cli.commands."
        assert {each for each in loaded if each.startswith(package)} == {
            f"{package}{name}" for name in own
        }
        assert own or "numpy" not in loaded


def test_a_training_imports_what_it_uses() -> None:
    """Of a warm training with ``logistic`` imports are half of the processor time."""
    loaded = loaded_after(
        "import pipeline.cli.commands.train, pipeline.doctor.runs.watch\n"
        "import pipeline.training.experiment, heads.architectures.logistic\n"
    )
    assert "torch" in loaded
    unused = (
        "scipy",  # of words, and of what is read from the cache
        "sklearn",
        "transformers",
        "matplotlib",
        "pipeline.audit",  # of the doctor, when it is asked
        "pipeline.doctor.causes.registry",
        "pipeline.doctor.changes",
        "pipeline.doctor.examination",
        "pipeline.doctor.proving.prover",
        "pipeline.doctor.measuring.measurers",
    )
    assert not loaded.intersection(unused)


def test_a_refused_training_leaves_no_folder(
    refusal: Refusal, data: Path, encoder: Path
) -> None:
    few = Path("few.csv")
    few.write_text("text,label\none thing,a\nother thing,b\nthird thing,a\n")
    common = ("train", "--encoder", encoder)
    refusal(*common, "--data", few)
    refusal(*common, "--data", data, "--head", "cnn", "--set", "class_weights=love=2")
    refusal(*common, "--data", data, "--layers", "99")
    copies = Path("copies.csv")  # near-copies leave two clusters, known only once encoded
    lines = [f"the {('cat', 'dog')[i % 2]} sat on the mat and slept {i}" for i in range(40)]
    rows = "".join(f"{line},{'ab'[i % 2]}\n" for i, line in enumerate(lines))
    copies.write_text("text,label\n" + rows)
    assert "split" in refusal(*common, "--data", copies)
    assert not Path("runs").exists()


def parsers() -> dict[str, Parser]:
    (action,) = (
        each for each in make_parser()._actions if isinstance(each, argparse._SubParsersAction)
    )
    for parser in action.choices.values():
        parser.complete()
    return dict(action.choices)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_titles_and_sentences(name: str) -> None:
    parser = parsers()[name]
    text = parser.format_help()
    assert text.startswith(f"example: manyheads {name} ")
    titles = [title for title, _ in parser._sections()]
    known = [USUAL_TITLE, *TITLES, OTHER_TITLE]
    assert titles == [title for title in known if title in titles]
    formatter = parser._get_formatter()
    for _, actions in parser._sections():
        for action in actions:
            words = formatter._expand_help(action)
            assert words[0].isupper() or words[0] == ".", words
            assert words.endswith("."), words
            assert action.dest in OTHER or len(words.split()) > 3, words


def test_the_usual_options_come_first() -> None:
    titled = dict(parsers()["train"]._sections())
    usual = [action.dest for action in titled[USUAL_TITLE]]
    assert usual == ["data", "text_column", "label_column", "head", "set", "encoder", "layout"]
    assert next(action.dest for action in titled["Where things are kept"]) == "cache"


def test_heads_are_one_line_each_and_one_has_its_settings(run: Run) -> None:
    lines = run("heads").out.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(HEADS)]] == list(HEADS)
    assert len(lines) < 15
    assert RANKING in " ".join(lines)
    for name, head in HEADS.items():
        shown = run("heads", name).out.splitlines()
        assert shown[0] == f"example: manyheads train --data texts.csv --head {name}"
        words = [line.split()[0] for line in shown if line.startswith("    ")]
        assert sorted(words) == sorted(head.settings.model_fields)


def test_presets_are_listed_apart(run: Run) -> None:
    text = run("heads", "presets").out
    assert all(preset.what in text for preset in PRESETS.values())
    shown = run("heads", "a1").out
    assert "head: cnn" in shown
    assert ["kernels", "2,6"] in [line.split() for line in shown.splitlines()]
    assert "by the number of classes" in run("heads", "B4").out
    assert run("heads", "A1", "--json").json["head"] == "cnn"
    assert run("heads", "cnn", "--json").json["settings"]["filters"]["default"] == 128
    assert set(run("heads", "presets", "--json").json) == {"presets"}


@pytest.mark.parametrize("name", ["README.md", "docs/heads.md"])
def test_the_pages_rank_the_heads_alike(name: str) -> None:
    assert RANKING in " ".join((REPOSITORY / name).read_text(encoding="utf-8").split())


def test_an_option_before_its_command_is_told_where_it_belongs(refusal: Refusal) -> None:
    told = refusal("--json", "runs")
    assert "--json comes behind the command: manyheads runs --json" in told
