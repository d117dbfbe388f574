"""Features as files, as another library's script reads them: ``numpy.load`` and no more."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.splits.split import Split
from features.vectors.table import TOKENS, FeatureTable
from heads.problem import Problem


@dataclass(frozen=True, eq=False)
class Handed:
    """Token vectors, labels and who trains, validates and tests.

    Attributes:
        table: the vectors of N texts.
        labels: (N,) int64 class ids below ``classes``.
        sides: int64 rows to train, to validate and to test.
        classes: C.
    """

    table: FeatureTable
    labels: np.ndarray
    sides: tuple[np.ndarray, np.ndarray, np.ndarray]
    classes: int

    @classmethod
    def of(cls, table: FeatureTable, labels: np.ndarray, split: Split) -> Handed:
        """Those of a corpus under a split."""
        sides = split.train, split.validation, split.test
        return cls(table, labels, sides, len(split.classes))

    def write(self, folder: Path) -> None:
        """Into an existing folder, for :meth:`read`."""
        np.save(folder / "values.npy", self.table.values)
        np.save(folder / "offsets.npy", self.table.offsets)
        np.save(folder / "labels.npy", self.labels)
        for name, rows in zip(("train", "validation", "test"), self.sides, strict=True):
            np.save(folder / f"{name}.npy", rows)

    @classmethod
    def read(cls, folder: Path) -> Handed:
        """What :meth:`write` wrote."""
        names = ("values", "offsets", "labels", "train", "validation", "test")
        values, offsets, labels, *sides = (np.load(folder / f"{name}.npy") for name in names)
        train, validation, test = sides
        classes = int(labels[train].max()) + 1
        table = FeatureTable(values, offsets, TOKENS)
        return cls(table, labels, (train, validation, test), classes)

    def problem(self) -> Problem:
        """As a head of ours takes it."""
        return Problem(self.table, self.labels, self.sides[0], self.sides[1], self.classes)
