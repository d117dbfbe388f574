"""What cannot be split, and settings that do not make sense, each as one clear line."""

from __future__ import annotations

import pytest

from features.errors import SettingError, SplitError
from features.splits.split import make_split
from tests.support.corpora import rows_of

ERRORS = {
    "unknown values": (
        {"splits": ["train", "eval", "test", "", "Eval", "eval", "dev", " "]},
        ["holds 'eval' in rows 2, 6, an empty cell in rows 4, 8, 'Eval' in row 5; write"],
    ),
    "remedy": (
        {"splits": ["odd"] * 8},
        ["write train, training, validation, valid, val, dev, test, testing", "--split-column"],
    ),
    "many unknown values": (
        {"splits": [f"odd {i}" for i in range(8)]},
        ["'odd 4' in row 5", "and 3 more; write"],
    ),
    "numbers of the file": (
        {"splits": ["odd"] + ["train"] * 7, "rows": range(11, 19)},
        ["'odd' in row 11"],
    ),
    "test only": (
        {"splits": ["test"] * 8},
        ["all 8 rows as test", "none to train on", "mark training rows"],
    ),
    "one class": (
        {"labels": ["a"] * 8},
        ["one class only", "'a' in all 6 rows", "other classes"],
    ),
    "one class in training": (
        {"splits": ["train"] * 4 + ["dev", "dev", "test", "test"]},
        ["training has one class only", "'a' in all 4 rows"],
    ),
    "too few rows": (
        {"labels": list("aabbccdd")},
        ["too few rows to split", "8 rows with 8 distinct texts", "no class has 3", "add rows"],
    ),
    "too few texts": (
        {"texts": ["x", "X", "x ", "y", "z", "Z", "w", "w"]},
        ["8 rows with 4 distinct texts", "label column"],
    ),
    "too few groups": (
        {"groups": [1, 1, 1, 2, 3, 3, 3, 4]},
        ["8 rows with 4 separate groups of texts", "--split random parts them"],
    ),
    "too few to cut": (
        {"splits": ["train", "train", "test", "test"] * 2},
        ["too few rows to split", "4 rows with 4 distinct texts"],
    ),
    "no rows": ({"labels": [], "texts": []}, ["too few rows to split", "0 rows"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_split(name: str) -> None:
    changed, parts = ERRORS[name]
    labels, texts = rows_of(a=4, b=4)
    with pytest.raises(SplitError) as caught:
        make_split(**{"labels": labels, "texts": texts, **changed})
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ({"test": 0.0}, ["test share is 0.0", "between 0 and 1"]),
        ({"validation": 1.0}, ["validation share is 1.0"]),
        ({"test": float("nan")}, ["test share is nan"]),
        ({"seed": -1}, ["seed is -1", "0 or more"]),
    ],
)
def test_settings_out_of_range(setting: dict[str, float], parts: list[str]) -> None:
    labels, texts = rows_of(a=4, b=4)
    with pytest.raises(SettingError) as caught:
        make_split(labels, texts, **setting)  # type: ignore[arg-type]
    for part in parts:
        assert part in str(caught.value)


def test_uneven_arguments_are_a_fault() -> None:
    labels, texts = rows_of(a=4, b=4)
    for uneven in ({"splits": ["train"]}, {"groups": [1]}, {"rows": [1]}, {"texts": ["a"]}):
        with pytest.raises(ValueError, match="differ in length"):
            make_split(**{"labels": labels, "texts": texts, **uneven})
