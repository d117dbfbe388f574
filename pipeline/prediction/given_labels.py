"""Given labels: how often predictions agree with the labels that a file has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.corpus.whole import WholeTable, values_of
from features.errors import CorpusError
from features.messages import clipped, listed, many
from features.text.keys import text_keys
from pipeline.evaluation.evaluation import FEWEST_SCORED, Score, score
from pipeline.prediction.predictions import Predictions


@dataclass(frozen=True)
class GivenScore:
    """How well predictions agree with given labels.

    Attributes:
        column: where the labels stand; "" where they came from Python.
        score: None of fewer than ``FEWEST_SCORED`` texts.
        right, texts: how many agree, of how many that have a label.
        unknown: texts with a label that the run does not know; they count as wrong.
        learned: texts that the run learned from.
    """

    column: str
    score: Score | None
    right: int
    texts: int
    unknown: int
    learned: int

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return asdict(self)

    def line(self) -> str:
        """Return one line for people."""
        where = f" on column {clipped(self.column)}" if self.column else ""
        if self.score is None:
            said = (
                f"{self.right} of {many(self.texts, 'text')} right{where}: too few for a score"
            )
        else:
            said = (
                f"accuracy{where}: {self.score.told} of "
                f"{self.texts:,} texts, macro-F1 {self.score.macro_f1:.1%}"
            )
        if self.unknown:
            said += f"; {self.unknown:,} have a label that the run does not know"
        if self.learned:
            said += f"; {self.learned:,} are texts that the run learned from, which flatters it"
        return said


def score_given(
    predictions: Predictions,
    labels: Sequence[str],
    training: np.ndarray,
    column: str = "",
) -> GivenScore | None:
    """Return the score of predictions by the labels of the same texts; None without labels.

    Args:
        labels: N labels, "" where a text has none.
        training: ``S16`` keys of the texts that the run learned from.
        column: where the labels stand.
    """
    chosen = np.array([i for i, label in enumerate(labels) if label.strip()], np.int64)
    names = [*predictions.classes, *sorted({*labels} - {*predictions.classes})]
    places = {name: i for i, name in enumerate(names)}
    ids = np.array([places[labels[i]] for i in chosen], np.int64)
    known = ids < len(predictions.classes)
    if not known.any():
        return None
    predicted = predictions.probabilities[chosen].argmax(axis=1)
    keys = text_keys(predictions.texts[i] for i in chosen.tolist())
    return GivenScore(
        column,
        score(ids, predicted) if len(ids) >= FEWEST_SCORED else None,
        int((ids == predicted).sum()),
        len(ids),
        int((~known).sum()),
        int(np.isin(keys, training).sum()),
    )


def labels_of(source: WholeTable, column: str, required: bool) -> list[str] | None:
    """Return the labels of all rows of a file, "" where there is none; None without column.

    Raises:
        CorpusError: the column is required and missing.
    """
    if column not in source.names:
        if required:
            names = listed(clipped(name) for name in source.names)
            raise CorpusError(
                f"{source.path}: no column {column!r}; the columns are {names}; choose one "
                "with --label-column"
            )
        return None
    place = source.names.index(column)
    labels: list[str] = []
    for columns in source:
        labels += map(_label, values_of(columns[place]))
    return labels


def _label(cell: Any) -> str:
    """Return a cell as a label; a float without a fraction as a whole number."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell) if isinstance(cell, (int, float)) and cell == cell else ""
