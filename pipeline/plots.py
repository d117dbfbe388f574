"""curves.png and confusion.png: readable with 2 classes and with 100."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from heads.base import EpochRecord

DPI = 120
TRAIN, VALIDATION, BEST = "#3b6ea8", "#d1662d", "#555555"

SIZES = ((12, 0.62, 9.0), (30, 0.42, 7.5), (100, 0.22, 5.5))
"""Up to so many classes: inches a cell of the confusion matrix, and points of its letters."""

CONTRAST = 0.4
"""Exponent of the colours: a confusion of 2 % must be seen beside a diagonal of 95 %."""

LONGEST_NAME = 34


def draw_curves(
    history: Sequence[EpochRecord], best_epoch: int, title: str, step: str, path: Path
) -> None:
    """Loss and accuracy of training and validation over the epochs, the best one marked.

    Args:
        step: what a record is: ``epoch``, or the value tried.
    """
    figure, (losses, accuracies) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    epochs = [record.epoch for record in history]
    for axes, name in ((losses, "loss"), (accuracies, "accuracy")):
        train = [getattr(record, f"train_{name}") for record in history]
        validation = [getattr(record, f"validation_{name}") for record in history]
        axes.plot(epochs, train, color=TRAIN, marker=".", label="training")
        axes.plot(epochs, validation, color=VALIDATION, marker=".", label="validation")
        axes.axvline(best_epoch, color=BEST, linestyle=":", label=f"best, {step} {best_epoch}")
        axes.set(xlabel=step, ylabel=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    _save(figure, path)


def draw_confusion(
    matrix: np.ndarray, truth: Sequence[str], classes: Sequence[str], title: str, path: Path
) -> None:
    """Confusion matrix: rows are true labels, columns predictions, colour the share of a row.

    Args:
        matrix: (len(truth), len(classes)) counts.
        truth: names of the rows; may hold labels that training lacks.
        classes: names of the columns.
    """
    rows, columns = matrix.shape
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    _, cell, font = next((size for size in SIZES if rows <= size[0]), SIZES[-1])
    size = (columns * cell + 4.2, rows * cell + 3.2)
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(CONTRAST, 0, 1), aspect="equal")
    _name_axes(axes, truth, classes, font)
    _write_counts(axes, matrix, shares, font)
    bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 4 / size[1]), pad=0.02)
    bar.set_label("share of the true label's texts", fontsize=9)
    axes.set_title(title, fontsize=11 if rows <= SIZES[1][0] else 18)
    _save(figure, path)


def _name_axes(axes: Axes, truth: Sequence[str], classes: Sequence[str], font: float) -> None:
    axes.set_xticks(range(len(classes)), map(short_name, classes), rotation=90, fontsize=font)
    axes.set_yticks(range(len(truth)), map(short_name, truth), fontsize=font)
    axes.set_xlabel("predicted", fontsize=10)
    axes.set_ylabel("true", fontsize=10)
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(truth) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#dddddd", linewidth=0.4)
    axes.tick_params(which="minor", length=0)


def _write_counts(axes: Axes, matrix: np.ndarray, shares: np.ndarray, font: float) -> None:
    for row, column in np.argwhere(matrix > 0):
        colour = "white" if shares[row, column] > 0.25 else "black"
        count = f"{matrix[row, column]:,}"
        axes.text(column, row, count, ha="center", va="center", fontsize=font, color=colour)


def short_name(name: str) -> str:
    """A label cut to fit an axis. A dollar sign would start a formula; it is escaped."""
    flat = " ".join(name.split()).replace("$", r"\$")
    return flat if len(flat) <= LONGEST_NAME else flat[: LONGEST_NAME - 3] + "..."


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI, bbox_inches="tight")
    plt.close(figure)
