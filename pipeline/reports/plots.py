"""Pictures of runs: readable with 2 classes and with 100.

Figures are made without pyplot: nothing of matplotlib is changed for others in the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from heads.evaluation.calibration import Reliability
from pipeline.console import short_label
from pipeline.reports import fonts
from pipeline.reports.figures import Curve
from pipeline.reports.sheet import Sheet

DPI = 120
TRAIN, VALIDATION, BEST, STOP = "#3b6ea8", "#d1662d", "#555555", "#999999"

SIZES = ((12, 0.62, 9.0), (30, 0.42, 7.5), (100, 0.22, 5.5))
"""Up to so many classes: inches per cell of the confusion matrix, and points of its letters."""

LARGER_CELLS = 1.8
"""Inches by which a confusion matrix of any size is larger than that."""

CURVES_SIZE, CURVES_STEP = (4.85, 3.45), 5.85
"""Inches: a panel of the curves, and from one panel to the next."""

CONTRAST = 0.4
"""Exponent of the colours: a confusion of 2 % must be seen beside a diagonal of 95 %."""

BAR_TICKS = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0)

LONGEST_NAME = 34

FEW_TEXTS = 10
"""Fewer than that in a bin of confidence are drawn small."""


def draw_curves(
    curves: Sequence[Curve], title: str, step: str, path: Path, tried: bool = False
) -> None:
    """Draw loss and accuracy of training and validation over the epochs of every training.

    The training in the run folder has strong lines, with its best epoch and its end marked; the
    others have light lines.

    Args:
        curves: exactly one of them is strong.
        step: what a record is: ``epoch``, or the name of the value tried, such as ``C``.
        tried: whether records are values tried; their axis is logarithmic.
    """
    figure = Sheet(DPI)
    losses, accuracies = (figure.panel(at, 0, *CURVES_SIZE) for at in (0, CURVES_STEP))
    for axes, name in ((losses, "loss"), (accuracies, "accuracy")):
        for curve in sorted(curves, key=lambda curve: curve.strong):
            _draw_curve(axes, curve, name, step, tried)
        axes.set(xlabel=step, ylabel=name)
        if tried:
            axes.set_xscale("log")
            values = sorted({r.value for curve in curves for r in curve.history})
            axes.set_xticks(values, [f"{value:g}" for value in values])
            axes.minorticks_off()
        else:
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        if name == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(alpha=0.3)
        axes.legend()
    others = len(curves) - 1
    told = literal(f"{title}; light: {others} other trainings" if others else title)
    width, height = CURVES_SIZE
    middle = (CURVES_STEP + width) / 2
    letters = fonts.installed()
    figure.text(middle, height + 0.1, told, ha="center", fontsize=12, fontfamily=letters)
    save_figure(figure, path)


def _draw_curve(axes: Axes, curve: Curve, name: str, step: str, tried: bool) -> None:
    places = [each.value if tried else each.epoch for each in curve.history]
    for side, colour in (("train", TRAIN), ("validation", VALIDATION)):
        values = [getattr(record, f"{side}_{name}") for record in curve.history]
        if not curve.strong:
            axes.plot(places, values, color=colour, alpha=0.25, linewidth=1)
            continue
        label = "training" if side == "train" else side
        axes.plot(places, values, color=colour, marker=".", label=label)
        if side == "validation":
            at = curve.best_epoch - 1
            axes.plot(places[at], values[at], "o", color=colour, markersize=8, mfc="none")
    if curve.strong:
        sign = " = " if tried else " "
        best, last = places[curve.best_epoch - 1], places[-1]
        best_label = f"best: {step}{sign}{best:g}"
        axes.axvline(best, color=BEST, linestyle=":", label=best_label)
        axes.axvline(last, color=STOP, linewidth=1, label=f"last: {step}{sign}{last:g}")


def draw_calibration(
    plain: Reliability,
    scaled: Reliability,
    temperatures: Sequence[float],
    title: str,
    path: Path,
) -> None:
    """Draw accuracy over confidence on test, before and after the temperature.

    Below them is the number of texts per bin. Points below the diagonal are overconfident.

    Args:
        temperatures: of every head that predicted.
    """
    figure = Sheet(DPI)
    lower = figure.panel(0, 0, 5.4, 1.3)
    upper = figure.panel(0, 1.5, 5.4, 4, sharex=lower)
    upper.tick_params(labelbottom=False)
    low, high = min(temperatures), max(temperatures)
    some = f"temperature {low:.2f}" if low == high else f"temperatures {low:.2f} to {high:.2f}"
    upper.plot([0, 1], [0, 1], color=BEST, linestyle=":", label="ideal: right as often as sure")
    sides = (
        (plain, TRAIN, "before correction"),
        (scaled, VALIDATION, f"as predict gives them,\ncorrected by {some}"),
    )
    for index, (bins, colour, name) in enumerate(sides):
        _draw_bins(upper, bins, colour, name)
        width = 1 / len(bins.texts)
        left = (np.arange(len(bins.texts)) + 0.25 + 0.5 * index) * width
        lower.bar(left, bins.texts, 0.45 * width, color=colour)
    few = f"faint: fewer than {FEW_TEXTS} texts, little to go by"
    upper.plot([], [], ".", color=STOP, label=few)
    upper.set(ylabel="right answers", xlim=(0, 1), ylim=(0, 1))
    lower.set(xlabel="confidence", ylabel="texts")
    upper.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    lower.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes in (upper, lower):
        axes.grid(alpha=0.3)
    lower.legend(
        *upper.get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(0, -0.45),  # below the axis and its name
        borderaxespad=0,
        fontsize=9,
    )
    upper.set_title(literal(title), fontsize=10, fontfamily=fonts.installed())
    save_figure(figure, path)


def _draw_bins(axes: Axes, bins: Reliability, colour: str, name: str) -> None:
    # The accuracy of a few texts says nothing: a small point, and no line to it.
    many = bins.texts >= FEW_TEXTS
    axes.plot(
        bins.confidence[many],
        bins.accuracy[many],
        color=colour,
        marker="o",
        label=f"confidences {name}: {100 * bins.error:.1f} points off on average",
        clip_on=False,
    )
    axes.plot(
        bins.confidence[~many],
        bins.accuracy[~many],
        ".",
        color=colour,
        alpha=0.5,
        clip_on=False,
    )


def draw_confusion(
    matrix: np.ndarray, truth: Sequence[str], classes: Sequence[str], title: str, path: Path
) -> None:
    """Draw the confusion matrix: true labels by predictions, coloured by the share of a row.

    Args:
        matrix: (len(truth), len(classes)) counts.
        truth: names of the rows; labels without training texts may be among them.
        classes: names of the columns.
    """
    rows, columns = matrix.shape
    shares = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True))
    _, cell, font = next((size for size in SIZES if rows <= size[0]), SIZES[-1])
    cell += LARGER_CELLS / max(rows, columns)
    width, height = columns * cell, rows * cell
    figure = Sheet(DPI)
    axes = figure.panel(0, 0, width, height)
    image = axes.pcolormesh(
        *(np.arange(count + 1) - 0.5 for count in (columns, rows)),
        shares,
        cmap="Blues",
        norm=PowerNorm(CONTRAST, 0, 1),
        edgecolors="#dddddd",
        linewidth=0.4,
    )
    axes.invert_yaxis()
    _name_axes(axes, truth, classes, font)
    _write_counts(axes, matrix, shares, font)
    high = min(4, height)
    bar = figure.colorbar(image, figure.panel(width + 0.15, (height - high) / 2, 0.18, high))
    bar.set_ticks(list(BAR_TICKS), labels=[f"{share:.0%}" for share in BAR_TICKS])
    bar.set_label("share of the true label's texts (the scale is not even)", fontsize=9)
    title_font = 11 if rows <= SIZES[1][0] else 18
    axes.set_title(literal(title), fontsize=title_font, fontfamily=fonts.installed())
    save_figure(figure, path)


def _name_axes(axes: Axes, truth: Sequence[str], classes: Sequence[str], font: float) -> None:
    style: dict[str, Any] = {"fontsize": font, "fontfamily": fonts.installed()}
    axes.set_xticks(range(len(classes)), map(axis_name, classes), rotation=90, **style)
    axes.set_yticks(range(len(truth)), map(axis_name, truth), **style)
    axes.set_xlabel("predicted label; the numbers count texts", fontsize=10)
    axes.set_ylabel("true label", fontsize=10)


def _write_counts(axes: Axes, matrix: np.ndarray, shares: np.ndarray, font: float) -> None:
    for row, column in np.argwhere(matrix > 0):
        colour = "white" if shares[row, column] > 0.25 else "black"
        count = f"{matrix[row, column]:,}"
        text = axes.text(
            column, row, count, ha="center", va="center", fontsize=font, color=colour
        )
        text.set_in_layout(False)  # within its cell: to measure thousands takes seconds


def axis_name(label: str) -> str:
    """Return a label cut to fit an axis, to be drawn letter by letter."""
    return literal(short_label(label, LONGEST_NAME))


def literal(text: str) -> str:
    """Return a text that is drawn letter by letter: a dollar sign would start a formula."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown.replace("$", r"\$")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    fonts.save(figure, path, DPI)
