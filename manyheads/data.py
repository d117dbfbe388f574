"""Texts and labels from Python: data frames, lists and arrays, as files that runs name.

A run must be repeatable, so what was in memory is kept: once per content, in ``RUNS/data``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.corpus.columns import Columns
from features.corpus.source import HubName, Source, parse_source
from features.errors import ArrayError, CorpusError
from features.messages import clipped, listed
from features.outputs.output import appearing
from features.storage.files import make_folder
from features.storage.remote import RemotePath

FOLDER = "data"
"""Name of the folder in that of the runs."""

Cells = Mapping[str, Sequence[Any]]
"""Columns by name."""


def is_frame(data: object) -> bool:
    """Return whether an object is a data frame, of whatever library."""
    return hasattr(data, "columns") and hasattr(data, "__getitem__")


def is_source(data: object) -> bool:
    """Return whether an object names a file, a folder or a data set."""
    return isinstance(data, (str, Path, RemotePath, HubName))


def texts_of(data: Any, column: str = Columns.text) -> list[str]:
    """Return the texts of a list, an array, a series, or a column of a data frame.

    Raises:
        ArrayError: one text in place of many, or a value that is no text.
        CorpusError: the data frame has no such column.
    """
    if isinstance(data, str):
        raise ArrayError(f"give a list of texts, not one text: [{clipped(data)}]")
    if is_frame(data):
        if column not in list(data.columns):
            raise CorpusError(
                f"the data frame has no column {column!r}; its columns are "
                f"{listed(map(clipped, data.columns))}; pass one of them, such as "
                "run.predict(frame[...])"
            )
        data = data[column]
    texts = list(data)
    for row, text in enumerate(texts, 1):
        if not isinstance(text, str) or not text.strip():
            raise ArrayError(
                f"text {row:,} of {len(texts):,} is {clipped(text)}; a text is a string that "
                "is not empty: leave it out, or fill it"
            )
    return texts


def columns_of(data: Any, labels: Any, wanted: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return the columns of a data frame, or of texts and their labels.

    Args:
        data: a data frame, or N texts.
        labels: N labels of texts; None for a data frame.
        wanted: columns that are enough, where the data frame has the first two.

    Raises:
        ArrayError: labels lack, are too many, or stand beside a data frame.
    """
    if is_frame(data):
        if labels is not None:
            raise ArrayError(
                "the labels of a data frame stand in a column: name it with label_column=..."
            )
        names = [str(name) for name in data.columns]
        few = [name for name in wanted if name in names]
        chosen = few if [*wanted[:2]] == few[:2] else names
        return {str(name): list(data[name]) for name in data.columns if str(name) in chosen}
    if labels is None:
        raise ArrayError("texts need labels: train(texts, labels), or a data frame or a file")
    texts = [data] if isinstance(data, str) else list(data)
    found = list(labels)
    if len(texts) != len(found):
        raise ArrayError(f"{len(texts):,} texts, but {len(found):,} labels: give one per text")
    return {Columns.text: texts, str(Columns.label): found}


def kept_file(columns: Cells, kind: str, runs: Path) -> tuple[Path, bool]:
    """Return a Parquet file of columns, and whether it was written now.

    Args:
        columns: N cells each.
        kind: how its name begins.
        runs: the folder of runs.

    Raises:
        OutputError: it cannot be written.
    """
    import pyarrow.parquet as pq

    table = pa.table({name: _array(cells) for name, cells in columns.items()})
    digest = hashlib.blake2b(digest_size=6)
    for name in table.column_names:
        cells = table.column(name).to_pylist()
        digest.update(json.dumps([name, cells], default=str).encode())
    path = runs / FOLDER / f"{kind}-{digest.hexdigest()}.parquet"
    if path.exists():
        return path, False
    make_folder(path.parent)
    with appearing(path, "runs") as temporary:
        pq.write_table(table, temporary)
    return path, True


def _array(cells: Sequence[Any]) -> pa.Array:
    """Return cells as an Arrow array: None and NaN as missing, whole floats as integers."""
    values = [None if _is_missing(cell) else cell for cell in cells]
    if all(
        isinstance(each, float) and each.is_integer() for each in values if each is not None
    ):
        values = [None if each is None else int(each) for each in values]
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, UnicodeEncodeError):  # of several types, or of none
        return pa.array([None if cell is None else str(cell) for cell in values])


def _is_missing(cell: Any) -> bool:
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or type(cell).__name__ in ("NAType", "NaTType")


def as_source(data: Any, labels: Any, wanted: Sequence[str], runs: Path) -> tuple[Source, bool]:
    """Return a file of the data, and whether it was written for that."""
    if is_source(data):
        if labels is not None:
            raise ArrayError(
                "the labels of a file stand in a column: name it with label_column=..."
            )
        return parse_source(data), False
    kind = "frame" if is_frame(data) else "texts"
    return kept_file(columns_of(data, labels, wanted), kind, runs)
