"""A corpus: labelled texts, read from a data file and checked row by row.

    path -> row_batches (formats) -> corpus_batches (texts, labels, splits) -> read_corpus
                                                                            -> CorpusTexts

In messages and in ``Corpus.rows``, data rows are numbered from 1; the header is not counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TypeVar

from features.corpus.columns import Columns, open_rows
from features.corpus.recognition.dialect import RECOGNISED, Dialect, Reading, unsaid
from features.corpus.rows import RowBatch
from features.corpus.source import HubName, Source, parse_source
from features.errors import CorpusError
from features.messages import clipped, listed

Cell = TypeVar("Cell")


@dataclass(frozen=True)
class CorpusBatch:
    """Consecutive rows of a file without the skipped ones; the fields are those of Corpus."""

    texts: list[str]
    labels: list[str] | None
    splits: list[str] | None
    rows: list[int]
    skipped: int
    groups: list[str] | None = None
    lines: list[int] | None = None


@dataclass(frozen=True)
class Corpus:
    """Texts with their labels, in file order.

    Attributes:
        texts: N texts; those of a file are not empty.
        labels: N labels as in the file; None if there is no label column.
        splits: N cells of the split column as in the file, "" if empty; None if there is no
            split column.
        path: the file; None for a corpus made in memory.
        rows: N row numbers in the file, from 1, as a ``range`` or a tuple.
        skipped: number of rows left out because their text or label was empty.
        groups: N cells of the group column as in the file; None if there is no group column.
            Rows of one group belong together: one author, one company, one thread. A row
            with an empty cell belongs to no group.
        lines: N lines of the file on which the rows start, from 1; None where it has none.
        columns: the names of the columns read; None for a corpus made in memory.
        dialect: how the file is written, where that is not usual and was given or recognised.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    splits: tuple[str, ...] | None = None
    path: Source | None = None
    rows: Sequence[int] = ()
    skipped: int = 0
    groups: tuple[str, ...] | None = None
    lines: Sequence[int] | None = field(default=None, compare=False)
    columns: Columns | None = field(default=None, compare=False)
    dialect: Dialect = field(default=RECOGNISED, compare=False)

    def __post_init__(self) -> None:
        if len(self.rows) == 0:
            object.__setattr__(self, "rows", range(1, len(self.texts) + 1))
        for name in ("labels", "splits", "rows", "groups", "lines"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.texts):
                raise ValueError(f"{len(self.texts)} texts, but {len(values)} {name}")

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Corpus:
        """Return a corpus of the texts at ``rows``, in that order, with their row numbers."""

        def selected(values: Sequence[str] | None) -> tuple[str, ...] | None:
            return None if values is None else tuple(values[row] for row in rows)

        return replace(
            self,
            texts=tuple(self.texts[row] for row in rows),
            labels=selected(self.labels),
            splits=selected(self.splits),
            rows=tuple(self.rows[row] for row in rows),
            groups=selected(self.groups),
            lines=None if self.lines is None else tuple(self.lines[row] for row in rows),
        )

    @property
    def name(self) -> str:
        """The file's name for messages, without its folder."""
        return self.path.name if self.path else "texts in memory"

    @cached_property
    def digest(self) -> str:
        """Hex digest of texts, labels and splits in order; path and rows do not count."""
        digest = hashlib.blake2b(digest_size=16)
        for values in (self.texts, self.labels, self.splits):
            # The lengths too: the joined bytes alone do not say where a text ends.
            encoded = [value.encode() for value in values or ()]
            lengths = "none" if values is None else ",".join(str(len(b)) for b in encoded)
            digest.update(f"{lengths};".encode())
            digest.update(b"".join(encoded))
        return digest.hexdigest()


