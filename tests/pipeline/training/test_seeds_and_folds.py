"""Seeds and folds end to end: what is trained, what is best, what is told."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from features.errors import DivergedError
from heads.persistence.checkpoint import load
from pipeline.cli.main import main
from pipeline.training import trainings
from tests.support.cli import Command, Refusal, three_classes, write

QUICK = ("--head", "cnn", "--set", "epochs=2", "filters=4", "kernels=1,2", "batch_size=16")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return three_classes(tmp_path / "data.csv")


@pytest.fixture
def common(tiny_models: dict[str, Path], data: Path) -> tuple[object, ...]:
    return ("train", "--data", data, "--encoder", tiny_models["bert"])


def predictions(result: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(
        Path(result["run"], "predictions.parquet")
    ).to_pylist()
    return rows


def test_seeds(command: Command, common: tuple[object, ...]) -> None:
    result = command(*common, *QUICK, "--seed", 3, "--seeds", 3)
    trainings = result["trainings"]
    assert [(training["fold"], training["seed"]) for training in trainings] == [
        (1, 3),
        (1, 4),
        (1, 5),
    ]
    accuracies = [training["test"]["accuracy"] for training in trainings]
    assert result["over_seeds"]["accuracy"]["values"] == accuracies
    assert result["over_seeds"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert result["over_seeds"]["accuracy"]["deviation"] == pytest.approx(
        np.std(accuracies, ddof=1)
    )
    assert (result["over_folds"], result["folds"], result["seeds"]) == (None, 0, 3)
    (best,) = (training for training in trainings if training["best"])
    assert best["validation"]["accuracy"] == max(
        training["validation"]["accuracy"] for training in trainings
    )
    assert (result["test"], result["validation"]) == (best["test"], best["validation"])
    # The folder holds the head of the seed that it names, as a run of that seed alone does.
    run = Path(result["run"])
    assert json.loads((run / "config.json").read_text())["resolved"]["seed"] == best["seed"]
    alone = command(*common, *QUICK, "--seed", best["seed"])
    weights = [Path(each["run"], "head.safetensors").read_bytes() for each in (result, alone)]
    assert weights[0] == weights[1]
    assert alone["test"] == result["test"]
    assert (alone["over_seeds"], len(alone["trainings"])) == (None, 1)
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert Counter(record["seed"] for record in history) == {3: 2, 4: 2, 5: 2}
    others = {f"fold-1-seed-{seed}" for seed in (3, 4, 5)} - {f"fold-1-seed-{best['seed']}"}
    assert {path.name for path in run.iterdir() if path.is_dir()} == others


def test_folds_test_every_text_once(command: Command, common: tuple[object, ...]) -> None:
    result = command(*common, *QUICK, "--folds", 3, "--seeds", 2)
    rows = [row for row in predictions(result) if row["side"] == "test"]
    assert sorted(row["row"] for row in rows) == list(range(1, 61))
    right = np.array([row["label"] == row["predicted"] for row in rows])
    assert result["test"]["accuracy"] == pytest.approx(right.mean())
    assert result["test"]["texts"] == 60
    assert len(result["trainings"]) == 6
    for fold in (1, 2, 3):
        own = [row for row in rows if row["fold"] == fold]
        best = [
            training
            for training in result["trainings"]
            if training["fold"] == fold and training["best"]
        ]
        assert len(best) == 1
        share = np.mean([row["label"] == row["predicted"] for row in own])
        assert best[0]["test"]["accuracy"] == pytest.approx(share)
    values = [
        np.mean([t["test"]["accuracy"] for t in result["trainings"] if t["fold"] == fold])
        for fold in (1, 2, 3)
    ]
    assert result["over_folds"]["accuracy"]["values"] == pytest.approx(values)
    assert len(result["over_seeds"]["accuracy"]["values"]) == 2
    assert result["baselines"]["majority"]["texts"] == 60
    assert sum(each["support"] for each in result["classes"]) == 60
    # Which texts a head learned from is in the folder: none of those that it is tested on.
    training = pq.read_table(Path(result["run"], "training.parquet")).to_pylist()
    tested = {row["row"] for row in rows if row["fold"] == 1}
    assert not tested & {row["row"] for row in training}
    labels = {row["row"]: row["label"] for row in rows}
    errors = [
        json.loads(line)
        for line in Path(result["run"], "errors.jsonl").read_text().splitlines()
    ]
    assert len(errors) == (~right).sum()
    assert all(error["label"] == labels[error["row"]] for error in errors)
    confidences = [error["confidence"] for error in errors]
    assert confidences == sorted(confidences, reverse=True)


def test_folds_keep_groups_and_near_copies_together(
    command: Command, common: tuple[object, ...], data: Path
) -> None:
    with data.open("a", newline="", encoding="utf-8") as file:
        copies = csv.writer(file)
        for number in range(9):
            text = f"a quick brown fox jumps over the lazy dog until night number {number % 3}"
            copies.writerow([text + "!" * number, "bad", f"author {number % 3}"])
    result = command(*common, "--folds", 4, "--group-column", "author")
    with data.open(newline="", encoding="utf-8") as file:
        corpus = list(csv.DictReader(file))
    folds: dict[str, set[int]] = {}
    for row in predictions(result):
        if row["side"] == "test":
            cells = corpus[row["row"] - 1]
            folds.setdefault(cells["author"], set()).add(row["fold"])
            if "lazy dog" in cells["text"]:
                folds.setdefault("lazy dog", set()).add(row["fold"])
    assert all(len(own) == 1 for own in folds.values()), folds
    assert result["leaked"] == 0
    assert any("4 folds" in note for note in result["notes"])


def test_rows_marked_as_test_take_no_part_in_folds(
    command: Command, common: tuple[object, ...], data: Path
) -> None:
    with data.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    sides = ["test" if number % 4 == 0 else "train" for number in range(60)]
    marked = [[*row, side] for row, side in zip(rows, sides, strict=True)]
    write(data, [[*header, "split"], *marked])
    result = command(*common, "--folds", 3)
    seen = {row["row"] for row in predictions(result)}
    assert seen == {number + 1 for number in range(60) if number % 4}
    assert result["test"]["texts"] == 45
    assert any("15 rows that the split column marks as test" in n for n in result["notes"])
    dealt = command(*common, "--folds", 3, "--split-column", "none")
    assert dealt["test"]["texts"] == 60
    rows[0][0] = "cat " * 100  # longer than the encoder sees, and marked as test
    marked = [[*row, side] for row, side in zip(rows, sides, strict=True)]
    write(data, [[*header, "split"], *marked])
    folds = command(*common, "--folds", 3)
    assert (folds["truncated"], folds["tokens_cut_share"]) == (0, 0)
    assert command(*common)["truncated"] == 1


def test_a_class_that_one_fold_lacks_scores_as_an_error(
    command: Command, common: tuple[object, ...], data: Path
) -> None:
    with data.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(["one two three four", "rare", "nobody"])
    result = command(*common, "--folds", 3)
    assert any("'rare' (1)" in note for note in result["notes"])
    (rare,) = (each for each in result["classes"] if each["label"] == "rare")
    assert (rare["recall"], rare["support"]) == (0.0, 1)
    (row,) = (
        row for row in predictions(result) if row["label"] == "rare" and row["side"] == "test"
    )
    assert row["predicted"] != "rare"
    scores = [
        training["test"]["accuracy"] * training["test"]["texts"]
        for training in result["trainings"]
    ]
    assert sum(scores) / 61 == pytest.approx(result["test"]["accuracy"])


def test_a_weight_of_a_class_that_one_fold_lacks(
    command: Command, refusal: Refusal, common: tuple[object, ...], data: Path
) -> None:
    with data.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(["one two three four", "rare", "nobody"])
    folds = (*common, "--folds", 3, *QUICK)
    line = refusal(*folds, "class_weights=rare=3,rarer=2")
    assert "class_weights names 'rarer'" in line
    assert "'rare'" in line.partition("they are")[2] or "rare" in line.partition("they are")[2]
    assert not Path("cache").exists()
    assert len(command(*folds, "class_weights=rare=3,odd=2")["trainings"]) == 3


def test_validation_labels_that_training_lacks(
    command: Command, common: tuple[object, ...], data: Path
) -> None:
    with data.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    sides = ["validation" if row[1] == "odd" else "train" for row in rows]
    write(data, [[*header, "split"], *([*r, s] for r, s in zip(rows, sides, strict=True))])
    result = command(*common)
    assert (result["validation"]["accuracy"], result["best_epoch"]) == (0.0, 1)
    history = Path(result["run"], "history.jsonl").read_text()
    assert "NaN" not in history
    assert json.loads(history.splitlines()[0])["validation_loss"] is None


def test_the_interval_over_folds_knows_how_many_texts_were_learned_from(
    command: Command, common: tuple[object, ...]
) -> None:
    knn = (*common, "--head", "knn", "--folds", 3, "--set", "k=1")
    for settings, learned in (((), 40), (("refit=false",), 32)):
        found = command(*knn, *settings)["over_folds"]["accuracy"]
        half = 4.302653 * found["deviation"] * (1 / 3 + 20 / learned) ** 0.5
        expected = max(0.0, found["mean"] - half), min(1.0, found["mean"] + half)
        assert found["interval"] == pytest.approx(expected, abs=1e-6)


def test_the_temperature_reaches_predict(
    command: Command, common: tuple[object, ...], data: Path
) -> None:
    result = command(*common, *QUICK)
    temperature = result["calibration"]["temperature"]
    assert temperature != 1.0
    assert load(Path(result["run"])).temperature == temperature
    assert 0 <= result["calibration"]["error_after"] <= 1
    (row, *_) = (row for row in predictions(result) if row["side"] == "test")
    with data.open(newline="", encoding="utf-8") as file:
        text = list(csv.DictReader(file))[row["row"] - 1]["text"]
    said = command("predict", "--run", result["run"], "--text", text)
    (answer,) = said["predictions"]
    assert answer["label"] == row["predicted"]
    assert max(answer["probabilities"].values()) == pytest.approx(row["confidence"], abs=1e-5)


def test_events_hold_curves_and_errors_that_mean_nothing_but_themselves(
    command: Command, common: tuple[object, ...], data: Path
) -> None:
    with data.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    for row in rows[1:]:
        row[0] += " <img src=x onerror=alert(1)> | [a](http://b) **bold**"
    write(data, rows)
    result = command(*common, *QUICK, "--seeds", 2, "--split", "random")
    events = EventAccumulator(result["run"]).Reload()
    tags = events.Tags()
    for name in ("loss", "accuracy"):
        for side in ("train", "validation"):
            assert len(events.Scalars(f"{name}/{side}")) == 2
    assert {"learning_rate", "gradient_norm", "test/accuracy"} <= set(tags["scalars"])
    assert events.Scalars("test/accuracy")[0].value == pytest.approx(result["test"]["accuracy"])
    (text,) = events.Tensors("errors/text_summary")
    shown = text.tensor_proto.string_val[0].decode()
    assert shown.count("\n") >= 3
    assert "onerror" in shown
    for raw in ("<img", "](http", "**bold**", "> |"):
        assert raw not in shown, raw
    (other,) = (path for path in Path(result["run"]).iterdir() if path.is_dir())
    assert "loss/train" in EventAccumulator(str(other)).Reload().Tags()["scalars"]


def test_a_head_that_learned_nothing_is_said_to_have_collapsed(
    command: Command, common: tuple[object, ...], data: Path
) -> None:
    with data.open("a", newline="", encoding="utf-8") as file:
        for number in range(40):
            csv.writer(file).writerow([f"cat {number * 13} laughed {number}", "good", "many"])
    common = (*common, "--layout", "pooled")
    held_down = (*common, "--set", "c=0.000001")
    result = command(*held_down, "--seeds", 2)
    assert result["collapse"]["predicted_share"] == 1.0
    assert result["collapse"]["label"] == "good"
    assert result["collapse"]["label_share"] == pytest.approx(0.6, abs=0.1)
    assert [training["collapsed"] for training in result["trainings"]] == [True, True]
    few, collapse = result["advice"][:2]  # 15 test texts
    assert few.startswith("A score takes 20 test texts")
    assert collapse.startswith("The head has collapsed: it predicts 'good'")
    assert command(*common)["collapse"] is None


def report(result: dict[str, Any]) -> str:
    """What ``report.txt`` says, on one line."""
    text = Path(result["run"], "report.txt").read_text(encoding="utf-8")
    return " ".join(text.split())


def test_the_report_names_both_sources_of_chance(
    command: Command, common: tuple[object, ...]
) -> None:
    out = report(command(*common, *QUICK, "--seeds", 2, "--folds", 2))
    for part in ("over 2 seeds", "over 2 folds", "(other seeds)", "(other folds)"):
        assert part in out
    assert out.count("(other test texts)") == 2
    assert "The run holds the head of fold 1" in out
    assert "precision" in out
    assert "calibration error" in out


def test_a_training_that_diverges_is_named(
    capsys: pytest.CaptureFixture[str],
    common: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = trainings.fit

    def sometimes(*arguments: Any) -> Any:
        if arguments[7] == 8:
            raise DivergedError("the loss must stay finite")
        return fit(*arguments)

    monkeypatch.setattr(trainings, "fit", sometimes)
    assert main([str(each) for each in (*common, "--seeds", 2, "--seed", 7)]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "fault: fold 1, seed 8: the loss must stay finite"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--seeds", "0"), ["--seeds", "0"]),
        (("--seeds", "-2"), ["--seeds", "-2"]),
        (("--folds", "1"), ["--folds", "2 or more", "1"]),
        (("--folds", "-3"), ["--folds", "-3"]),
        (("--folds", "61"), ["60 units", "61 folds", "fewer folds"]),
        (("--folds", "16", "--group-column", "author"), ["15 units", "16 folds"]),
    ],
)
def test_wrong_numbers_are_one_clear_line(
    refusal: Refusal,
    common: tuple[object, ...],
    arguments: tuple[str, ...],
    parts: list[str],
) -> None:
    line = refusal(*common, *arguments)
    for part in parts:
        assert part in line
    assert not Path("cache").exists()  # said before anything is encoded


def test_the_head_learns_from_validation_texts_once_they_have_chosen_it(
    command: Command, common: tuple[object, ...]
) -> None:
    knn = ("--head", "knn", "--set", "k=1")
    again = command(*common, *knn)
    once = command(*common, *knn, "refit=false")
    assert (again["refit"], once["refit"]) == (True, False)
    assert again["validation"] == once["validation"], "that of the head that they chose"
    scalars = EventAccumulator(once["run"]).Reload().Tags()["scalars"]
    assert "k" in scalars
    assert "learning_rate" not in scalars, "k is none"
    split = json.loads(Path(once["run"], "config.json").read_text())["resolved"]["rows"]
    for result, learned in (
        (again, split["train"] + split["validation"]),
        (once, split["train"]),
    ):
        head = load(Path(result["run"]))
        assert len(head.state["vectors"]) == learned
    assert "the head was trained again" in report(again)
    assert "the head was trained again" not in report(once)
    assert "k = 1 (1st of 1)" in report(once)
