"""Rows of a data source, in the form that all readers give: batches of cells with row numbers.

``reader`` chooses the reader; ``formats`` and ``hub`` hold the readers. ``corpus`` turns the
cells into texts, labels and splits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from features.corpus.source import Source
from features.errors import CorpusError
from features.messages import clipped, listed, meant
from features.storage.location import Location


@dataclass(frozen=True)
class ColumnRequest:
    """A requested column: its name, the option that renames it, and whether it is required."""

    name: str
    option: str
    required: bool = True


WholeColumn = tuple[str, Sequence[Any]]
"""A name and one value per row: strings, what JSON holds, or an Arrow array."""


class Absent:
    """The value of a column that a row does not have at all; null is another one."""


ABSENT = Absent()


class MissingColumnError(CorpusError):
    """A file lacks a column that is required.

    Attributes:
        column: the first that it lacks.
    """

    def __init__(self, message: str, column: ColumnRequest) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True)
class RowBatch:
    """Consecutive data rows of one file.

    Attributes:
        first: number of the first row. Data rows are numbered from 1; the header and blank
            lines are not counted.
        lines: file line on which each row starts, from 1; None for formats without lines.
        cells: requested column -> one value per row, None if missing. A column that no row
            of the batch has is not a key.
        size: number of rows in the batch.
        whole: every column of the file in its order, as (name, one value per row), where the
            reader was asked for it; names may repeat.
    """

    first: int
    lines: list[int] | None
    cells: dict[str, list[Any]]
    size: int
    whole: Sequence[WholeColumn] = ()

    def number(self, index: int) -> str:
        """Return the number of a row, with its file line if known: ``7 (line 9)``."""
        return f"{self.first + index}" + (f" (line {self.lines[index]})" if self.lines else "")

    def where(self, path: Source, index: int) -> str:
        """Return where a row is, to begin a message with: ``file:line: row 7``."""
        line = f":{self.lines[index]}" if self.lines else ""
        return f"{path}{line}: row {self.first + index}"


def check_columns(
    source: Location | str, names: Sequence[str], wanted: Sequence[ColumnRequest]
) -> None:
    """Check that a source has the requested columns.

    Raises:
        CorpusError: a requested column repeats.
        MissingColumnError: a required one is missing.
    """
    check_repeated(source, names, wanted)
    for column in wanted:
        if column.required and column.name not in names:
            near = meant(column.name, names)
            raise MissingColumnError(
                f"{source}: no column {column.name!r}{near}; the columns are "
                f"{listed(clipped(name) for name in names)}; choose one with {column.option}",
                column,
            )


def check_repeated(
    source: Location | str, names: Sequence[str], wanted: Sequence[ColumnRequest]
) -> None:
    """Raise a CorpusError if a requested column occurs more than once; others may repeat."""
    counts = Counter(names)
    repeated = [clipped(column.name) for column in wanted if counts[column.name] > 1]
    if repeated:
        raise CorpusError(
            f"{source}: duplicate column names: {listed(repeated)}; give each its own name"
        )
