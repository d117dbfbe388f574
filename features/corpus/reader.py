"""Choice of the reader for a data source.

CSV, TSV -> delimited    JSON Lines, JSON -> json_lines    Parquet, a folder of it -> parquet
Excel -> excel           hub:NAME, a folder that the library datasets saved -> hub

Each file may be packed with gzip, or alone in a zip archive.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from features.corpus.dialect import TAB, Reading
from features.corpus.formats.delimited import delimited
from features.corpus.formats.excel import excel
from features.corpus.formats.json_lines import json_lines
from features.corpus.formats.parquet import parquet, parquet_parts, parts_of
from features.corpus.rows import RowBatch, Wanted
from features.corpus.source import HubName, Source
from features.corpus.streams import check_file, kind_of, late_encoding, readable
from features.errors import CorpusError
from features.storage.location import Location

SAVED = ("dataset_dict.json", "state.json")
"""Names of files by which a folder written by ``datasets``' ``save_to_disk`` is recognised."""


def row_batches(
    path: Source, wanted: Wanted, size: int = 4096, reading: Reading | None = None
) -> Iterator[RowBatch]:
    """Yield the rows of ``path``, at most ``size`` at a time, with the wanted columns it has.

    Only a few thousand rows are in memory at a time; a packed Parquet or Excel file is unpacked
    to a temporary file. A text file is read once, but for its beginning: only one whose first
    characters beyond ASCII come late and are not UTF-8 is read again from its start.

    Args:
        path: the source.
        wanted: the columns; None: every one with a name of its own, whatever it holds.
        size: maximum number of rows per batch.
        reading: how text files are written, where it is known; what is recognised is noted in
            it.

    Raises:
        CorpusError: there is no such file, a folder holds something else, the suffix is
            unknown, the file is empty or cannot be read or decoded, a column is missing or
            repeated, or a row is bad.
    """
    rows = 0
    for batch in _opened(path, wanted, size, reading or Reading()):
        rows += batch.size
        yield batch
    if not rows:
        raise CorpusError(f"{path}: a header but no data rows; add rows or name another file")


def _opened(path: Source, wanted: Wanted, size: int, reading: Reading) -> Iterator[RowBatch]:
    if isinstance(path, HubName):
        yield from _of_hub(path, wanted, size)
        return
    with readable(path):
        folder = path.is_dir()
        if folder and isinstance(path, Path) and any((path / name).is_file() for name in SAVED):
            yield from _of_hub(HubName(str(path)), wanted, size)
        elif folder and (parts := parts_of(path)):
            yield from parquet_parts(parts, wanted, size)
        else:
            check_file(path)
            yield from _decoded(READERS[kind_of(path)], path, wanted, size, reading)


Reader = Callable[[Location, Wanted, int, Reading], Iterator[RowBatch]]


def _decoded(
    reader: Reader, path: Location, wanted: Wanted, size: int, reading: Reading
) -> Iterator[RowBatch]:
    """Yield the rows of a file; from its start again where it turns out, late, not to be UTF-8.

    All rows that came before were ASCII, which other encodings share.
    """
    sent = 0
    try:
        for batch in reader(path, wanted, size, reading):
            yield batch
            sent += 1
        return
    except UnicodeDecodeError:
        late = late_encoding(path) if reading.dialect.encoding is None else ""
        if not late:
            raise
    reading.encode_late(path, late)
    yield from islice(reader(path, wanted, size, reading), sent, None)


def _of_hub(name: HubName, wanted: Wanted, size: int) -> Iterator[RowBatch]:
    # The library of the hub is slow to import, and no file needs it.
    found: Iterator[RowBatch] = importlib.import_module("features.corpus.hub").hub_batches(
        name, wanted, size
    )
    return found


READERS: dict[str, Reader] = {
    ".csv": partial(delimited, usual=","),
    ".tsv": partial(delimited, usual=TAB),
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_lines,
    ".parquet": parquet,
    ".xlsx": excel,
}
