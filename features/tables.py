"""FeatureTables: what a head reads of N texts, one table or several beside each other.

A layout names the tables, joined by commas: ``pooled``, ``words``, ``tokens,words``. Vectors
come first; of several encoders there is a table each, all in the one layout that is named. A
head has a part for each table, and the logits of its parts are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from features.errors import ArrayError, SettingError
from features.vectors.table import FeatureTable
from features.words.table import WORDS, WordTable

Features = FeatureTable | WordTable
"""One table, and with :class:`FeatureTables` what functions of ``heads`` take."""


@dataclass(frozen=True, eq=False)
class FeatureTables:
    """Tables of the same N texts, each with features of its own.

    Attributes:
        tables: one or more: of vectors one per encoder, in the order of the encoders and all
            in one layout, and at most one of words.
    """

    tables: tuple[Features, ...]

    def __post_init__(self) -> None:
        lengths = [len(table) for table in self.tables]
        layouts = [table.layout for table in self.tables]
        vectors = {layout for layout in layouts if layout != WORDS}
        if len(set(lengths)) != 1:
            raise ArrayError(
                f"tables beside each other hold the same texts; these hold {lengths} texts"
            )
        if len(vectors) > 1 or layouts.count(WORDS) > 1:
            raise ArrayError(
                "tables beside each other are vectors in one layout, a table per encoder, and "
                f"one table of words; got {layouts}"
            )

    def __len__(self) -> int:
        return len(self.tables[0])

    @property
    def shape(self) -> tuple[int]:
        """(N,): indexed by text, as a one-dimensional array is."""
        return (len(self),)

    def __getitem__(self, rows: Any) -> FeatureTables:
        """Return the tables of some texts, in that order."""
        return FeatureTables(tuple(_part(table, rows) for table in self.tables))

    @property
    def layout(self) -> str:
        """The layouts of the tables, each named once, joined by commas."""
        return ",".join(dict.fromkeys(table.layout for table in self.tables))

    @property
    def encoders(self) -> tuple[FeatureTable, ...]:
        """The tables of vectors, one per encoder."""
        return tuple(table for table in self.tables if isinstance(table, FeatureTable))

    @property
    def vectors(self) -> FeatureTable | None:
        """The vectors of the first encoder; None if there are words alone."""
        return next(iter(self.encoders), None)

    @property
    def words(self) -> WordTable | None:
        """The table of words, or None."""
        return next((table for table in self.tables if isinstance(table, WordTable)), None)

    @property
    def width(self) -> int:
        """D of the first encoder's vectors; 0 without."""
        return 0 if self.vectors is None else self.vectors.width


def as_tables(table: Features | FeatureTables) -> FeatureTables:
    """Return tables that hold one table, or the tables themselves."""
    return table if isinstance(table, FeatureTables) else FeatureTables((table,))


def parse_layout(layout: str) -> tuple[str | None, bool]:
    """Return the layout of the vectors, None if there are none, and whether words are named.

    Raises:
        SettingError: a layout is named twice, or two are layouts of vectors.
    """
    names = [name.strip() for name in layout.split(",")]
    vectors = [name for name in names if name != WORDS]
    if len(vectors) > 1 or names.count(WORDS) > 1:
        raise SettingError(
            f"a layout is one layout of vectors, words, or both, such as pooled,{WORDS}; "
            f"got {layout!r}"
        )
    return (vectors[0] if vectors else None), WORDS in names


def join_layout(vectors: str | None, words: bool) -> str:
    """Return the layout of such parts: vectors first."""
    return ",".join([*([] if vectors is None else [vectors]), *([WORDS] if words else [])])


def _part(table: Features, rows: Any) -> Features:
    part = table[rows]
    if not isinstance(part, FeatureTable | WordTable):
        raise ArrayError("tables beside each other are indexed by several texts, not by one")
    return part
