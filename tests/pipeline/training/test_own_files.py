"""A newcomer's own files: from what Excel writes to a scored model, without a refusal."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path

import pytest

from features.corpus.recognition.roles import looks_like_number
from pipeline.cli.main import main
from pipeline.command_line import train_command
from pipeline.runs.reader import read_options
from pipeline.runs.request import request_of
from tests.support.cli import Command, Output, Refusal, Run, write
from tests.support.mails import MAILS, mails_csv, write_workbook


@pytest.fixture
def english(tmp_path: Path, tiny_models: dict[str, Path]) -> Path:
    """A tiny encoder whose card says that it reads English."""
    folder = shutil.copytree(tiny_models["bert"], tmp_path / "english")
    (folder / "README.md").write_text("---\nlanguage: en\n---\n# Tiny\n")
    return folder


def notes(out: Output) -> list[str]:
    return [line for line in out.err.splitlines() if line.startswith("note: ")]


def test_what_excel_writes_in_germany_becomes_a_scored_model(
    tmp_path: Path, run: Run, english: Path
) -> None:
    (tmp_path / "mails.csv").write_bytes(mails_csv())
    out = run(
        "train", "--data", "mails.csv", "--encoder", english, "--split", "random", "--json"
    )
    result = out.json
    assert notes(out)[:3] == [
        "note: mails.csv: read as windows-1252 ('prüfen'), separated by ';' (--encoding and "
        "--delimiter overrule that)",
        "note: mails.csv: texts from column 'Nachricht' and labels from column 'Thema' "
        "(--text-column and --label-column overrule that)",
        f"note: {result['foreign']['text']}",
    ]
    assert result["foreign"]["language"] == "de"
    assert result["foreign"]["text"].startswith("most of these texts look German, and the enc")
    data = json.loads(Path(result["run"], "config.json").read_text())["data"]
    assert data["dialect"] == {"delimiter": ";", "encoding": "windows-1252", "sheet": None}
    assert (data["columns"]["text"], data["columns"]["label"]) == ("Nachricht", "Thema")
    kept = {row["text"] for row in read_rows(Path(result["run"], "errors.jsonl"))}
    assert kept <= {text for text, _ in MAILS}
    write(tmp_path / "new.csv", [["Nachricht"], ["Wo ist, bitte, das Paket? Es eilt sehr."]])
    labelled = run("predict", "--data", "new.csv", "--encoder", english, "--json").json
    assert labelled["predictions"][0]["label"] in {"Lieferung", "Rechnung", "Zugang"}


def read_rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_workbook_is_encoded_as_it_is(tmp_path: Path, run: Run, english: Path) -> None:
    pytest.importorskip("openpyxl")
    write_workbook(tmp_path / "mails.xlsx")
    out = run("features", "--data", "mails.xlsx", "--encoder", english, "--json")
    assert out.json["texts"] == len(MAILS)
    (only,) = (line for line in notes(out) if "texts from column" in line)
    assert "'Nachricht'" in only, "said once, though the texts are read twice"
    assert any("look German" in line for line in notes(out))
    chosen = ("--sheet", "mails")
    common = ("--data", "mails.xlsx", *chosen, "--encoder", english, "--json")
    out = run("train", *common, "--split", "random")
    folder = Path(out.json["run"])
    assert not any("left out" in line for line in notes(out))
    data = json.loads((folder / "config.json").read_text())["data"]
    assert data["dialect"]["sheet"] == "mails"
    asked = request_of(read_options(folder))
    assert asked is not None
    assert "--sheet mails" in train_command(asked)
    labelled = run("predict", *common)
    assert len(labelled.json["predictions"]) == len(MAILS)


def test_the_options_are_those_of_every_command_that_reads_texts(
    tmp_path: Path, run: Run, english: Path
) -> None:
    (tmp_path / "d.csv").write_bytes(mails_csv("cp850"))
    form = ("--delimiter", ";", "--encoding", "cp850")
    common = ("--data", "d.csv", "--encoder", english)
    out = run("features", *common, *form)
    assert out.code == 0
    assert not any("read as" in line for line in notes(out))
    assert run("verify", *common, *form).code == 0
    assert run("collect", "--data", "d.csv", *form).code == 0
    audit = ("--page", "none", "--write-clean", "clean.csv", "--json")
    kinds = {found["kind"] for found in run("audit", *common, *form, *audit).json["findings"]}
    assert "foreign_language" in kinds
    with (tmp_path / "clean.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert {"Nachricht", "Thema"} <= rows[0].keys()


def letters(path: Path) -> Path:
    """Write 90 letters of two kinds, each most of the sentences of its kind in any order."""
    random_ = random.Random(0)
    words = [f"{a}{b}" for a in ("ka", "lo", "mi", "su") for b in ("ren", "tal", "von", "dig")]
    kinds = [[" ".join(random_.choices(words, k=9)) for _ in range(12)] for _ in range(2)]
    rows = [
        [". ".join(random_.sample(kinds[i % 2], 10)) + f". No. {i}", "ab"[i % 2]]
        for i in range(90)
    ]
    return write(path, [["text", "label"], *rows])


def test_templates_are_told_before_anything_is_encoded(
    tmp_path: Path, refusal: Refusal, english: Path
) -> None:
    data = letters(tmp_path / "letters.csv")
    for folds in ((), ("--folds", 3)):
        message = refusal("train", "--data", data, "--encoder", english, *folds)
        assert "letters.csv: near-copies chain the 90 texts to" in message
        assert "--split random" in message
    assert not Path("cache").exists()
    assert not Path("runs").exists()


def test_the_remedy_for_templates_helps(
    tmp_path: Path, command: Command, english: Path
) -> None:
    data = letters(tmp_path / "letters.csv")
    made = command("train", "--data", data, "--encoder", english, "--split", "random")
    assert made["test"]["texts"] > 9


def test_numbers_are_no_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[f"text number {i}", f"{i * 0.37:.2f}"] for i in range(50)]
    write(tmp_path / "d.csv", [["text", "label"], *rows])
    assert main(["train", "--data", "d.csv"]) == 2
    assert "looks like a number (50 different in 50 rows, such as '0.00')" in (
        capsys.readouterr().err
    )


def test_numbers_are_told_from_classes_with_numbers() -> None:
    assert looks_like_number([f"{i % 101 / 100:.2f}" for i in range(400)]), "of many rows"
    assert looks_like_number([f"{i % 101},5" for i in range(400)])
    assert looks_like_number([str(i * 7) for i in range(50)])
    assert not looks_like_number([f"{i % 50}.0" for i in range(400)]), "numbered classes"
    assert not looks_like_number([f"{i % 10 / 2}" for i in range(400)]), (
        "a scale of half points"
    )
    assert not looks_like_number([str(i % 90) for i in range(400)])
