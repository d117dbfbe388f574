"""Whole tables: every row and every column of a data source, for outputs that keep them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from features.corpus.corpus import Corpus
from features.corpus.reader import row_batches
from features.corpus.recognition.dialect import RECOGNISED, Dialect, Reading
from features.corpus.rows import ABSENT, ColumnRequest, WholeColumn
from features.corpus.source import HubName, Source
from features.corpus.streams import kind_of
from features.errors import CorpusError

UNIFORM = (".csv", ".tsv", ".parquet", ".xlsx")
"""Kinds of files whose first rows show all columns and types."""

PLAIN = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
MAX_INT = 2**63


@dataclass(frozen=True)
class WholeTable:
    """All rows of a data source with every column, read again in every iteration.

    Attributes:
        path: a file, folder or data set.
        text: name of its text column, which it must have.
        dialect: how a text file is written; what it does not say is recognised.
    """

    path: Source
    text: str
    dialect: Dialect = RECOGNISED

    @classmethod
    def of(cls, corpus: Corpus) -> WholeTable:
        """Return the file of a corpus, to be read as it was."""
        if corpus.path is None or corpus.columns is None:
            raise ValueError("the corpus was not read of a file")
        return cls(corpus.path, corpus.columns.text, corpus.dialect)

    def __iter__(self) -> Iterator[list[Sequence[Any]]]:
        """Yield a few thousand rows at a time: the columns in the order of ``names``.

        A column is a list of Python values, ``ABSENT`` where a row lacks the column, or an
        Arrow array. Raises ``CorpusError`` as ``row_batches``.
        """
        for size, found in self._batches():
            columns = dict(found)
            yield [columns.get(name, [ABSENT] * size) for name in self.names]

    def placed(
        self, rows: Sequence[int], texts: Sequence[str]
    ) -> Iterator[tuple[list[Sequence[Any]], np.ndarray]]:
        """Yield columns as iterating does, with the place of each row among some texts.

        Args:
            rows: data row of each text, from 1, ascending.
            texts: N texts that were read of the file before.

        Yields:
            The columns of n rows, and (n,) int64: the index of each row's text, -1 for none.

        Raises:
            CorpusError: the file has other texts now, or cannot be read.
        """
        numbers = np.asarray(rows, np.int64) - 1
        column, first, seen = self.names.index(self.text), 0, 0
        for columns in self:
            size = len(columns[0])
            own = np.searchsorted(numbers, [first, first + size])
            place = np.full(size, -1)
            place[numbers[slice(*own)] - first] = np.arange(*own)
            found = values_of(columns[column])
            if any(k >= 0 and found[i] != texts[k] for i, k in enumerate(place.tolist())):
                self._refuse()
            first, seen = first + size, seen + int((place >= 0).sum())
            yield columns, place
        if seen < len(numbers):
            self._refuse()

    def _refuse(self) -> None:
        raise CorpusError(f"{self.path}: changed while it was read; run this again")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns in file order; one that repeats has a number behind it."""
        return tuple(self.types)

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """Arrow type of each column by name; string where values of several kinds mix."""
        kinds: dict[str, set[Any]] = {}
        for _, columns in self._batches():
            for name, cells in columns:
                kinds.setdefault(name, set()).update(_kinds(cells))
            if self._uniform:
                break
        return {name: _common(found) for name, found in kinds.items()}

    @property
    def _uniform(self) -> bool:
        if isinstance(self.path, HubName) or self.path.is_dir():
            return False
        return kind_of(self.path) in UNIFORM

    def _batches(self) -> Iterator[tuple[int, list[WholeColumn]]]:
        wanted = [ColumnRequest(self.text, "--text-column")]
        for batch in row_batches(self.path, wanted, whole=True, reading=Reading(self.dialect)):
            names = unique_names(name for name, _ in batch.whole)
            cells = (cells for _, cells in batch.whole)
            yield batch.size, [*zip(names, cells, strict=True)]


def values_of(cells: Sequence[Any]) -> Sequence[Any]:
    """Return the Python values of a column."""
    arrow = isinstance(cells, (pa.Array, pa.ChunkedArray))
    return cells.to_pylist() if arrow else cells  # type: ignore[attr-defined]


def unique_names(names: Iterable[str]) -> list[str]:
    """Return names with a number behind each that occurred before.

    >>> unique_names(["a", "b", "a"])
    ['a', 'b', 'a_2']
    """
    given = list(names)
    found: dict[str, None] = {}
    for name in given:
        free, number = name, 2
        while free in found or (number > 2 and free in given):
            free, number = f"{name}_{number}", number + 1
        found[free] = None
    return list(found)


def _kinds(cells: Sequence[Any]) -> set[Any]:
    """Return the Arrow types and Python types of some cells, without those of missing ones."""
    if isinstance(cells, (pa.Array, pa.ChunkedArray)):
        return {cells.type}
    kinds = set(map(type, cells)) - {type(None), type(ABSENT)}
    if int in kinds and any(type(cell) is int and abs(cell) >= MAX_INT for cell in cells):
        kinds.add(object)
    return kinds


def _common(kinds: set[Any]) -> pa.DataType:
    """Return the Arrow type that holds values of some kinds."""
    if kinds == {int, float}:
        return pa.float64()
    if len(kinds) > 1:
        return pa.string()
    kind = next(iter(kinds), str)
    return kind if isinstance(kind, pa.DataType) else PLAIN.get(kind, pa.string())
