"""``predict --output``: every row and column of a file, with what a run says of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import manyheads
from features.corpus.corpus import Columns, read_corpus
from features.corpus.whole import WholeTable, unique_names
from features.errors import CorpusError
from pipeline.prediction.labelled_file import write_labelled
from pipeline.prediction.predictions import Predictions
from tests.support.cli import BAD, GOOD, Command, Output, Refusal, Run, write

TEXTS = [f"{(GOOD if i % 2 else BAD)[i // 2 % 4]} {i}" for i in range(80)]
LABELS = ["good" if i % 2 else "bad" for i in range(80)]
ADDED = ["predicted", "confidence", "probability:bad", "probability:good"]
ROWS: list[dict[str, Any]] = [
    {"id": 7, "text": "the cat sat", "label": "good", "tags": ["a", "b"], "price": 1.5},
    {"id": 8, "text": "", "label": None, "tags": [], "price": None},
    {"id": 9, "text": "dogs\nbark", "label": "bad", "tags": None, "price": 2.0},
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_models: dict[str, Path]) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    places = {"cache": folder / "cache", "runs": folder / "runs"}
    encoder = str(tiny_models["bert"])
    return manyheads.train(TEXTS, LABELS, encoder=encoder, progress=False, **places).folder


@pytest.fixture
def asked(trained: Path) -> tuple[object, ...]:
    """The command, with the run and the cache."""
    cache = trained.parents[1] / "cache"
    return ("predict", "--run", trained, "--cache", cache)


def write_csv(path: Path) -> None:
    cells = [["" if cell is None else str(cell) for cell in row.values()] for row in ROWS]
    write(path, [list(ROWS[0]), *cells])


def write_tsv(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(ROWS)


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "csv": write_csv,
    "tsv": write_tsv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


@pytest.mark.parametrize("given", WRITERS)
def test_every_format_becomes_every_other(
    run: Run, asked: tuple[object, ...], tmp_path: Path, given: str
) -> None:
    data = tmp_path / f"data.{given}"
    WRITERS[given](data)
    for wanted in WRITERS:
        out = tmp_path / f"out.{wanted}"
        said = run(*asked, "--data", data, "--skip-empty", "--output", out)
        assert said.code == 0, said.err
        assert "2 texts labelled" in said.out
        rows = read(out)
        assert list(rows[0]) == [*ROWS[0], *ADDED]
        assert [row["text"] or "" for row in rows] == [row["text"] for row in ROWS]
        assert [str(row["id"]) for row in rows] == ["7", "8", "9"]
        assert [row["predicted"] in ("good", "bad") for row in rows] == [True, False, True]
        assert not rows[1]["confidence"]
        for row in (rows[0], rows[2]):
            shares = [float(row[name]) for name in ADDED[2:]]
            assert sum(shares) == pytest.approx(1, abs=1e-5)
            assert float(row["confidence"]) == max(shares)
    if given in ("jsonl", "parquet"):
        assert [row["tags"] for row in read(tmp_path / "out.jsonl")] == [["a", "b"], [], None]
    if given == "parquet":
        assert pq.read_schema(tmp_path / "out.parquet").field("id").type == pa.int64()
        kept = read(tmp_path / "out.parquet")
        assert [{name: row[name] for name in ROWS[0]} for row in kept] == ROWS


def test_names_that_are_taken_get_a_number(
    run: Run, asked: tuple[object, ...], tmp_path: Path
) -> None:
    write(tmp_path / "data.csv", [["text", "text", "confidence"], ["rain", "x", "sure"]])
    said = run(*asked, "--data", "data.csv", "--text-column", "text", "--output", "out.csv")
    assert "duplicate column names" in said.err  # nobody can say which one is meant
    write(tmp_path / "data.csv", [["text", "", "confidence", ""], ["rain", "x", "sure", "y"]])
    said = run(*asked, "--data", "data.csv", "--output", "out.csv")
    assert "has a column confidence already: the new columns are predicted_2" in said.err
    (row,) = read(tmp_path / "out.csv")
    assert list(row) == ["text", "", "confidence", "_2", *(f"{name}_2" for name in ADDED)]
    assert [row["confidence"], row[""], row["_2"]] == ["sure", "x", "y"]
    assert run(*asked, "--data", "out.csv", "--output", "again.csv").code == 0
    (row,) = read(tmp_path / "again.csv")
    assert list(row)[-4:] == [f"{name}_3" for name in ADDED]
    assert unique_names(["a", "a_2", "a", "a"]) == ["a", "a_2", "a_3", "a_4"]


@pytest.mark.parametrize("suffix", WRITERS)
def test_neighbors_stand_in_every_format(
    run: Run, asked: tuple[object, ...], tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"out.{suffix}"
    said = run(*asked, "--text", TEXTS[0], "--output", out, "--explain", 2)
    assert said.code == 0, said.err
    (row,) = read(out)
    if suffix == "jsonl":
        assert [near["label"] for near in row["neighbors"]] == ["bad", "bad"]
        return
    names = ["neighbor_2", "neighbor_2_label", "neighbor_2_similarity", "neighbor_2_row"]
    assert list(row)[-4:] == names
    assert row["neighbor_1_label"] == "bad"
    assert float(row["neighbor_1_similarity"]) >= float(row["neighbor_2_similarity"])
    assert TEXTS[int(row["neighbor_2_row"]) - 1] == row["neighbor_2"]


def test_a_file_with_labels_is_scored(
    run: Run, command: Command, refusal: Refusal, asked: tuple[object, ...], tmp_path: Path
) -> None:
    new = [f"{text} again" for text in TEXTS[:30]]
    rows = [*zip([*new, *TEXTS[:10]], [*LABELS[:29], "odd", *LABELS[:10]], strict=True)]
    write(tmp_path / "data.csv", [["text", "topic"], *map(list, rows)])
    named = ("--data", "data.csv", "--label-column", "topic")
    said = run(*asked, *named, "--output", "out.csv")
    rows_out = read(tmp_path / "out.csv")
    right = sum(row["topic"] == row["predicted"] for row in rows_out)
    assert f"accuracy on column 'topic': {right / 40:.1%} (" in said.out
    assert "1 have a label that the run does not know" in said.out
    assert "are texts that the run learned from, which flatters it" in said.out
    found = command(*asked, *named, "--output", "out.csv")["score"]
    assert (found["right"], found["texts"], found["unknown"]) == (right, 40, 1)
    assert 1 <= found["learned"] <= 10
    assert "score" not in command(*asked, "--data", "data.csv"), "the column has another name"
    assert "no column 'nix'" in refusal(*asked, "--data", "data.csv", "--label-column", "nix")
    write(tmp_path / "few.csv", [["text", "label"], ["rain", "good"], ["fox", ""]])
    said = run(*asked, "--data", "few.csv")
    assert "1 text right on column 'label': too few for a score" in said.err
    write(tmp_path / "odd.csv", [["text", "label"], ["rain", "0.37"]])
    assert "score" not in command(*asked, "--data", "odd.csv"), "other labels altogether"


def test_a_file_of_other_columns_than_the_run_had(
    run: Run, asked: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Columns(text="Nachricht", label="Thema", split=None)
    monkeypatch.setattr("pipeline.runs.columns.columns_of", lambda *_: own)
    write(tmp_path / "data.csv", [["id", "text"], ["1", "rain"]])
    assert run(*asked, "--data", "data.csv").code == 0


def test_which_run_answered(run: Run, command: Command, asked: tuple[object, ...]) -> None:
    said = run(*asked, "--text", "rain")
    name = Path(str(asked[2])).name
    assert f"run: {name} (logistic, trained on texts-" in said.err
    assert "UTC); test accuracy: " in said.err
    model = command(*asked, "--text", "rain")["model"]
    assert (model["head"], model["folds"]) == ("logistic", 0)
    trained = datetime.fromisoformat(model["trained"])
    assert f"{trained:%Y%m%d-%H%M%S}" in name
    assert model["test"]["texts"] == 12


def predictions_of(texts: list[str], rows: range) -> Predictions:
    shares = np.full((len(texts), 2), 0.5, np.float32)
    truncated = np.zeros(len(texts), bool)
    return Predictions(Path("run"), texts, ("a", "b"), shares, truncated, rows=rows)


def test_a_file_that_changed_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    write(tmp_path / "data.csv", [["text"], ["one"], ["two"]])
    corpus = read_corpus("data.csv", Columns(label=None, split=None), labels=False)
    source = WholeTable.of(corpus)
    for changed in ([["text"], ["one"], ["three"]], [["text"], ["one"]]):
        write(tmp_path / "data.csv", changed)
        with pytest.raises(CorpusError, match="changed while it was read"):
            write_labelled(predictions_of(["one", "two"], range(0)), Path("o.csv"), source)
        assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


def test_large_files_go_through_in_batches(tmp_path: Path) -> None:
    count = 9000
    lines = "".join(
        json.dumps({"text": f"t{i}", **({"late": i} if i > 5000 else {})}) + "\n"
        for i in range(count)
    )
    (tmp_path / "data.jsonl").write_text(lines, encoding="utf-8")
    source = WholeTable(Path("data.jsonl"), "text")
    predictions = predictions_of([f"t{i}" for i in range(count)], range(0))
    write_labelled(predictions, Path("out.parquet"), source)
    table = pq.read_table("out.parquet")
    assert table.column_names[:2] == ["text", "late"]
    assert table.schema.field("late").type == pa.int64()
    assert table.column("late").null_count == 5001
    write_labelled(predictions, Path("out.jsonl"), source)
    rows = read(Path("out.jsonl"))
    assert ["late" in row for row in rows[5000:5002]] == [False, True]


def test_german_excel_gets_its_separator_back(
    run: Run, asked: tuple[object, ...], tmp_path: Path
) -> None:
    text = "Nummer;text\n1;Müde; \n"
    (tmp_path / "data.csv").write_bytes(text.replace("; \n", "\n").encode("windows-1252"))
    said: Output = run(*asked, "--data", "data.csv", "--output", "out.csv")
    assert said.code == 0, said.err
    written = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert written.splitlines()[0] == ";".join(["Nummer", "text", *ADDED])
    assert written.splitlines()[1].startswith("1;Müde;")
