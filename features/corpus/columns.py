"""The columns of a corpus: their names as given, or guessed by what they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

from features.corpus.reader import row_batches
from features.corpus.recognition.dialect import Reading
from features.corpus.recognition.roles import find_roles, shown_columns
from features.corpus.rows import ColumnRequest, MissingColumnError, RowBatch
from features.corpus.source import Source
from features.errors import SettingError
from features.messages import listed, meant
from features.options import option

DEFAULT_SPLIT = "split"

SPLITS = "Splits"
"""Title of the options that decide who trains, validates and tests."""

SAMPLE_ROWS = 1000
"""Rows by which columns are guessed."""


@dataclass(frozen=True)
class Columns:
    """The names of the columns to read.

    Attributes:
        text: the texts. Where a file has no column of the default name, the only one that
            looks like texts is taken.
        label: the labels, likewise; None: do not read any.
        split: the split column; None: do not read it. With the default name the column may
            be missing from the file, with any other name it must exist.
        group: the group column; None: do not read any.

    Raises:
        SettingError: two columns have the same name, or a name is empty.
    """

    text: str = option(
        "text",
        "read the texts from this column",
        name="text_column",
        metavar="NAME",
        otherwise="text, or the only one that looks like texts",
    )
    label: str | None = option(
        "label",
        "read the labels from this column",
        name="label_column",
        metavar="NAME",
        otherwise="label, or the only one that looks like labels",
    )
    split: str | None = option(
        DEFAULT_SPLIT,
        "take from this column, if there is one, whether a row is train, validation or test; "
        "none leaves it unread",
        name="split_column",
        metavar="NAME",
        none=True,
        group=SPLITS,
    )
    group: str | None = option(
        None,
        "keep rows with equal values in this column on one side, such as one author's",
        name="group_column",
        metavar="NAME",
        group=SPLITS,
    )

    def __post_init__(self) -> None:
        names = [getattr(self, role.name) for role in fields(self)]
        chosen = [name for name in names if name is not None]
        if len(set(chosen)) < len(chosen) or "" in chosen:
            raise SettingError(
                f"a column is named twice, or by nothing: {listed(map(repr, chosen))}; "
                "choose different ones with --text-column, --label-column, --split-column, "
                "--group-column"
            )


def open_rows(
    path: Source, columns: Columns, labels: bool, size: int, reading: Reading
) -> tuple[Columns, Iterator[RowBatch]]:
    """Return the columns to read, with those that had to be guessed, and the rows."""
    rows = row_batches(path, _requests(columns, labels), size, reading=reading)
    try:
        first = next(rows)
    except MissingColumnError as error:
        columns = _guessed(path, columns, labels, reading, error)
        return columns, row_batches(path, _requests(columns, labels), size, reading=reading)
    return columns, chain([first], rows)


def _guessed(
    path: Source,
    columns: Columns,
    labels: bool,
    reading: Reading,
    missing: MissingColumnError,
) -> Columns:
    """Return the columns with a guess for those that have default names and are missing.

    Raises:
        MissingColumnError: a missing column has another name, or no guess is sure; the message
            shows the columns with one of their cells each.
    """
    batch = next(row_batches(path, (), SAMPLE_ROWS, whole=True, reading=reading))
    counts = Counter(name for name, _ in batch.whole)
    cells = {
        name: _plain(values)
        for name, values in batch.whole
        if name.strip() and counts[name] == 1
    }
    usual, lacking = Columns(), missing.column
    needed = [("text", columns.text)] + ([("label", columns.label or "")] if labels else [])
    guessed = {role: name for role, name in needed if name not in cells}
    taken = {name for name in (columns.split, columns.group) if name}
    taken |= {name for _, name in needed if name in cells}
    found = find_roles(cells, taken)
    sure = {"text": found.texts, "label": found.labels}
    sensible = all(
        name == getattr(usual, role) and len(sure[role]) == 1 for role, name in guessed.items()
    )
    if not guessed or not sensible or set(found.texts) & set(found.labels):
        options = [f"--{role}-column" for role in guessed] or [lacking.option]
        raise MissingColumnError(
            f"{path}: no column {lacking.name!r}{meant(lacking.name, cells)}; the columns are "
            f"{shown_columns(cells)}; "
            f"choose one with {options[0]}"
            + (f", and one with {options[1]}" if options[1:] else ""),
            lacking,
        ) from missing
    reading.say(
        f"{path}: "
        + " and ".join(f"{role}s from column {sure[role][0]!r}" for role in guessed)
        + f" ({' and '.join(f'--{role}-column' for role in guessed)} "
        + f"{'overrules' if len(guessed) == 1 else 'overrule'} that)"
    )
    return replace(columns, **{role: sure[role][0] for role in guessed})


def _plain(values: Sequence[Any]) -> list[object]:
    """Return the values of a column, those of an Arrow array as Python's."""
    return list(values.to_pylist() if hasattr(values, "to_pylist") else values)


def _requests(columns: Columns, labels: bool) -> list[ColumnRequest]:
    """Return the columns to read, with the options that messages name if one is missing."""
    if labels and columns.label is None:
        raise SettingError("labels are needed, but no column is named for them: --label-column")
    requests = [ColumnRequest(columns.text, "--text-column")]
    if columns.label is not None:
        requests.append(ColumnRequest(columns.label, "--label-column", required=labels))
    if columns.split is not None:
        named = columns.split != DEFAULT_SPLIT
        requests.append(ColumnRequest(columns.split, "--split-column", required=named))
    if columns.group is not None:
        requests.append(ColumnRequest(columns.group, "--group-column"))
    return requests
