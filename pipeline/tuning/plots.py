"""Pictures of the short trials: accuracy by layer, loss by learning rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from heads.learning_rate import RangeTest
from pipeline.reports import fonts
from pipeline.reports.plots import BEST, TRAIN, VALIDATION, literal, save_figure
from pipeline.tuning.layer_scores import Comparison

DRAWN_LOSS = 2.5
"""Times the first loss that lr-range.png shows."""


def draw_layers(comparison: Comparison, head: str, title: str, path: Path) -> None:
    """Draw validation accuracy by layer with 95 % intervals, and that of pooled vectors.

    Full dots are within noise of the best layer by the paired test; hollow ones are worse.

    Args:
        head: what was trained on the layers.
    """
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    low, high = comparison.pooled.interval
    axes.axhspan(100 * low, 100 * high, color=VALIDATION, alpha=0.12, linewidth=0)
    level = 100 * comparison.pooled.accuracy
    axes.axhline(level, color=VALIDATION, label="logistic on pooled vectors")
    numbers = [one.layer or 0 for one in comparison.layers]
    values = [100 * one.accuracy for one in comparison.layers]
    axes.plot(numbers, values, color=TRAIN)
    for noise, fill, note in (
        (True, TRAIN, "within noise of the best"),
        (False, "white", "worse"),
    ):
        some = [one for one in comparison.layers if one.within_noise is noise]
        accuracies = np.array([one.accuracy for one in some])
        ends = np.array([one.interval for one in some]).reshape(-1, 2)
        axes.errorbar(
            [one.layer or 0 for one in some],
            100 * accuracies,
            100 * np.maximum(0, [accuracies - ends[:, 0], ends[:, 1] - accuracies]),
            color=TRAIN,
            linestyle="none",
            marker="o",
            markerfacecolor=fill,
            capsize=3,
            label=f"{head} on a layer, {note}" if some else None,
        )
    marked = [f"{n}\ndefault" if n == comparison.default else str(n) for n in numbers]
    axes.set_xticks(numbers, marked)
    axes.set(xlabel="layer (0: embeddings)", ylabel="validation accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title(literal(title), fontsize=10, fontfamily=fonts.installed())
    save_figure(figure, path)


def draw_range(test: RangeTest, title: str, path: Path) -> None:
    """Draw loss over learning rate, on a logarithmic axis, and mark the suggestion."""
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(test.rates, test.losses, ".", color=TRAIN, alpha=0.35, label="loss of a batch")
    axes.plot(test.rates, test.smoothed, color=TRAIN, label="smoothed")
    low = test.smoothed.argmin()
    axes.plot(test.rates[low], test.smoothed[low], "o", color=BEST, label="lowest")
    axes.axvline(test.suggestion, color=VALIDATION, label=f"suggestion: {test.suggestion:.2g}")
    # A loss that has diverged may be anything; what matters lies around the first one.
    highest = DRAWN_LOSS * max(test.smoothed[0], test.smoothed[low])
    if test.diverged_at is not None:
        axes.axvline(test.diverged_at, color=BEST, linestyle=":", label="diverged")
    axes.set_ylim(0, min(highest, 1.05 * test.losses.max()))
    axes.set(xscale="log", xlabel="learning rate", ylabel="cross-entropy")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title(literal(title), fontsize=10, fontfamily=fonts.installed())
    save_figure(figure, path)
