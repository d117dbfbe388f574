"""``predict --output``: the rows of a file with what a run says of each.

file --texts--> Predictions --+
file --every row, in batches--+--> every input column, predicted, confidence, ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.corpus.recognition.dialect import RECOGNISED
from features.corpus.source import Source
from features.corpus.whole import WholeTable
from features.errors import SettingError
from features.messages import listed
from features.outputs.output import check_output
from pipeline import spreadsheet
from pipeline.console import print_note
from pipeline.models.blend_folder import COPIED
from pipeline.prediction.explain import strongest
from pipeline.prediction.predictions import SHOWN_WORDS, Predictions, rounded
from pipeline.row_files import SUFFIXES, Types, open_rows
from pipeline.runs.files.explained_word import ExplainedWord
from pipeline.runs.files.training_texts import Neighbor
from pipeline.runs.folder import find_run

TEXT = "text"
"""Name of the column of texts that stood in no file."""

PREDICTED, CONFIDENCE, SET = "predicted", "confidence", "label_set"
UNUSUAL = "unusual"
NEIGHBORS, WORDS = "neighbors", "words"
NEIGHBOR_FIELDS, WORD_FIELDS = ("text", "label", "similarity", "row"), ("word", "weight")


def check_target(path: Path, run: str, runs: Path, reads: Sequence[Source | str]) -> None:
    """Refuse an output that cannot be written or is read, before any work is done.

    Args:
        run, runs: as in ``predict``.
        reads: what else is read: the texts, the cache, encoders.

    Raises:
        SettingError: an unknown suffix, or a place that will not do.
        OutputError: a file that cannot be written.
        CacheError: no such run.
    """
    if path.suffix not in SUFFIXES:
        raise SettingError(f"--output must end in one of {listed(SUFFIXES)}; got {str(path)!r}")
    check_output(path, "--output", reads)
    folder = Path(run) if Path(run).is_dir() else find_run(run, runs)
    check_output(path, "--output", [folder / name for name in COPIED])


def write_labelled(
    predictions: Predictions,
    path: Path,
    source: WholeTable | None = None,
    formulas: str = spreadsheet.ESCAPE,
) -> None:
    """Write every row of a file with its label, confidence and one probability per class.

    A row that was left out has these columns empty. If a column of the file has the name of
    one of them, all of them get the same number behind their names.

    Args:
        source: the file that the texts are of; None: write the texts alone.
        formulas: what to do in CSV and TSV about cells that a spreadsheet would run; see
            ``spreadsheet.FORMULAS``.

    Raises:
        CorpusError: the file cannot be read any more, or has changed.
        OutputError: the file cannot be written.
    """
    nested = path.suffix == ".jsonl"
    read = source.types if source is not None else {TEXT: pa.string()}
    added = _numbered(_added(predictions, nested), set(read))
    escape = formulas == spreadsheet.ESCAPE
    like = source.dialect if source is not None else RECOGNISED
    with open_rows(path, "--output", {**read, **added}, escape, like) as write:
        for columns, chosen in _rows(predictions, source):
            write([*columns, *_cells(predictions, chosen, nested)])


def _rows(
    predictions: Predictions, source: WholeTable | None
) -> Iterator[tuple[list[Sequence[Any]], np.ndarray]]:
    """Yield columns of some rows, and (n,) int64 the prediction of each row, -1 for none."""
    count = len(predictions)
    if source is None:
        yield [predictions.texts], np.arange(count)
        return
    rows = predictions.rows if len(predictions.rows) else range(1, count + 1)
    yield from source.placed(rows, predictions.texts)


def _added(predictions: Predictions, nested: bool) -> Types:
    """Return the columns that are added, with their types."""
    types = {PREDICTED: pa.string(), CONFIDENCE: pa.float64()}
    types |= dict.fromkeys(predictions.probability_columns, pa.float64())
    if predictions.unusual is not None:
        types |= {UNUSUAL: pa.bool_()}
    if predictions.uncertainty.sets:
        types |= {SET: pa.string()}
    if nested:
        types |= {NEIGHBORS: pa.string()} if predictions.neighbors else {}
        return types | ({WORDS: pa.string()} if predictions.words else {})
    for place in range(1, _most(predictions) + 1):
        types |= {
            f"neighbor_{place}": pa.string(),
            f"neighbor_{place}_label": pa.string(),
            f"neighbor_{place}_similarity": pa.float64(),
            f"neighbor_{place}_row": pa.int64(),
        }
    for place in range(1, _most_words(predictions) + 1):
        types |= {f"word_{place}": pa.string(), f"word_{place}_weight": pa.float64()}
    return types


def _most(predictions: Predictions) -> int:
    return max(map(len, predictions.neighbors), default=0)


def _most_words(predictions: Predictions) -> int:
    texts = predictions.words.texts if predictions.words else ()
    return min(SHOWN_WORDS, max(map(len, texts), default=0))


def _numbered(types: Types, taken: set[str]) -> Types:
    """Return the columns under names that no other has: all with the same number, if any."""
    if not taken & set(types):
        return types
    number = 2
    while taken & {f"{name}_{number}" for name in types}:
        number += 1
    print_note(
        f"note: the file has a column {listed(sorted(taken & set(types)), 3)} already: the "
        f"new columns are {PREDICTED}_{number}, {CONFIDENCE}_{number} and so on"
    )
    return {f"{name}_{number}": kind for name, kind in types.items()}


def _cells(predictions: Predictions, chosen: np.ndarray, nested: bool) -> list[Sequence[Any]]:
    """Return the cells of the added columns; None where a row has no prediction."""
    places = chosen.tolist()
    shares = predictions.probabilities[chosen].T.tolist()

    def filled(values: Sequence[Any]) -> list[Any]:
        return [None if k < 0 else value for k, value in zip(places, values, strict=True)]

    columns: list[Sequence[Any]] = [
        [None if k < 0 else predictions.given[k] for k in places],
        filled([rounded(max(row)) for row in zip(*shares, strict=True)]),
        *(filled([rounded(value) for value in values]) for values in shares),
    ]
    if (unusual := predictions.unusual) is not None:
        columns.append([None if k < 0 else bool(unusual[k]) for k in places])
    if predictions.uncertainty.sets:
        columns.append([None if k < 0 else list(predictions.label_sets[k]) for k in places])
    if predictions.neighbors:
        near = [() if k < 0 else predictions.neighbors[k] for k in places]
        columns += _each(near, _most(predictions), NEIGHBOR_FIELDS, nested)
    if predictions.words:
        texts = predictions.words.texts
        words = [() if k < 0 else texts[k] for k in places]
        if not nested:
            words = [tuple(strongest(row, SHOWN_WORDS)) for row in words]
        columns += _each(words, _most_words(predictions), WORD_FIELDS, nested)
    return columns


def _each(
    rows: Sequence[Sequence[Neighbor | ExplainedWord]],
    most: int,
    fields: Sequence[str],
    nested: bool,
) -> Iterator[Sequence[Any]]:
    """Yield the columns of neighbours or words: one of lists, or one per place and field."""
    if nested:
        yield [[asdict(each) for each in row] for row in rows]
        return
    for place in range(most):
        own = [row[place] if place < len(row) else None for row in rows]
        for name in fields:
            yield [None if each is None else getattr(each, name) for each in own]
