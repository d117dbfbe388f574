"""Reader of CSV and TSV (RFC 4180): the separator, the header, and stray quotes.

lines -> chunks of parsed rows -> rows without stray quotes -> rows with the right width

If a stray quote joins rows (see ``quotes``), a TSV is read without quoting and a CSV is
refused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from features.corpus.formats.quotes import Chunk, Row, Shape, swallowed
from features.corpus.recognition.dialect import TAB, Reading, recognise_delimiter
from features.corpus.rows import ColumnRequest, RowBatch, WholeColumn, check_columns
from features.corpus.streams import open_lines
from features.errors import CorpusError
from features.storage.location import Location

MAX_FIELD = 2**31 - 1
"""Maximum characters per field; the largest limit that the csv module takes everywhere."""

SEP_LINE = re.compile(r'"?sep=([^"\r\n]|\\t)"?[,;\t|]*[\r\n]*', re.IGNORECASE)
"""A first line that tells Excel the separator. Programs that give every row the same number of
fields put separators behind it."""

MARK = "\ufeff"
LINES_AHEAD = 1024
"""Lines read at a time; their rows are compared to recognise stray quotes."""

SAMPLE_LINES = 200
"""Lines in which the separator is recognised."""

UNCLOSED = "unexpected end of data"
"""Part of the csv module's message about a quote that is never closed."""


def delimited(
    path: Location,
    wanted: Sequence[ColumnRequest],
    size: int,
    whole: bool,
    reading: Reading,
    *,
    usual: str,
) -> Iterator[RowBatch]:
    """Yield rows of CSV or TSV: a header, then rows with as many fields; blank lines are
    skipped.

    A first line ``sep=;`` names the separator; without one it is recognised.

    Args:
        usual: the separator of files with such a name.
    """
    csv.field_size_limit(MAX_FIELD)
    with open_lines(path, reading) as opened:
        lines, delimiter, number = _separated(opened, wanted, reading, usual)
        header, line = _header(path, lines, delimiter, number)
        reading.say_dialect(path)
        check_columns(path, header, wanted)
        fields = {w.name: header.index(w.name) for w in wanted if w.name in header}
        named = [number for number, name in enumerate(header, 1) if name.strip()]
        min_fields = max([1, *named, *(field + 1 for field in fields.values())])
        shape = Shape(delimiter, len(header), min_fields)
        chunks = _checked(
            path, _separate(path, _chunks(path, lines, line, shape), shape), shape
        )
        rows = chain.from_iterable(chunks)
        first = 1
        while batch := list(islice(rows, size)):
            cells = {
                name: [row.fields[field] for row in batch] for name, field in fields.items()
            }
            every = _whole(header, batch) if whole else ()
            yield RowBatch(first, [row.line for row in batch], cells, len(batch), every)
            first += len(batch)


def _whole(header: Sequence[str], rows: Sequence[Row]) -> list[WholeColumn]:
    """Return every column; fields that a row lacks at its end are empty."""
    return [
        (name, [row.fields[i] if i < len(row.fields) else "" for row in rows])
        for i, name in enumerate(header)
    ]


def _separated(
    opened: Iterator[str], wanted: Sequence[ColumnRequest], reading: Reading, usual: str
) -> tuple[Iterator[str], str, int]:
    """Return the lines of a file, the separator of its columns, and the number of the first
    line: 2 behind a line ``sep=;``."""
    ahead = list(islice(opened, SAMPLE_LINES))
    whole = len(ahead) < SAMPLE_LINES
    named = SEP_LINE.fullmatch(ahead[0]) if ahead else None
    if named:
        del ahead[0]
        usual = TAB if named[1] == r"\t" else named[1]
    delimiter = usual
    if reading.dialect.delimiter is not None:
        delimiter = reading.dialect.delimiter
    elif not named:
        required = {column.name for column in wanted if column.required}
        delimiter = recognise_delimiter(ahead, usual, required, whole)
    reading.separated(delimiter, usual)
    return chain(ahead, opened), delimiter, 2 if named else 1


def _header(
    path: Location, lines: Iterator[str], delimiter: str, number: int
) -> tuple[list[str], int]:
    """Return the column names, and the number of the line that follows.

    Args:
        number: of the first line.

    Raises:
        CorpusError: there are no names.
    """
    seen: list[str] = []
    reader = csv.reader(_noted(lines, seen), delimiter=delimiter, strict=True)
    try:
        # In a file joined from several, a second byte-order mark may precede the first name.
        names = [name.lstrip(MARK) for name in next((row for row in reader if row), [])]
    except csv.Error as error:
        start = next(index for index, line in enumerate(seen) if line.strip("\r\n"))
        _refuse_json(path, seen[start])
        raise CorpusError(_unparsed(path, start + number, error)) from error
    if not names:
        raise CorpusError(f"{path}: the file is empty; it needs a header and rows")
    _refuse_json(path, names[0])
    return names, len(seen) + number


