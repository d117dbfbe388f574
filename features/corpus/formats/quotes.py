"""Stray quotes of CSV and TSV: rows that a quote which opens no field has joined to one.

Files written without quoting hold quotes that mean nothing. To the rules of CSV such a quote
opens a field, which then takes in the rows up to the next quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

TAB = "\t"
MANY_LINES, MANY_ROWS = 3, 20
"""So many lines with the right number of separators are rows, not one text, in a TSV, and in
a CSV beside so many other rows of which none holds a separator in quotes."""

DIGITS = re.compile(r"\d+")


class Row(NamedTuple):
    """Fields of one row, and the line on which it starts."""

    line: int
    fields: list[str]


class Shape(NamedTuple):
    """How the rows of a file are cut.

    Attributes:
        delimiter: between two fields.
        most: fields of the header.
        least: fields without the nameless ones at its end, which rows may lack.
    """

    delimiter: str
    most: int
    least: int

    def fits(self, rows: Iterable[Row]) -> bool:
        """Return whether all rows have as many fields as the header."""
        return all(self.least <= len(row.fields) <= self.most for row in rows)

    def unquoted(self, first: int, lines: Sequence[str]) -> Iterator[Row]:
        """Yield lines as rows of their own, quotes being plain characters.

        Args:
            first: number of the first line.
        """
        for number, line in enumerate(lines, first):
            bare = line.rstrip("\r\n")
            if bare:
                yield Row(number, bare.split(self.delimiter))


class Chunk(NamedTuple):
    """Some rows of a file, as the quotes cut them.

    Attributes:
        rows: none of them blank.
        several: places of the rows that take more than one line.
        first: number of the first line.
        lines: all lines as they stand in the file.
    """

    rows: list[Row]
    several: list[int]
    first: int
    lines: Sequence[str]


def swallowed(chunk: Chunk, shape: Shape) -> dict[int, list[Row]]:
    """Return the places of rows that a stray quote made of several, and what they are.

    Read without quotes, every line of the chunk has the right number of fields, as in a
    file that was written without quoting, and something else tells that the lines are rows:
    they have, in one of the columns, values that other rows have there; or other rows hold
    quotes that a writer who quotes would have doubled; or there are many of them.
    """
    if not chunk.several or not shape.fits(shape.unquoted(chunk.first, chunk.lines)):
        return {}
    starts = {row.line: place for place, row in enumerate(chunk.rows)}
    joined: dict[int, list[Row]] = {place: [] for place in chunk.several}
    others: list[Row] = []
    place = -1
    for line in shape.unquoted(chunk.first, chunk.lines):
        place = starts.get(line.line, place)
        joined.get(place, others).append(line)
    if any('"' in cell[1:] and cell[0] != '"' for row in others for cell in row.fields):
        return joined
    if shape.most == 1:
        return {}
    plain = 2 * sum(map(_wrapped, others)) < len(others) or not others
    many = plain and (shape.delimiter == TAB or len(others) >= MANY_ROWS)
    usual = [set(map(_folded, column)) for column in _columns(others, shape.most)]
    return {
        place: rows
        for place, rows in joined.items()
        if (many and len(rows) >= MANY_LINES)
        or any(
            all(cell and _folded(cell) in known for cell in column)
            for column, known in zip(_columns(rows, shape.most), usual, strict=True)
        )
    }


def _wrapped(row: Row) -> bool:
    """Return whether a row has a field in quotes."""
    return any(len(cell) > 1 and cell[0] == '"' == cell[-1] for cell in row.fields)


def _columns(rows: Sequence[Row], width: int) -> list[list[str]]:
    """Return the cells of every column, "" where a row has none."""
    return [
        [row.fields[field] if field < len(row.fields) else "" for row in rows]
        for field in range(width)
    ]


def _folded(cell: str) -> str:
    """Return a cell as values of one column are compared: numbers count as alike."""
    return DIGITS.sub("0", cell)
