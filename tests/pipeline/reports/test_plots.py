"""What the pictures show: true values on their axes, shares in per cent, a legend in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from heads.evaluation.calibration import Reliability
from heads.problem import EpochRecord
from pipeline.reports import plots
from pipeline.reports.figures import Curve
from pipeline.reports.plots import draw_calibration, draw_confusion, draw_curves

PATH = Path("x.png")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures in place of their files."""
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: figures.append(figure))
    return figures


def record(epoch: int, value: float) -> EpochRecord:
    return EpochRecord(epoch, 1 / epoch, 0.5, 1.0, 0.6, value, 0.1, 0.0)


def legend(figure: Figure, place: int = 0) -> list[str]:
    found = figure.axes[place].get_legend() or figure.legends[0]
    return [text.get_text() for text in found.get_texts()]


def test_values_tried_stand_on_a_logarithmic_axis(drawn: list[Figure]) -> None:
    history = tuple(record(i, c) for i, c in enumerate((0.1, 1.0, 10.0), start=1))
    draw_curves([Curve(history, 2, True)], "t", "C", PATH, tried=True)
    loss, accuracy = drawn[0].axes
    assert loss.get_xscale() == "log"
    assert [label.get_text() for label in loss.get_xticklabels()] == ["0.1", "1", "10"]
    assert loss.get_xlabel() == "C"
    assert legend(drawn[0])[2:] == ["best: C = 1", "last: C = 10"]
    accuracy.set_ylim(0.55, 0.65)
    told = accuracy.yaxis.get_major_formatter().format_ticks([0.575, 0.6])
    assert told == ["57.5%", "60.0%"], "no tick is rounded to another value"


def test_epochs_are_counted(drawn: list[Figure]) -> None:
    history = tuple(record(i, 0.001) for i in (1, 2, 3))
    draw_curves([Curve(history, 2, True)], "t", "epoch", PATH)
    assert drawn[0].axes[0].get_xscale() == "linear"
    assert legend(drawn[0])[2:] == ["best: epoch 2", "last: epoch 3"]


def test_the_legend_of_the_calibration_is_in_words(drawn: list[Figure]) -> None:
    bins = Reliability(np.array([3, 20]), np.array([0.3, 0.8]), np.array([0.5, 0.9]))
    draw_calibration(bins, bins, [0.77], "t", PATH)
    assert legend(drawn[0]) == [
        "ideal: right as often as sure",
        "confidences before correction: 11.3 points off on average",
        "confidences as predict gives them,\ncorrected by temperature 0.77: 11.3 points off on "
        "average",
        "faint: fewer than 10 texts, little to go by",
    ]


def test_the_confusion_says_what_its_numbers_are(drawn: list[Figure]) -> None:
    draw_confusion(np.array([[3, 1], [0, 2]]), "ab", "ab", "t", PATH)
    axes, bar = drawn[0].axes
    assert axes.get_xlabel() == "predicted label; the numbers count texts"
    assert bar.get_ylabel() == "share of the true label's texts (the scale is not even)"
    assert bar.get_yticklabels()[-1].get_text() == "100%"


def test_true_labels_go_down_and_predictions_right(drawn: list[Figure]) -> None:
    draw_confusion(np.array([[3, 1], [0, 2]]), "ab", "ab", "t", PATH)
    axes = drawn[0].axes[0]
    counts = {text.get_text(): text.get_position() for text in axes.texts}
    assert counts == {"3": (0, 0), "1": (1, 0), "2": (1, 1)}
    assert axes.yaxis_inverted()
    (cells,) = axes.collections
    assert np.allclose(cells.get_array(), [[0.75, 0.25], [0, 1]])


def test_the_legend_of_the_calibration_is_no_wider_than_its_panel(drawn: list[Figure]) -> None:
    bins = Reliability(np.array([30]), np.array([0.3]), np.array([0.5]))
    draw_calibration(bins, bins, [0.77, 12.34], "t", PATH)
    lower = drawn[0].axes[0]
    box = lower.get_legend().get_tightbbox()
    assert box is not None
    assert box.width < lower.bbox.width
    assert box.y1 < lower.xaxis.label.get_tightbbox().y0, "the name of the axis stays free"


def test_a_picture_has_all_of_its_title_and_labels(tmp_path: Path) -> None:
    counts, sizes = np.array([[3, 1], [0, 2]]), []
    for length in (1, 200):
        path = tmp_path / f"{length}.png"
        draw_confusion(counts, "ab", "ab", "t" * length, path)
        with Image.open(path) as picture:
            sizes.append(picture.size)
            pixels = np.asarray(picture.convert("L"))
    assert sizes[1][0] > 1.5 * sizes[0][0]
    assert sizes[1][1] == pytest.approx(sizes[0][1], abs=2)
    edges = pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]
    assert all((edge == 255).all() for edge in edges), "a margin on every side"
