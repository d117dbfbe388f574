"""The list of test texts that were labelled wrongly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from features.corpus.corpus import Corpus
from pipeline.evaluation.evaluation import Evaluation
from pipeline.runs.training_texts import TrainingTexts

ERRORS = "errors.jsonl"
NEIGHBORS = 3


def error_list(
    corpus: Corpus,
    train: np.ndarray,
    test: Evaluation,
    classes: Sequence[str],
    pooled: np.ndarray,
) -> list[dict[str, Any]]:
    """Every test text that was labelled wrongly, the surest first, with its neighbours.

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
    near = training.neighbors(pooled[rows], pooled[train], k)
    labels = corpus.labels or ()
    return [
        {
            "row": corpus.rows[row],
            "text": corpus.texts[row],
            "label": labels[row],
            "predicted": classes[test.predicted[place]],
            "confidence": round(float(confidence[place]), 6),
            "neighbors": [asdict(neighbor) for neighbor in neighbors],
        }
        for place, row, neighbors in zip(wrong.tolist(), rows.tolist(), near, strict=True)
    ]


def write_errors(path: Path, errors: Sequence[dict[str, Any]]) -> None:
    """Write an error list, one JSON object a line."""
    lines = [json.dumps(error, ensure_ascii=False) + "\n" for error in errors]
    path.write_bytes("".join(lines).encode(errors="backslashreplace"))
