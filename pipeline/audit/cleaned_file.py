"""``--write-clean``: every row and column of a corpus, with the remedies and what was done.

file --every row, in batches--> FILE: rows that stay
                                FILE's .dropped sibling: the others
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.corpus.corpus import Corpus
from features.corpus.source import Source
from features.corpus.whole import WholeTable, values_of
from features.errors import SettingError
from features.messages import listed
from features.outputs.output import check_output
from pipeline import spreadsheet
from pipeline.audit.cleaning import Cleaning
from pipeline.console import print_note
from pipeline.row_files import DELIMITERS, SUFFIXES, cells_as_text, open_rows

AUDIT, ROW = "audit", "row"
"""Columns that are added: what was done, and the data row it was in the file read."""

LEFT_OUT = "dropped: the text or label is empty"
OPTION = "--write-clean"


def check_targets(page: Path | None, path: Path | None, reads: Sequence[Source | str]) -> None:
    """Refuse outputs that cannot be written, are read or are the same, before any work.

    Args:
        page, path: of ``--page`` and ``--write-clean``; None where they are not wanted.
        reads: what the command reads: the data, the cache, the encoder.

    Raises:
        SettingError: an unknown format, one file for both, or a place that will not do.
        OutputError: a file that cannot be written.
    """
    if page is not None:
        check_output(page, "--page", reads)
    if path is None:
        return
    if path.suffix not in SUFFIXES:
        raise SettingError(f"{OPTION} must end in one of {listed(SUFFIXES)}; got {str(path)!r}")
    for each in (path, _dropped_path(path)):
        check_output(each, OPTION, reads)
        if page is not None and each.resolve() == page.resolve():
            raise SettingError(f"--page and {OPTION} both write {each}; name another")


def write_clean(
    corpus: Corpus,
    cleaning: Cleaning,
    path: Path,
    formulas: str = spreadsheet.KEEP,
) -> tuple[Path, Path | None]:
    """Write the rows that stay, and beside them those that were dropped, if any.

    Args:
        corpus: what was read of the file; all columns of the file are written.
        cleaning: what is done to each of its rows.
        formulas: what to do in CSV and TSV about cells that a spreadsheet would run; see
            ``spreadsheet.FORMULAS``. Escaped, they are other texts to whoever reads them.

    Returns:
        The two files.

    Raises:
        CorpusError: the file cannot be read any more, or has changed.
        OutputError: a file cannot be written.
    """
    source, dropped = WholeTable.of(corpus), _dropped_path(path)
    added = {_free(ROW, source): pa.int64(), _free(AUDIT, source): pa.string()}
    types = {**source.types, **added}
    escape = formulas == spreadsheet.ESCAPE
    any_dropped = bool(cleaning.drop.any()) or corpus.skipped > 0
    risky = 0
    with ExitStack() as stack:
        kept = stack.enter_context(open_rows(path, OPTION, types, escape, source.dialect))
        rest = None
        if any_dropped:
            rest = stack.enter_context(
                open_rows(dropped, OPTION, types, escape, source.dialect)
            )
        rows = _CleanedRows(corpus, cleaning, source)
        for table, drop in rows:
            kept(_chosen(table, ~drop))
            if rest:
                rest(_chosen(table, drop))
            if path.suffix in DELIMITERS and not escape:
                cells = (cell for column in table for cell in cells_as_text(column))
                risky += sum(map(spreadsheet.is_formula, cells))
    if risky:
        print_note(
            f"note: {risky:,} cells of {path.name} begin as a formula does and stand there as "
            "they are, to train on; --formulas escape makes the file safe for a spreadsheet"
        )
    if not any_dropped:
        dropped.unlink(missing_ok=True)
    return path, dropped if any_dropped else None


class _CleanedRows:
    """The rows of a file in batches, after the remedies.

    Args:
        corpus: N texts of it.
        cleaning: what is done to each.
        source: the file.
    """

    def __init__(self, corpus: Corpus, cleaning: Cleaning, source: WholeTable) -> None:
        self._corpus, self._cleaning, self._source = corpus, cleaning, source
        self._changed = {source.text: (corpus.texts, cleaning.texts)}
        label = corpus.columns.label if corpus.columns else None
        if corpus.labels is not None and label in source.names:
            self._changed[label] = (corpus.labels, cleaning.labels)

    def __iter__(self) -> Iterator[tuple[list[Sequence[Any]], np.ndarray]]:
        """Yield (columns, (n,) bool: which rows are dropped)."""
        first = 1
        for columns, place in self._source.placed(self._corpus.rows, self._corpus.texts):
            places = place.tolist()
            table = [
                self._column(name, cells, places)
                for name, cells in zip(self._source.names, columns, strict=True)
            ]
            done = [LEFT_OUT if i < 0 else self._cleaning.done[i] for i in places]
            drop = np.array([i < 0 or bool(self._cleaning.drop[i]) for i in places], bool)
            rows = [*range(first, first + len(places))]
            first += len(places)
            yield [*table, rows, done], drop

    def _column(self, name: str, cells: Sequence[Any], places: list[int]) -> Sequence[Any]:
        """Return the cells of a column; those that a remedy changed are new."""
        if name not in self._changed:
            return cells
        before, after = self._changed[name]
        values = [*values_of(cells)]
        for row, i in enumerate(places):
            if i >= 0 and before[i] != after[i]:
                values[row] = after[i]
        return values


def _dropped_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.dropped{path.suffix}")


def _free(name: str, source: WholeTable) -> str:
    while name in source.names:
        name = f"{name}_"
    return name


def _chosen(table: Sequence[Sequence[Any]], rows: np.ndarray) -> list[Sequence[Any]]:
    """Return some rows, (n,) bool, of every column."""
    return [
        column.filter(pa.array(rows))
        if isinstance(column, (pa.Array, pa.ChunkedArray))
        else [cell for cell, wanted in zip(column, rows.tolist(), strict=True) if wanted]
        for column in table
    ]
