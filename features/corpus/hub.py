"""Rows of a data set of the Hugging Face hub, or of a folder that ``datasets`` can read.

Only this module imports ``datasets``, which the extra ``manyheads[hub]`` installs. The splits
of a data set become the split column, and class numbers become class names.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.corpus.formats.parquet import arrow_cells, check_arrow_type, sound
from features.corpus.reader import SAVED
from features.corpus.rows import ColumnRequest, RowBatch, WholeColumn, check_columns
from features.corpus.source import HubName
from features.encoders.description.hub import offline
from features.errors import CorpusError
from features.messages import listed
from features.splits.names import OFFICIAL

SPLIT_OPTION = "--split-column"


def hub_batches(
    name: HubName, wanted: Sequence[ColumnRequest], size: int, whole: bool = False
) -> Iterator[RowBatch]:
    """Yield the rows of the training, validation and test splits, one split after another.

    If the data set has several of these splits and no split column, the names of the splits
    become the split column. Other splits, such as ``unsupervised``, are left out. The row
    numbers continue from one split to the next.

    Raises:
        CorpusError: ``datasets`` is not installed; there is no such data set, revision,
            configuration or column; the hub cannot be reached; or no split is known.
    """
    splits = _known(name, _load(name))
    columns = next(iter(splits.values())).column_names
    role = next((one.name for one in wanted if one.option == SPLIT_OPTION), None)
    given = role if len(splits) > 1 and role not in columns else None
    check_columns(str(name), [*columns, *([given] if given else [])], wanted)
    read = [one.name for one in wanted if one.name in columns]
    first = 1
    for split, rows in splits.items():
        names = {column: getattr(rows.features[column], "names", None) for column in read}
        for column in read:
            check_arrow_type(name, column, rows.features.arrow_schema.field(column).type)
        chosen = rows if whole else rows.select_columns(read)
        for table in _tables(name, chosen.with_format("arrow"), size):
            cells = {column: arrow_cells(name, column, table[column], first) for column in read}
            for column, known in names.items():
                if known is not None:
                    cells[column] = _named(name, column, cells[column], known, first)
            if given:
                cells[given] = [split] * table.num_rows
            every: list[WholeColumn] = []
            if whole:
                for column in columns:
                    known = getattr(rows.features[column], "names", None)
                    values = cells[column] if column in cells else table[column]
                    if known is not None and column not in cells:
                        values = _named(name, column, table[column].to_pylist(), known, first)
                    every.append((column, values))
                every += [(given, cells[given])] if given else []
            yield RowBatch(first, None, cells, table.num_rows, every)
            first += table.num_rows


def _tables(name: HubName, rows: Any, size: int) -> Iterator[pa.Table]:
    """Yield the rows as Arrow tables, after checking the bytes of the memory-mapped files."""
    with sound(name, "damaged data"):
        for table in rows.iter(batch_size=size):
            table.validate(full=True)
            yield table


def _named(
    name: HubName, column: str, values: Sequence[int | None], names: Sequence[str], first: int
) -> list[str | None]:
    """Return the names of class numbers; None for -1, which means no label."""
    for row, value in enumerate(values, first):
        if value is not None and value >= len(names):
            raise CorpusError(
                f"{name}: row {row}: {column!r} is class {value}, but the data set names "
                f"{len(names)} classes; write or download it again"
            )
    return [None if value is None or value < 0 else names[value] for value in values]


def _known(name: HubName, splits: Mapping[str, Any]) -> dict[str, Any]:
    known = {split: rows for split, rows in splits.items() if split.lower() in OFFICIAL}
    if known or len(splits) == 1:
        return known or dict(splits)
    raise CorpusError(
        f"{name}: no split to train or test on among {listed(splits)}; download it, and write "
        "the rows that you want to a file"
    )


def _load(name: HubName) -> Mapping[str, Any]:
    """Return the splits, memory-mapped, by name."""
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise CorpusError(
            f"{name}: data sets of the hub, and what save_to_disk wrote, need the library "
            "datasets, which is not installed; install it with: pip install 'manyheads[hub]'"
        ) from error
    datasets.disable_progress_bars()
    folder = Path(name.repo).expanduser()
    try:
        if any((folder / file).is_file() for file in SAVED):
            loaded = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset(
                str(folder) if folder.is_dir() else name.repo,
                name.config or None,
                revision=name.revision or None,
            )
    # What it raises over damaged or odd data is of any type: KeyError, TypeError, its own.
    except Exception as error:
        raise CorpusError(_unloadable(name, error)) from error
    return loaded if isinstance(loaded, Mapping) else {"train": loaded}


def _unloadable(name: HubName, error: Exception) -> str:
    if isinstance(error, ConnectionError):
        reason = f"{forbids} is set" if (forbids := offline()) else type(error).__name__
        return (
            f"{name}: not in the hub's cache here, and the hub cannot be reached ({reason}); "
            "load it once where there is a network, or give --data a file"
        )
    reason = " ".join(str(error).split()) or type(error).__name__
    return (
        f"{name}: cannot be loaded: {reason}; the form is hub:OWNER/NAME, "
        "hub:OWNER/NAME@REVISION, hub:OWNER/NAME#CONFIGURATION, or hub:FOLDER"
    )