def read_corpus(
    path: str | Source,
    columns: Columns = Columns(),
    labels: bool = True,
    skip_empty: bool = False,
    dialect: Dialect = RECOGNISED,
    note: Callable[[str], None] = unsaid,
) -> Corpus:
    """Read a labelled corpus from CSV, TSV, JSON Lines, JSON, Parquet or Excel, also packed.

    Args:
        path: the file, local or on object storage (``s3://...``). Its suffix decides the
            format; ``~`` is the home folder; ``hub:owner/name`` is a data set of the hub.
        columns: names of the columns.
        labels: whether labels are required. If not, the label column may be missing (then
            ``Corpus.labels`` is None), cells may be empty, and one class is enough.
        skip_empty: leave out rows with an empty text or label instead of refusing them.
        dialect: how a text file is written; what it does not say is recognised.
        note: is called with each line for people: what was recognised, and which columns were
            guessed.

    Returns:
        The corpus, all of it in memory.

    Raises:
        CorpusError: anything wrong with the file. The message is one line that says the
            rule, the value, the place in the file and the remedy.
        SettingError: labels are required and ``columns.label`` is None, or the path is not
            one that can be read.
    """
    path = _expanded(path)
    reading = Reading(dialect, note)
    columns, rows = open_rows(path, columns, labels, 4096, reading)
    batches = list(_batches(path, columns, labels, skip_empty, rows))
    texts = tuple(text for batch in batches for text in batch.texts)
    skipped = sum(batch.skipped for batch in batches)
    found = _joined([batch.labels for batch in batches])
    if labels and found and len(set(found)) == 1:
        raise CorpusError(
            f"{path}: one class only: all {len(found)} labels are {clipped(found[0])}; "
            "a classifier needs two or more, or another column with --label-column"
        )
    return Corpus(
        texts=texts,
        labels=found,
        splits=_joined([batch.splits for batch in batches]),
        path=path,
        rows=tuple(row for batch in batches for row in batch.rows) if skipped else (),
        skipped=skipped,
        groups=_joined([batch.groups for batch in batches]),
        lines=_lines([batch.lines for batch in batches]),
        columns=columns,
        dialect=reading.dialect,
    )


def _lines(parts: Sequence[list[int] | None]) -> Sequence[int] | None:
    """Return the lines of all rows, as a range where they follow each other."""
    if any(part is None for part in parts):
        return None
    lines = [line for part in parts for line in part or ()]
    rising = range(lines[0], lines[0] + len(lines))
    return rising if lines == list(rising) else tuple(lines)


def corpus_batches(
    path: str | Source,
    columns: Columns = Columns(),
    labels: bool = True,
    skip_empty: bool = False,
    size: int = 4096,
    dialect: Dialect = RECOGNISED,
    note: Callable[[str], None] = unsaid,
) -> Iterator[CorpusBatch]:
    """Stream a corpus that need not fit in memory; arguments as in ``read_corpus``.

    Empty cells are reported together, after the last batch, and so is a file without any
    text. The number of classes is not checked.

    Args:
        size: maximum number of rows per batch.

    Yields:
        The batches in file order.
    """
    path = _expanded(path)
    columns, rows = open_rows(path, columns, labels, size, Reading(dialect, note))
    yield from _batches(path, columns, labels, skip_empty, rows)


def _batches(
    path: Source, columns: Columns, labels: bool, skip_empty: bool, rows: Iterator[RowBatch]
) -> Iterator[CorpusBatch]:
    """Yield the checked rows of a source."""
    empty = _Empty(path)
    names: set[str] | None = None
    text_count = row_count = 0
    for batch in rows:
        names = set(batch.cells) if names is None else names
        _refuse_late(path, batch, names)
        read = {name: _column(path, batch, name, columns) for name in names}
        texts = read[columns.text]
        found = read.get(columns.label or "")
        splits = read.get(columns.split or "")
        groups = read.get(columns.group or "")
        bad = empty.rows_without(columns.text, "text", texts, batch)
        if labels and found is not None:
            bad |= empty.rows_without(columns.label or "", "label", found, batch)
        text_count += batch.size - len(bad)
        row_count += batch.size
        yield CorpusBatch(
            texts=_without(bad, texts),
            labels=None if found is None else _without(bad, found),
            splits=None if splits is None else _without(bad, splits),
            rows=_without(bad, range(batch.first, batch.first + batch.size)),
            skipped=len(bad),
            groups=None if groups is None else _without(bad, groups),
            lines=None if batch.lines is None else _without(bad, batch.lines),
        )
    if not skip_empty:
        empty.refuse()
    if not text_count:
        raise CorpusError(
            f"{path}: all {row_count} rows have an empty text or label; fill them"
        )


