"""``predict`` leaves texts without a label, or gives several, as a run's held-out texts say."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.cli import Command, Refusal, Run

TEXT = "the cat sat on the mat 3"


@pytest.fixture
def trained(train: Command) -> str:
    return str(train("logistic", "--layout", "pooled")["run"])


def with_sure_validation(run: str) -> str:
    """A copy of a run in which every held-out text is many times as often, and right."""
    folder = Path(shutil.copytree(run, f"{run}-sure"))
    path = folder / "probabilities.parquet"
    table = pq.read_table(path)
    probabilities = table.column("probabilities").to_pylist()
    labels = table.column("label").to_pylist()
    right = [
        (row[1] > row[0]) == (label == "good")
        for row, label in zip(probabilities, labels, strict=True)
    ]
    kept = table.filter(right)
    import pyarrow as pa

    pq.write_table(pa.concat_tables([kept] * 40).combine_chunks(), path)
    return str(folder)


def test_labels_above_the_threshold_alone(trained: str, command: Command, run: Run) -> None:
    sure = with_sure_validation(trained)
    told = command("predict", sure, "--text", TEXT, "--abstain", "0.9")
    rule = told["abstention"]
    (one,) = told["predictions"]
    above = max(one["probabilities"].values()) > rule["threshold"]
    assert (one["label"] is not None) == above
    assert rule["validation"]["share"] > 0
    assert (
        "abstention: labels with a confidence above"
        in run("predict", sure, "--text", TEXT, "--abstain", "0.9").err
    )


def test_sets_on_the_terminal_and_in_files(trained: str, command: Command, run: Run) -> None:
    told = command("predict", trained, "--text", TEXT, "--sets", "0.99")
    (one,) = told["predictions"]
    assert set(one["labels"]) == {"good", "bad, very"}, "too few texts: every label"
    shown = run("predict", trained, "--text", TEXT, "--sets", "0.99")
    assert "set: " in shown.out
    assert (
        run("predict", trained, "--text", TEXT, "--sets", "0.99", "--output", "o.csv").code == 0
    )
    (row,) = csv.DictReader(Path("o.csv").read_text(encoding="utf-8").splitlines())
    assert set(json.loads(row["label_set"])) == {"good", "bad, very"}
    assert row["predicted"]


def test_an_abstained_row_of_a_file_is_empty(
    trained: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.evaluation.abstention._candidates", lambda *_: [0.999])
    monkeypatch.setattr("pipeline.evaluation.abstention._passes", lambda *_: True)
    asked = ("predict", trained, "--text", TEXT, "--abstain", "0.9")
    assert run(*asked, "--output", "o.csv").code == 0
    (row,) = csv.DictReader(Path("o.csv").read_text(encoding="utf-8").splitlines())
    assert (row["predicted"], bool(row["confidence"])) == ("", True)
    assert run(*asked).out.startswith("(no label)\t(")


def test_what_is_lacking_is_one_line(trained: str, refusal: Refusal) -> None:
    said = refusal("predict", trained, "--text", TEXT, "--abstain", "0.95")
    assert "needs 86 validation texts or more" in said
    Path(trained, "probabilities.parquet").unlink()
    said = refusal("predict", trained, "--text", TEXT, "--sets", "0.9")
    assert "need probabilities.parquet" in said
    for share in ("0", "1", "-1", "nan"):
        assert "above 0 and below 1" in refusal("predict", "--text", "a", "--abstain", share)
