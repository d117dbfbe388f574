"""Missing values are no values: rows without a group belong to no group, and it is said."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.corpus.columns import Columns
from features.corpus.corpus import read_corpus
from features.errors import ArrayError
from features.splits.folds import make_folds
from features.splits.split import make_split
from features.text.missing import ids_of_groups, is_missing
from heads.estimator import HeadClassifier
from pipeline.cli.main import main
from tests.support.corpora import sentence


@pytest.mark.parametrize(
    "value", [None, float("nan"), "", " ", "nan", "NaN", "<NA>", "NULL", r"\N"]
)
def test_what_is_missing(value: object) -> None:
    assert is_missing(value)
    ids = ids_of_groups(["a", value, "b", value, "a"])  # type: ignore[list-item]
    assert ids.tolist() == [0, 1, 2, 3, 0]


def test_what_is_not() -> None:
    assert not any(map(is_missing, ("none of them", "Nan Goldin", 0, False, "-", ("x",))))
    assert ids_of_groups(np.array([3, 0, 3])).tolist() == [0, 1, 0]


def test_rows_without_a_group_reach_every_side_and_fold() -> None:
    texts, labels = [f"text {i}" for i in range(200)], ["a", "b"] * 100
    groups = ["" if i % 2 else f"author {i}" for i in range(200)]
    split = make_split(labels, texts, groups=groups)
    for side in (split.train, split.validation, split.test):
        assert 0.2 < np.mean(side % 2) < 0.8
    assert len(set(make_folds(labels, texts, 5, groups)[1::2].tolist())) == 5


def test_numbers_of_groups_with_missing_ones_are_read(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    groups = pa.array([17.0, None, float("nan"), 17.0])
    table = pa.table({"text": list("abcd"), "label": list("xyxy"), "author": groups})
    pq.write_table(table, path)
    assert read_corpus(path, Columns(group="author")).groups == ("17", "", "", "17")


def test_train_counts_rows_without_a_group_or_label(
    tmp_path: Path, tiny_models: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "author"])
        for i in range(60):
            label = "nan" if i < 5 else "ab"[i % 2]
            writer.writerow([sentence(i), label, f"author {i // 2}" if i % 3 else ""])
    common = ["--data", str(path), "--group-column", "author", "--json"]
    common += ["--encoder", str(tiny_models["bert"])]
    for folds in ([], ["--folds", "3"]):
        assert main(["train", *common, *folds]) == 0
        out, err = capsys.readouterr()
        note = "20 rows have an empty author: each counts as a group of its own."
        assert note in json.loads(out)["notes"]
        assert f"note: {note}" in err
        assert "note: 5 rows have the label 'nan', which programs write where" in err
    predictions_name_their_rows(tmp_path, capsys, str(tiny_models["bert"]))


def predictions_name_their_rows(
    folder: Path, capsys: pytest.CaptureFixture[str], encoder: str
) -> None:
    """Rows without a text stay in the output, without a label."""
    new = folder / "new.csv"
    new.write_text("text\none\n \ntwo\n", encoding="utf-8")
    common = ["predict", "--data", str(new), "--encoder", encoder, "--skip-empty"]
    for suffix in ("csv", "parquet", "jsonl"):
        out = folder / f"out.{suffix}"
        assert main([*common, "--output", str(out)]) == 0
        if suffix == "csv":
            with out.open(encoding="utf-8", newline="") as file:
                found = [(row["text"], row["predicted"]) for row in csv.DictReader(file)]
        elif suffix == "parquet":
            found = [(row["text"], row["predicted"]) for row in pq.read_table(out).to_pylist()]
        else:
            lines = map(json.loads, out.read_text(encoding="utf-8").splitlines())
            found = [(row["text"], row["predicted"]) for row in lines]
        assert [text for text, _ in found] == ["one", " ", "two"]
        assert [bool(label) for _, label in found] == [True, False, True]
    capsys.readouterr()
    assert main([*common, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    assert [(row["row"], row["text"]) for row in rows] == [(1, "one"), (3, "two")]


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan")])
def test_a_head_is_not_trained_on_missing_labels(missing: object) -> None:
    vectors = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    labels = [*["a", "b"] * 9, "a", missing]
    for given in (labels, np.array(labels, dtype=object)):
        with pytest.raises(ArrayError, match=r"1 of the labels are missing .* first in row 20"):
            HeadClassifier("knn").fit(vectors, given)