@dataclass(frozen=True)
class CorpusTexts:
    """The texts of a data file, read again in every iteration, a few thousand rows at a time.

    Attributes:
        path: the file.
        column: name of the text column.
        skip_empty: leave out rows with an empty text instead of refusing the file.
        dialect: how a text file is written; what it does not say is recognised.
        note: is called with each line for people, once.
    """

    path: Source
    column: str = Columns.text
    skip_empty: bool = False
    dialect: Dialect = RECOGNISED
    note: Callable[[str], None] = field(default=unsaid, compare=False)
    _said: set[str] = field(default_factory=set, compare=False, repr=False)

    def __iter__(self) -> Iterator[str]:
        """Yield the texts in file order. Raises ``CorpusError`` like ``read_corpus``."""
        columns = Columns(self.column, label=None, split=None)
        batches = corpus_batches(
            self.path,
            columns,
            labels=False,
            skip_empty=self.skip_empty,
            dialect=self.dialect,
            note=self._say,
        )
        return chain.from_iterable(batch.texts for batch in batches)

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self.note(line)


def _expanded(path: str | Source) -> Source:
    found = parse_source(path)
    if isinstance(found, HubName):
        return found
    try:
        return found.expanduser()
    except RuntimeError:  # ~name without such a user: a literal file name
        return found


def _refuse_late(path: Source, batch: RowBatch, names: set[str]) -> None:
    """Raise a CorpusError if a column of JSON Lines is missing from the first batch of rows."""
    late = sorted(set(batch.cells) - names)
    if late:
        index = next(i for i, value in enumerate(batch.cells[late[0]]) if value is not None)
        raise CorpusError(
            f"{batch.where(path, index)} is among the first with {late[0]!r}; "
            "write it in every row or in none"
        )


def _column(path: Source, batch: RowBatch, name: str, columns: Columns) -> list[str]:
    """Return the cells of one column as strings, "" for a missing one.

    A text must be a string. A label or split may also be a whole number or a truth value, and
    a group any number: a column of whole numbers is stored as floats if one is missing.
    """
    values = batch.cells.get(name)
    if values is None:
        return [""] * batch.size
    if set(map(type, values)) == {str}:  # as in every CSV: nothing to check or convert
        return values
    numbers = (int, float) if name == columns.group else (int,)
    kinds = (str,) if name == columns.text else (str, *numbers)
    cells = ["" if value is None or value != value else value for value in values]
    for index, value in enumerate(cells):
        if not isinstance(value, kinds):
            text = name == columns.text
            allowed = "a string" if text else "a string, a whole number or true or false"
            raise CorpusError(
                f"{batch.where(path, index)}: {name!r} is {clipped(value)}, "
                f"of type {type(value).__name__}; it must be {allowed}"
            )
    return [_written(value) for value in cells]


def _written(value: str | int | float) -> str:
    """Return a cell as a string; a float without a fraction as a whole number."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _without(bad: set[int], cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells whose index is not among ``bad``."""
    return [cell for i, cell in enumerate(cells) if i not in bad] if bad else list(cells)


class _Empty:
    """The rows with an empty text or label, collected for one message."""

    def __init__(self, path: Source) -> None:
        self.path = path
        self.numbers: dict[tuple[str, str], list[str]] = {}

    def rows_without(
        self, column: str, role: str, cells: Sequence[str], batch: RowBatch
    ) -> set[int]:
        """Return the indices of the cells that are empty or blank, and note the rows."""
        bad = {index for index, cell in enumerate(cells) if not cell or cell.isspace()}
        if bad:
            numbers = self.numbers.setdefault((role, column), [])
            numbers.extend(batch.number(index) for index in sorted(bad))
        return bad

    def refuse(self) -> None:
        """Raise a CorpusError if there are any such rows."""
        if self.numbers:
            found = "; ".join(
                f"empty {role} (column {column!r}) in {len(numbers)} "
                f"{'row' if len(numbers) == 1 else 'rows'}: {listed(numbers)}"
                for (role, column), numbers in self.numbers.items()
            )
            raise CorpusError(
                f"{self.path}: {found}; data rows count from 1; "
                "fill them or leave them out with --skip-empty"
            )


def _joined(parts: Sequence[list[str] | None]) -> tuple[str, ...] | None:
    """Return one column joined from its batches; None if the file has no such column."""
    present = [part for part in parts if part is not None]
    return tuple(cell for part in present for cell in part) if present else None
