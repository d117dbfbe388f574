"""Stray quotes of CSV and TSV, which join several rows to one.

A file written without quoting may have a quote at the beginning of a field. By the rules of
CSV that quote opens a quoted field, which then goes on over all rows up to the next quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from features.corpus.recognition.dialect import TAB

MIN_LINES = 3
"""Minimum lines with the right number of separators that are taken for rows, not for one text:
always in a TSV; in a CSV with ``MIN_ROWS`` other rows, fewer than half of them quoted."""

MIN_ROWS = 20
"""Minimum other rows of a CSV for ``MIN_LINES`` to count."""

DIGITS = re.compile(r"\d+")


class Row(NamedTuple):
    """Fields of one row, and the line on which it starts."""

    line: int
    fields: list[str]


class Shape(NamedTuple):
    """The delimiter of a file, and how many fields its rows have.

    Attributes:
        delimiter: character between two fields.
        fields: number of fields of the header; no row has more.
        min_fields: minimum fields of a row: nameless columns at the end may be missing.
    """

    delimiter: str
    fields: int
    min_fields: int

    def fits(self, rows: Iterable[Row]) -> bool:
        """Return whether all rows have a number of fields that fits the header."""
        return all(self.min_fields <= len(row.fields) <= self.fields for row in rows)

    def unquoted(self, first: int, lines: Sequence[str]) -> Iterator[Row]:
        """Yield every line as a row, with quotes as ordinary characters.

        Args:
            first: number of the first line.
        """
        for number, line in enumerate(lines, first):
            bare = line.rstrip("\r\n")
            if bare:
                yield Row(number, bare.split(self.delimiter))


class Chunk(NamedTuple):
    """Some parsed rows of a file, and their lines.

    Attributes:
        rows: the rows, without blank ones.
        multiline: indices of the rows that take more than one line.
        first: number of the first line.
        lines: all lines as in the file.
    """

    rows: list[Row]
    multiline: list[int]
    first: int
    lines: Sequence[str]


def swallowed(chunk: Chunk, shape: Shape) -> dict[int, list[Row]]:
    """Return which rows a stray quote joined from several: index -> the rows as they were.

    A row counts as joined if every line of the chunk, read without quoting, has the right
    number of fields, and one of these holds: in some column its lines have values that other
    rows have there too; other rows hold quotes that a quoting writer would have doubled; or
    it has many lines.
    """
    if not chunk.multiline or not shape.fits(shape.unquoted(chunk.first, chunk.lines)):
        return {}
    starts = {row.line: index for index, row in enumerate(chunk.rows)}
    joined: dict[int, list[Row]] = {index: [] for index in chunk.multiline}
    others: list[Row] = []
    index = -1
    for line in shape.unquoted(chunk.first, chunk.lines):
        index = starts.get(line.line, index)
        joined.get(index, others).append(line)
    if any('"' in cell[1:] and cell[0] != '"' for row in others for cell in row.fields):
        return joined
    if shape.fields == 1:
        return {}
    plain = 2 * sum(map(_wrapped, others)) < len(others) or not others
    many = plain and (shape.delimiter == TAB or len(others) >= MIN_ROWS)
    usual = [set(map(_mask_numbers, column)) for column in _columns(others, shape.fields)]
    return {
        index: rows
        for index, rows in joined.items()
        if (many and len(rows) >= MIN_LINES)
        or any(
            all(cell and _mask_numbers(cell) in known for cell in column)
            for column, known in zip(_columns(rows, shape.fields), usual, strict=True)
        )
    }


def _wrapped(row: Row) -> bool:
    """Return whether a row has a field in quotes."""
    return any(len(cell) > 1 and cell[0] == '"' == cell[-1] for cell in row.fields)


def _columns(rows: Sequence[Row], width: int) -> list[list[str]]:
    """Return the cells of every column, "" where a row is shorter."""
    return [
        [row.fields[field] if field < len(row.fields) else "" for row in rows]
        for field in range(width)
    ]


def _mask_numbers(cell: str) -> str:
    """Return a cell with every number replaced by 0, so that all numbers compare equal."""
    return DIGITS.sub("0", cell)
