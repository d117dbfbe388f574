"""Choice of the reader for a data source.

CSV, TSV -> delimited    JSON Lines, JSON -> json_lines    Parquet, a folder of it -> parquet
Excel -> excel           hub:NAME, a folder that the library datasets saved -> hub

Each file may be packed with gzip, or alone in a zip archive.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from features.corpus.formats.delimited import delimited
from features.corpus.formats.excel import excel
from features.corpus.formats.json_lines import json_lines
from features.corpus.formats.parquet import parquet, parquet_parts, parts_of
from features.corpus.recognition.dialect import TAB, Reading
from features.corpus.rows import ColumnRequest, RowBatch
from features.corpus.source import HubName, Source
from features.corpus.streams import check_file, kind_of, late_encoding, readable
from features.errors import CorpusError, SettingError
from features.storage.location import Location

EXCEL = ".xlsx"

SAVED = ("dataset_dict.json", "state.json")
"""Names of files by which a folder written by ``datasets``' ``save_to_disk`` is recognised."""


def row_batches(
    path: Source,
    wanted: Sequence[ColumnRequest],
    size: int = 4096,
    whole: bool = False,
    reading: Reading | None = None,
) -> Iterator[RowBatch]:
    """Yield the rows of ``path``, at most ``size`` at a time, with the wanted columns it has.

    Only a few thousand rows are in memory at a time; a packed Parquet or Excel file is unpacked
    to a temporary file. A text file is read once, but for its beginning: only one whose first
    characters beyond ASCII come late and are not UTF-8 is read again from its start.

    Args:
        path: the file, folder or data set.
        wanted: columns to check and to give as cells.
        size: maximum number of rows per batch.
        whole: give every other column too, as it stands; see ``RowBatch.whole``.
        reading: how the file is written, where it is known; what is recognised is noted in
            it.

    Raises:
        SettingError: a sheet of a file that is no Excel file.
        CorpusError: there is no such file, a folder holds something else, the suffix is
            unknown, the file is empty or cannot be read or decoded, a column is missing or
            repeated, or a row is bad.
    """
    rows = 0
    for batch in _opened(path, wanted, size, whole, reading or Reading()):
        rows += batch.size
        yield batch
    if not rows:
        raise CorpusError(f"{path}: a header but no data rows; add rows or name another file")


def _opened(
    path: Source,
    wanted: Sequence[ColumnRequest],
    size: int,
    whole: bool,
    reading: Reading,
) -> Iterator[RowBatch]:
    if isinstance(path, HubName):
        _refuse_sheet(path, reading)
        yield from _of_hub(path, wanted, size, whole)
        return
    with readable(path):
        folder = path.is_dir()
        if folder and isinstance(path, Path) and any((path / name).is_file() for name in SAVED):
            _refuse_sheet(path, reading)
            yield from _of_hub(HubName(str(path)), wanted, size, whole)
        elif folder and (parts := parts_of(path)):
            _refuse_sheet(path, reading)
            yield from parquet_parts(parts, wanted, size, whole)
        else:
            check_file(path)
            kind = kind_of(path)
            reader = READERS[kind]
            if kind != EXCEL:
                _refuse_sheet(path, reading)
            yield from _decoded(
                lambda: reader(path, wanted, size, whole, reading), path, reading
            )


def _refuse_sheet(path: Source, reading: Reading) -> None:
    """Refuse a sheet of what is no Excel file. Raises ``SettingError``."""
    sheet = reading.dialect.sheet
    if sheet is not None:
        raise SettingError(
            f"--sheet {sheet!r} is for Excel files, and {path} is none: leave --sheet out"
        )


Reader = Callable[[Location, Sequence[ColumnRequest], int, bool, Reading], Iterator[RowBatch]]


def _decoded(
    read: Callable[[], Iterator[RowBatch]], path: Location, reading: Reading
) -> Iterator[RowBatch]:
    """Yield the rows of a file; from its start again where it turns out, late, not to be UTF-8.

    All rows that came before were ASCII, which other encodings share.
    """
    sent = 0
    try:
        for batch in read():
            yield batch
            sent += 1
        return
    except UnicodeDecodeError:
        late = late_encoding(path) if reading.dialect.encoding is None else ""
        if not late:
            raise
    reading.encode_late(path, late)
    yield from islice(read(), sent, None)


def _of_hub(
    name: HubName, wanted: Sequence[ColumnRequest], size: int, whole: bool
) -> Iterator[RowBatch]:
    # The library of the hub is slow to import, and no file needs it.
    found: Iterator[RowBatch] = importlib.import_module("features.corpus.hub").hub_batches(
        name, wanted, size, whole
    )
    return found


READERS: dict[str, Reader] = {
    ".csv": partial(delimited, usual=","),
    ".tsv": partial(delimited, usual=TAB),
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_lines,
    ".parquet": parquet,
    EXCEL: excel,
}
