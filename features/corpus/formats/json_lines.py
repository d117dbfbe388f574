"""JSON as rows: one object per line (jsonlines.org), or an array of objects."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from features.corpus.recognition.dialect import Reading
from features.corpus.rows import (
    ABSENT,
    ColumnRequest,
    RowBatch,
    WholeColumn,
    check_columns,
    check_repeated,
)
from features.corpus.streams import open_lines
from features.errors import CorpusError
from features.messages import clipped
from features.storage.location import Location

ONE_PER_LINE = (
    "write one JSON object per line; in pandas: to_json(..., orient='records', lines=True)"
)
CHUNK_CHARACTERS = 1 << 20
"""Characters of an array read at a time."""

NEAR_END = 16
"""An error so many characters before the end of what was read may be that the rest lacks."""


class Repeating(dict[str, Any]):
    """A JSON object in which a name occurs more than once.

    Attributes:
        names: all names in order, repeats included.
    """

    names: tuple[str, ...] = ()


def json_lines(
    path: Location,
    wanted: Sequence[ColumnRequest],
    size: int,
    whole: bool,
    reading: Reading,
) -> Iterator[RowBatch]:
    """Yield the rows of a JSON Lines file, in which blank lines are skipped, or of an array.

    A column may be missing from some rows, so the first batch decides which columns exist.
    Neither form is in memory whole.
    """
    # Only \n ends a line: JSON allows a single \r between its tokens.
    with open_lines(path, reading, newline="\n") as stream:
        reading.say_dialect(path)
        head = stream.read(CHUNK_CHARACTERS)
        if head.lstrip().startswith("["):
            objects = _elements(path, head, stream, wanted)
        else:
            objects = _objects(path, _lines(head, stream), wanted)
        first = 1
        while batch := list(islice(objects, size)):
            names = {name for _, row in batch for name in row}
            if first == 1:
                check_columns(path, sorted(names), wanted)
            cells = {
                w.name: [row.get(w.name) for _, row in batch] for w in wanted if w.name in names
            }
            every = _whole([row for _, row in batch]) if whole else ()
            yield RowBatch(first, [line for line, _ in batch], cells, len(batch), every)
            first += len(batch)
    if first == 1:
        raise CorpusError(f"{path}: the file is empty; {ONE_PER_LINE}")


def _whole(rows: Sequence[dict[str, Any]]) -> list[WholeColumn]:
    """Return every name of some objects in order, ``ABSENT`` where an object lacks it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [(name, [row.get(name, ABSENT) for row in rows]) for name in names]


def _lines(head: str, stream: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a stream of which the head was read."""
    yield from io.StringIO(head + stream.readline(), newline="\n")
    yield from stream


def _elements(
    path: Location, head: str, stream: io.TextIOWrapper, wanted: Sequence[ColumnRequest]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, object) of every element of an array, with a few of them in memory.

    Args:
        head: what was read of the stream.
    """
    decode = json.JSONDecoder(object_pairs_hook=_object).raw_decode
    text, size = head.lstrip(), CHUNK_CHARACTERS
    line = 1 + head[: len(head) - len(text)].count("\n")
    index, separator = 1, ""
    while True:
        start = index
        while index < len(text) and (text[index].isspace() or text[index] == separator):
            separator = separator if text[index].isspace() else ""
            index += 1
        line += text.count("\n", start, index)
        if text[index : index + 1] == "]":
            return
        where = f"{path}:{line}"
        if separator and index < len(text):
            raise CorpusError(f"{where}: not JSON: Expecting ',' delimiter; {ONE_PER_LINE}")
        try:
            row, end = decode(text, index)
        except json.JSONDecodeError as error:
            cut = error.pos >= len(text) - NEAR_END or "Unterminated" in error.msg
            more = stream.read(size) if cut else ""
            if not more:
                raise CorpusError(
                    f"{where}: not JSON: {error.msg}; write an array of objects, or "
                    f"{ONE_PER_LINE}"
                ) from error
            text, index, size = text[index:] + more, 0, 2 * size
            continue
        except RecursionError as error:
            raise CorpusError(f"{where}: unreadable JSON: {error}; {ONE_PER_LINE}") from error
        _check_row(where, row, text[index:end], wanted)
        yield line, row
        line += text.count("\n", index, end)
        index, separator, size = end, ",", CHUNK_CHARACTERS


def _objects(
    path: Location, lines: Iterator[str], wanted: Sequence[ColumnRequest]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line, object) of every line that is not blank."""
    decode = json.JSONDecoder(object_pairs_hook=_object).decode
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        where = f"{path}:{number}"
        try:
            row = decode(line)
        except json.JSONDecodeError as error:
            fault = f"{error.msg} at column {error.colno}"
            raise CorpusError(f"{where}: not JSON: {fault}; {ONE_PER_LINE}") from error
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{where}: unreadable JSON: {error}; {ONE_PER_LINE}") from error
        _check_row(where, row, line, wanted)
        yield number, row


def _check_row(where: str, row: Any, written: str, wanted: Sequence[ColumnRequest]) -> None:
    """Raise a CorpusError unless a value is an object with texts and numbers in its cells."""
    if not isinstance(row, dict):
        raise CorpusError(f"{where}: not a JSON object: {clipped(row)}; {ONE_PER_LINE}")
    if isinstance(row, Repeating):
        check_repeated(where, row.names, wanted)
    _refuse_objects(where, row, wanted)
    if "\\ud" in written or "\\uD" in written:
        _refuse_surrogates(where, row, wanted)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) == len(pairs):
        return row
    repeating = Repeating(row)
    repeating.names = tuple(name for name, _ in pairs)
    return repeating


def _refuse_objects(where: str, row: dict[str, Any], wanted: Sequence[ColumnRequest]) -> None:
    """Raise a CorpusError if a cell is an object, as in a table written column by column."""
    for column in wanted:
        value = row.get(column.name)
        if isinstance(value, dict):
            raise CorpusError(
                f"{where}: {column.name!r} is an object, {clipped(dict(value))}, not a string; "
                f"{ONE_PER_LINE}"
            )


def _refuse_surrogates(
    where: str, row: dict[str, Any], wanted: Sequence[ColumnRequest]
) -> None:
    """Raise a CorpusError if a cell holds half of a surrogate pair, which is no text."""
    for column in wanted:
        value = row.get(column.name)
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            raise CorpusError(
                f"{where}: a lone surrogate in {column.name!r}: {clipped(value)}; "
                "write the character whole, or drop it"
            )
