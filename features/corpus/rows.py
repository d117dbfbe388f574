"""Rows of a data source, as every format gives them: batches of cells with their numbers.

``readers`` opens a source; ``delimited``, ``json_lines``, ``parquet`` and ``hub`` know how
each format is cut into rows. What the cells mean (texts, labels, splits) is for ``corpus``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from features.corpus.source import Source
from features.errors import CorpusError
from features.messages import clipped, listed
from features.storage.location import Location


@dataclass(frozen=True)
class ColumnRequest:
    """A column to read, the command's option that names another, and whether it must exist."""

    name: str
    option: str
    required: bool = True


@dataclass(frozen=True)
class RowBatch:
    """Consecutive data rows of one file.

    Attributes:
        first: number of the first row. Data rows are counted from 1; the header and blank
            lines are not rows.
        lines: file line on which each row starts, from 1; None where the format has none.
        cells: wanted column -> one value a row (None: missing). A wanted column that no
            row of the batch has is absent.
        size: rows in the batch.
    """

    first: int
    lines: list[int] | None
    cells: dict[str, list[Any]]
    size: int

    def number(self, index: int) -> str:
        """``7 (line 9)``: the number of a row, with its file line where there is one."""
        return f"{self.first + index}" + (f" (line {self.lines[index]})" if self.lines else "")

    def place(self, path: Source, index: int) -> str:
        """``file:line: row 7``: where a row stands, for the start of a message."""
        line = f":{self.lines[index]}" if self.lines else ""
        return f"{path}{line}: row {self.first + index}"


def check_columns(
    place: Location | str, names: Sequence[str], wanted: Sequence[ColumnRequest]
) -> None:
    """Raise a CorpusError where a wanted column repeats or a required one is missing."""
    check_repeated(place, names, wanted)
    for column in wanted:
        if column.required and column.name not in names:
            raise CorpusError(
                f"{place}: no column {column.name!r}; the columns are "
                f"{listed(clipped(name) for name in names)}; choose one with {column.option}"
            )


def check_repeated(
    place: Location | str, names: Sequence[str], wanted: Sequence[ColumnRequest]
) -> None:
    """Raise a CorpusError where a wanted column stands more than once; others may."""
    counts = Counter(names)
    repeated = [clipped(column.name) for column in wanted if counts[column.name] > 1]
    if repeated:
        raise CorpusError(
            f"{place}: duplicate column names: {listed(repeated)}; give each its own name"
        )
