"""Figures of a run: calibration and confusion on the test texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from heads.evaluation import metrics
from heads.evaluation.calibration import reliability
from pipeline.console import print_note
from pipeline.evaluation.evaluation import ClassNames, Evaluation
from pipeline.reports.plots import draw_calibration, draw_confusion

DRAWN_CLASSES = 100
"""Classes that a confusion matrix can show; with more, those with the most errors are drawn."""


def draw_test(
    folder: Path, test: Evaluation, names: ClassNames, temperatures: Sequence[float], title: str
) -> None:
    """Draw what is predicted on test: ``calibration.png`` and ``confusion.png``."""
    with optional(folder / "calibration.png") as path:
        draw_calibration(
            reliability(test.labels, test.plain),
            reliability(test.labels, test.probabilities),
            temperatures,
            title,
            path,
        )
    truth, matrix = _confusion(test, names)
    classes = names.classes
    drawn, title = _most_confused(matrix, len(classes), title)
    rows = np.concatenate([drawn, np.arange(len(classes), len(truth))])
    with optional(folder / "confusion.png") as path:
        draw_confusion(
            matrix[np.ix_(rows, drawn)],
            [truth[row] for row in rows],
            [classes[column] for column in drawn],
            title,
            path,
        )


@contextmanager
def optional(picture: Path) -> Iterator[Path]:
    """Draw a picture of a run: one that cannot be drawn is a note, and the run is kept."""
    try:
        yield picture
    except Exception as error:  # whatever a drawing library raises
        picture.unlink(missing_ok=True)
        print_note(
            f"note: {picture.name} cannot be drawn ({error}); the run is complete without it"
        )


def _confusion(test: Evaluation, names: ClassNames) -> tuple[list[str], np.ndarray]:
    """Names of the rows, and (rows, C) counts. Labels that training lacks come last."""
    known = len(names.classes)
    counts = metrics.confusion(test.labels, test.predicted, len(names.all))[:, :known]
    rows = [i for i in range(len(names.all)) if i < known or counts[i].any()]
    return [names.all[i] for i in rows], counts[rows]


def _most_confused(matrix: np.ndarray, classes: int, title: str) -> tuple[np.ndarray, str]:
    """Class ids to draw, in order: all, or where those are too many the most confused."""
    if classes <= DRAWN_CLASSES:
        return np.arange(classes), title
    errors = matrix[:classes].sum(axis=1) - matrix.diagonal()
    drawn = np.sort(np.argsort(-errors, kind="stable")[:DRAWN_CLASSES])
    return drawn, f"{title}; the {DRAWN_CLASSES} most confused of {classes} classes"