def _noted(lines: Iterable[str], seen: list[str]) -> Iterator[str]:
    """Yield the same lines, and append each to ``seen``."""
    for line in lines:
        seen.append(line)
        yield line


def _refuse_json(path: Location, line: str) -> None:
    """Raise a CorpusError if a header is the beginning of JSON."""
    if line.lstrip().startswith(("{", "[{")):
        raise CorpusError(f"{path}: it looks like JSON; name it .json or .jsonl")


def _chunks(path: Location, lines: Iterator[str], number: int, shape: Shape) -> Iterator[Chunk]:
    """Yield the parsed rows of about ``LINES_AHEAD`` lines at a time.

    Args:
        number: of the first line.
    """
    ahead: list[str] = []
    more = LINES_AHEAD
    while True:
        fresh = list(islice(lines, more))
        ahead += fresh
        last = len(fresh) < more
        if not ahead:
            return
        chunk, used = _parsed(path, ahead, number, shape, last)
        ahead = ahead[used:]
        number += used
        yield chunk
        # The row is longer than everything read so far: read twice as much.
        more = LINES_AHEAD if used else len(ahead)


def _parsed(
    path: Location, lines: Sequence[str], number: int, shape: Shape, last: bool
) -> tuple[Chunk, int]:
    """Return the rows of some lines without blank ones, and how many lines they take.

    If a line of a TSV does not parse but has the right number of tabs, it is a row, and its
    quotes are ordinary characters.

    Args:
        number: number of the first line.
        last: whether the file ends here; if not, an incomplete row is left for the next call.

    Raises:
        CorpusError: the first row does not parse.
    """
    rows: list[Row] = []
    chunk = Chunk(rows, [], number, lines)
    start = before = 0
    reader = csv.reader(lines, delimiter=shape.delimiter, strict=True)
    while True:
        try:
            for fields in reader:
                end = before + reader.line_num
                if fields:
                    if end > start + 1:
                        chunk.multiline.append(len(rows))
                    rows.append(Row(number + start, fields))
                start = end
            return chunk, start
        except csv.Error as error:
            end = before + reader.line_num
            if not last and UNCLOSED in str(error):
                return chunk._replace(lines=lines[:start]), start
            plain = _plain(number + start, lines[start:end], shape, error)
            if plain is None and start:  # a stray quote may be in an earlier row
                return chunk._replace(lines=lines[:start]), start
            if plain is None:
                raise CorpusError(_unparsed(path, number, error)) from error
            rows.append(plain)
            start += 1
            if end > start:
                before = start
                reader = csv.reader(lines[start:], delimiter=shape.delimiter, strict=True)


def _plain(first: int, lines: Sequence[str], shape: Shape, error: csv.Error) -> Row | None:
    """Return the first of some lines that do not parse, if without quoting it is a row."""
    rows = list(shape.unquoted(first, lines)) if shape.delimiter == TAB else []
    if not shape.fits(rows[:1]):
        return None
    # With an open quote in the last line, the file may just as well be truncated.
    if UNCLOSED in str(error) and (len(rows) < 2 or not shape.fits(rows)):
        return None
    return rows[0] if rows else None


def _unparsed(path: Location, line: int, error: csv.Error) -> str:
    unclosed = UNCLOSED in str(error)
    rule = "a quote that opens in it never closes" if unclosed else str(error)
    return (
        f"{path}:{line}: the row does not parse: {rule}; "
        'quote the whole field and write a quote inside it as ""'
    )


def _separate(path: Location, chunks: Iterator[Chunk], shape: Shape) -> Iterator[list[Row]]:
    """Yield the rows of each chunk, those of a TSV that a stray quote joined as they were.

    Raises:
        CorpusError: a stray quote joined rows of a CSV.
    """
    number = 1
    for chunk in chunks:
        rows, found = chunk.rows, swallowed(chunk, shape)
        if found and shape.delimiter != TAB:
            index = min(found)
            raise CorpusError(
                f"{path}:{rows[index].line}: row {number + index}: a quote that opens here "
                f"joins {len(found[index])} lines that look like rows of their own; put the "
                'field in quotes and write a quote inside it as "" (if one text does hold '
                "these lines, write the file as JSON Lines)"
            )
        if found:
            rows = [part for index, row in enumerate(rows) for part in found.get(index, [row])]
        yield rows
        number += len(rows)


def _checked(path: Location, chunks: Iterator[list[Row]], shape: Shape) -> Iterator[list[Row]]:
    """Yield the same rows. Raises a CorpusError if one has the wrong number of fields."""
    number = 1
    for rows in chunks:
        widths = {len(row.fields) for row in rows}
        if widths and not shape.min_fields <= min(widths) <= max(widths) <= shape.fields:
            index, row = next(
                (index, row) for index, row in enumerate(rows) if not shape.fits([row])
            )
            raise CorpusError(
                f"{path}:{row.line}: row {number + index}: wrong number of fields: "
                f"{len(row.fields)} for {shape.fields} columns; quote a field that holds the "
                "separator or a line break"
            )
        yield rows
        number += len(rows)
