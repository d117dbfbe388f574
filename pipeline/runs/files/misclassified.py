"""The misclassified test texts of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.corpus.corpus import Corpus
from pipeline.evaluation.evaluation import Evaluation
from pipeline.runs.files.explained_word import ExplainedWord
from pipeline.runs.files.training_texts import Neighbor, TrainingTexts

NEIGHBORS = 3

WITH_NEIGHBORS = 10_000
"""Maximum misclassified texts that get neighbours, the most confident ones: on a million texts
a search for all of them took longer than the training."""


@dataclass(frozen=True)
class Misclassified:
    """A test text that was misclassified.

    Attributes:
        row: its data row, from 1.
        text, label, predicted: the text, its label, and the one predicted.
        confidence: the probability of that, to six digits.
        neighbors: the training texts nearest to it, nearest first; none beyond the first
            ``WITH_NEIGHBORS`` texts.
        words: its words with their part in the wrong label; None where nobody asked.
        word_weights: what their weights are, ``probability`` or ``logit``; '' without words.
    """

    row: int
    text: str
    label: str
    predicted: str
    confidence: float
    neighbors: tuple[Neighbor, ...]
    words: tuple[ExplainedWord, ...] | None = None
    word_weights: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; without words nothing is said of them."""
        values = asdict(self)
        if self.words is None:
            del values["words"], values["word_weights"]
        return values


def error_list(
    corpus: Corpus,
    train: np.ndarray,
    test: Evaluation,
    classes: Sequence[str],
    pooled: np.ndarray,
) -> list[Misclassified]:
    """Return the misclassified test texts with their neighbours, the most confident first.

    Args:
        train: positions of the training texts in the corpus.
        classes: names of the class ids.
        pooled: (N, D) pooled vectors of the whole corpus.
    """
    wrong = np.flatnonzero(test.predicted != test.labels)
    confidence = test.probabilities.max(axis=1)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    rows = test.rows[wrong]
    training = TrainingTexts.of(corpus, train)
    k = min(NEIGHBORS, len(train))
    near = [*training.neighbors(pooled[rows[:WITH_NEIGHBORS]], pooled[train], k)]
    near += [()] * (len(rows) - len(near))
    labels = corpus.labels or ()
    return [
        Misclassified(
            corpus.rows[row],
            corpus.texts[row],
            labels[row],
            classes[test.predicted[index]],
            round(float(confidence[index]), 6),
            neighbors,
        )
        for index, row, neighbors in zip(wrong.tolist(), rows.tolist(), near, strict=True)
    ]


def write_errors(path: Path, errors: Sequence[Misclassified]) -> None:
    """Write misclassified texts, one JSON object per line."""
    path.write_bytes(as_lines(errors))


def as_lines(errors: Sequence[Misclassified]) -> bytes:
    """Return misclassified texts as one JSON object per line."""
    lines = [json.dumps(error.to_dict(), ensure_ascii=False) + "\n" for error in errors]
    return "".join(lines).encode(errors="backslashreplace")
