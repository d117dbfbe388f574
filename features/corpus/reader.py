"""Choice of the reader for a data source.

CSV, TSV -> delimited    JSON Lines -> json_lines    Parquet, a folder of it -> parquet
hub:NAME, a folder that the library datasets saved -> hub
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from features.corpus.formats.delimited import delimited
from features.corpus.formats.json_lines import json_lines
from features.corpus.formats.parquet import parquet, parquet_parts, parts_of
from features.corpus.rows import ColumnRequest, RowBatch
from features.corpus.source import HubName, Source
from features.corpus.streams import check_file, readable, suffix_of
from features.errors import CorpusError
from features.storage.location import Location

SAVED = ("dataset_dict.json", "state.json")
"""Names of files by which a folder written by ``datasets``' ``save_to_disk`` is recognised."""


def row_batches(
    path: Source, wanted: Sequence[ColumnRequest], size: int = 4096, whole: bool = False
) -> Iterator[RowBatch]:
    """Yield the rows of ``path``, at most ``size`` at a time, with the wanted columns it has.

    Only a few thousand rows are in memory at a time; a gzipped Parquet file is unpacked to a
    temporary file.

    Args:
        path: the file, folder or data set.
        wanted: columns to check and to give as cells.
        size: maximum number of rows per batch.
        whole: give every other column too, as it stands; see ``RowBatch.whole``.

    Raises:
        CorpusError: there is no such file, a folder holds something else, the suffix is
            unknown, the file is empty or cannot be read or decoded, a column is missing or
            repeated, or a row is bad.
    """
    rows = 0
    for batch in _opened(path, wanted, size, whole):
        rows += batch.size
        yield batch
    if not rows:
        raise CorpusError(f"{path}: a header but no data rows; add rows or name another file")


def _opened(
    path: Source, wanted: Sequence[ColumnRequest], size: int, whole: bool
) -> Iterator[RowBatch]:
    if isinstance(path, HubName):
        yield from _of_hub(path, wanted, size, whole)
        return
    with readable(path):
        folder = path.is_dir()
        if folder and isinstance(path, Path) and any((path / name).is_file() for name in SAVED):
            yield from _of_hub(HubName(str(path)), wanted, size, whole)
        elif folder and (parts := parts_of(path)):
            yield from parquet_parts(parts, wanted, size, whole)
        else:
            check_file(path)
            yield from READERS[suffix_of(path)](path, wanted, size, whole)


def _of_hub(
    name: HubName, wanted: Sequence[ColumnRequest], size: int, whole: bool
) -> Iterator[RowBatch]:
    # The library of the hub is slow to import, and no file needs it.
    found: Iterator[RowBatch] = importlib.import_module("features.corpus.hub").hub_batches(
        name, wanted, size, whole
    )
    return found


Reader = Callable[[Location, Sequence[ColumnRequest], int, bool], Iterator[RowBatch]]

READERS: dict[str, Reader] = {
    ".csv": partial(delimited, delimiter=","),
    ".tsv": partial(delimited, delimiter="\t"),
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".parquet": parquet,
}
