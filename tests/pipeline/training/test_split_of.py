"""``train --split-of``: the sides of a finished run, whatever dealt them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.runs.reader import read_held_out
from tests.support.cli import Command, Refusal, three_classes
from tests.support.cli import run_name as name


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return three_classes(tmp_path / "data.csv")


def sides(run: dict[str, object]) -> list[tuple[list[int], list[int]]]:
    """Positions of the validation and of the test texts of each fold."""
    folds = read_held_out(Path(str(run["run"]))).folds
    return [(fold.validation.rows.tolist(), fold.test.rows.tolist()) for fold in folds]


def test_the_sides_are_those_of_the_run(
    train: Command, command: Command, refusal: Refusal, tmp_path: Path
) -> None:
    """Another seed of the split deals the texts otherwise; those of a run stay."""
    one = train("logistic", "--split-seed", 5, "--group-column", "author")
    two = train("cnn", "--split-of", name(one))
    usual = train("logistic")
    assert sides(one) == sides(two) != sides(usual)
    assert two["notes"] == [*one["notes"], f"The sides are those of the run {name(one)}."]
    line = refusal("blend", name(one), name(usual))
    assert f"train one again with --split-of {name(one)}" in line
    # Neither the card nor the configuration says otherwise.
    command("export-model", name(two), "--out", tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text().replace("\\", "")
    assert f"those of another run, {name(one)}." in card
    assert "--split-seed" not in card
    config = json.loads(Path(two["run"], "config.json").read_text())
    assert config["split_of"] == str(Path(one["run"]).resolve())


def test_a_blend_gives_its_sides_too(train: Command, command: Command) -> None:
    one = train("logistic", "--split-seed", 5)
    two = train("mlp", "--split-of", name(one))
    command("blend", name(one), name(two))
    assert sides(train("cnn", "--split-of", "latest")) == sides(one)


def test_folds_are_those_of_the_run(
    train: Command, command: Command, refusal: Refusal, data: Path
) -> None:
    one = train("logistic", "--folds", 3, "--split-seed", 5)
    two = train("mlp", "--folds", 3, "--split-of", name(one))
    assert sides(one) == sides(two)
    assert len(sides(one)) == 3
    common = ("train", "--data", data, "--split-of", name(one))
    assert "has 3 folds, not 0: pass --folds 3" in refusal(*common)
    assert "leave --split, --split-seed" in refusal(*common, "--split-seed", 1)
    blended = command("blend", name(one), name(two))
    assert (blended["folds"], blended["test"]["texts"]) == (3, 60)


def test_official_test_rows_take_no_part_in_folds(
    train: Command, tmp_path: Path, data: Path
) -> None:
    lines = data.read_text().splitlines()
    marked = [f"{line},{'test' if i % 5 == 0 else 'train'}" for i, line in enumerate(lines[1:])]
    data.write_text("\n".join([f"{lines[0]},split", *marked]) + "\n")
    one = train("logistic", "--folds", 2)
    two = train("mlp", "--folds", 2, "--split-of", name(one))
    assert sides(one) == sides(two)
    tested = {row for _, test in sides(two) for row in test}
    assert tested == {row for row in range(60) if row % 5}


def test_a_label_that_one_fold_lacks(
    train: Command, command: Command, data: Path, tmp_path: Path
) -> None:
    """A blend over folds predicts with the heads of fold 1, which know fewer labels."""
    data.write_text(data.read_text() + "a rare boat rained,rare,author 99\n")
    one = train("logistic", "--folds", 3)
    two = train("mlp", "--folds", 3, "--split-of", name(one))
    assert any("rare" in note for note in two["notes"])
    blended = command("blend", name(one), name(two))
    labels = [each["label"] for each in blended["classes"]]
    assert "rare" in labels
    (predicted,) = command("predict", "--text", "a rare boat")["predictions"]
    known = json.loads(Path(one["run"], "head.json").read_text())["classes"]
    assert sorted(predicted["probabilities"]) == sorted(known)
    exported = command("export-model", name(blended), "--out", tmp_path / "model")
    assert exported["labels"] == len(known)
    assert "holds the first of them" in (tmp_path / "model" / "README.md").read_text()


def test_rows_that_were_left_out_move_no_side(
    train: Command, command: Command, data: Path
) -> None:
    """The same texts in other rows: sides go by the texts, not by where they stand."""
    lines = data.read_text().splitlines()
    data.write_text("\n".join([*lines[:5], ",good,author 1", *lines[5:]]) + "\n")
    one = train("logistic", "--skip-empty")
    data.write_text("\n".join(lines) + "\n")
    two = train("mlp", "--split-of", name(one))
    assert sides(one) == sides(two)
    first, second = (read_held_out(Path(run["run"])) for run in (one, two))
    (rows,), (moved,) = ([fold.test.rows for fold in part.folds] for part in (second, first))
    expected = [row + 1 if row < 4 else row + 2 for row in moved.tolist()]
    assert first.rows[moved].tolist() == expected
    assert second.rows[rows].tolist() == [row + 1 for row in rows.tolist()]
    command("blend", name(one), name(two))


def test_other_data_is_refused_before_any_work(
    train: Command, refusal: Refusal, data: Path, tiny_models: dict[str, Path]
) -> None:
    run = name(train("logistic"))
    data.write_text(data.read_text() + "one more text,good,author 1\n", encoding="utf-8")
    common = ("train", "--data", data, "--encoder", tiny_models["bert"], "--cache", "other")
    line = refusal(*common, "--split-of", run)
    assert f"--split-of {run}: that run was trained on other texts" in line
    assert "no run 'nix'" in refusal(*common, "--split-of", "nix")
    assert not Path("other").exists()
    assert [path.name for path in Path("runs").iterdir()] == [run]


@pytest.mark.parametrize("option", [("--split", "random"), ("--group-column", "author")])
def test_a_split_of_its_own_is_refused(refusal: Refusal, option: tuple[str, str]) -> None:
    assert "takes the sides of that run: leave" in refusal("train", "--split-of", "x", *option)
