"""Pictures of a run as plain values, and their drawing: curves, calibration, confusion.

It imports no drawing library until something is drawn: see ``drawing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heads.evaluation import metrics
from heads.evaluation.calibration import Reliability, reliability
from heads.problem import EpochRecord
from pipeline.console import print_note
from pipeline.evaluation.evaluation import ClassNames, Evaluation

DRAWN_CLASSES = 100
"""Classes that a confusion matrix can show; with more, those with the most errors are drawn."""

CURVES, CALIBRATION, CONFUSION = "curves.png", "calibration.png", "confusion.png"


@dataclass(frozen=True)
class Picture:
    """A picture that can be sent to another process.

    Attributes:
        name: its file, which also says what is drawn.
        title: above it.
        values: what is drawn, as JSON has it.
    """

    name: str
    title: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Curve:
    """One training to draw; ``strong`` marks the one whose head the run folder holds."""

    history: Sequence[EpochRecord]
    best_epoch: int
    strong: bool


def curves_picture(
    curves: Sequence[Curve], title: str, step: str, tried: bool = False
) -> Picture:
    """Return ``curves.png``; arguments as ``plots.draw_curves`` takes them."""
    plain = [
        {**asdict(curve), "history": [asdict(record) for record in curve.history]}
        for curve in curves
    ]
    return Picture(CURVES, title, {"curves": plain, "step": step, "tried": tried})


def test_pictures(
    test: Evaluation, names: ClassNames, temperatures: Sequence[float], title: str
) -> list[Picture]:
    """Return what is predicted on test: ``calibration.png`` and ``confusion.png``.

    Args:
        temperatures: of every head that predicted.
    """
    sides = {"plain": test.plain, "scaled": test.probabilities}
    bins = {side: _listed(reliability(test.labels, each)) for side, each in sides.items()}
    calibration = Picture(CALIBRATION, title, {**bins, "temperatures": [*temperatures]})
    truth, matrix = _confusion(test, names)
    classes = names.classes
    drawn, title = _most_confused(matrix, len(classes), title)
    rows = np.concatenate([drawn, np.arange(len(classes), len(truth))])
    confusion = {
        "matrix": matrix[np.ix_(rows, drawn)].tolist(),
        "truth": [truth[row] for row in rows],
        "classes": [classes[column] for column in drawn],
    }
    return [calibration, Picture(CONFUSION, title, confusion)]


def draw(folder: Path, pictures: Sequence[Picture]) -> None:
    """Draw pictures into a folder: one that cannot be drawn is a note, and the rest is kept."""
    for picture in pictures:
        with _optional(folder / picture.name) as path:
            _draw(picture, path)


def _draw(picture: Picture, path: Path) -> None:
    from pipeline.reports import plots  # imports matplotlib, which is slow

    title, values = picture.title, picture.values
    if picture.name == CURVES:
        curves = [
            Curve(
                [EpochRecord(**record) for record in each["history"]],
                each["best_epoch"],
                each["strong"],
            )
            for each in values["curves"]
        ]
        plots.draw_curves(curves, title, values["step"], path, tried=values["tried"])
    elif picture.name == CALIBRATION:
        plain, scaled = (
            Reliability(**{name: np.array(each) for name, each in values[side].items()})
            for side in ("plain", "scaled")
        )
        plots.draw_calibration(plain, scaled, values["temperatures"], title, path)
    else:
        matrix = np.array(values["matrix"]).reshape(len(values["truth"]), -1)
        plots.draw_confusion(matrix, values["truth"], values["classes"], title, path)


@contextmanager
def _optional(picture: Path) -> Iterator[Path]:
    try:
        yield picture
    except Exception as error:  # whatever a drawing library raises
        picture.unlink(missing_ok=True)
        print_note(
            f"note: {picture.name} cannot be drawn ({error}); the run is complete without it"
        )


def _listed(bins: Reliability) -> dict[str, list[float]]:
    """Return bins as lists; an empty one has NaN, which Python's JSON keeps."""
    return {name: np.asarray(values).tolist() for name, values in vars(bins).items()}


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
