"""The names of the sides: training, validation, test."""

from __future__ import annotations

TRAINING, VALIDATION, TEST = 0, 1, 2
SIDES = ("training", "validation", "test")
OFFICIAL = {
    **dict.fromkeys(("train", "training"), TRAINING),
    **dict.fromkeys(("validation", "valid", "val", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
