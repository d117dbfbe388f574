"""The card of an exported blend: results, parts, and how to use them together."""

from __future__ import annotations

import shlex

from pipeline.evaluation.baselines import BASELINE_NAMES
from pipeline.evaluation.result import BlendResult
from pipeline.models.blend_folder import PARTS
from pipeline.models.card import escape, score_cells, table
from pipeline.models.opening import OpenedModel


def blend_card(
    metrics: BlendResult, model: OpenedModel, temperature: float, folder: str
) -> str:
    """The card, in Markdown.

    Args:
        metrics: results of the blend.
        model: the blend.
        temperature: of its mean.
        folder: its name, for the examples.
    """
    names = [
        f"{place}: {escape(part.head)} over {escape(part.layout)}"
        for place, part in enumerate(metrics.parts, start=1)
    ]
    named = list(zip(names, metrics.parts, strict=True))
    rows = [
        ("validation", "blend", metrics.validation),
        *(("validation", name, part.validation) for name, part in named),
        ("test", "blend", metrics.test),
        *(("test", name, part.test) for name, part in named),
        *(
            ("test", BASELINE_NAMES.get(name, escape(name)), each)
            for name, each in metrics.baselines.items()
        ),
    ]
    cells = [(side, name, *score_cells(score)) for side, name, score in rows]
    gain = metrics.gain_test
    low, high = (100 * bound for bound in gain.interval)
    measured = metrics.calibration
    parts = [
        f"# A blend of {len(names)} classifiers: one of {len(model.labels)} labels for a text",
        "The mean of what these heads say of a text, made with manyheads. Each stands in a "
        "folder of its own with a card that names its data, its limits and its encoder:",
        "\n".join(
            f"- [{name}]({PARTS}/{place}/README.md)"
            for place, name in enumerate(names, start=1)
        ),
        "## Results",
        table(("side", "model", "accuracy", "95 % interval", "macro-F1", "texts"), cells),
        f"The blend against {names[metrics.best]}, the part that validates best: "
        f"{100 * gain.mean:+.1f} points of accuracy on test (95 % interval {low:+.1f} to "
        f"{high:+.1f}). The expected calibration error of its probabilities on test is "
        f"{measured.error_after:.1%}; {measured.error_by_chance:.1%} is chance.",
        *_repeats(metrics),
        "## Use",
        "With manyheads, which checks that each encoder is the right one:",
        f'    manyheads predict --run {shlex.quote(folder)} --text "a text"',
        "Without it: get the probabilities of each part as its card says, then",
        f"```python\n{MEAN.format(temperature=temperature)}```",
    ]
    return "\n\n".join(parts) + "\n"


def _repeats(metrics: BlendResult) -> list[str]:
    """How far other trainings would move the score, as far as the runs know."""
    parts = []
    if metrics.over_seeds:
        spread = metrics.over_seeds.accuracy
        low, high = spread.interval
        parts.append(
            f"Over {metrics.seeds} seeds of the parts the mean test accuracy of their "
            f"blends is {spread.mean:.1%}, 95 % interval {low:.1%} to {high:.1%}."
        )
    if metrics.folds:
        parts.append(
            f"The scores are those of {metrics.folds} blends, each on the texts of its "
            "fold, which its heads did not learn from; this folder holds the first of them."
        )
    return parts


MEAN = """\
import numpy as np


def blend(parts):
    \"\"\"R arrays (N, labels), of each part -> (N, labels) probabilities.\"\"\"
    powers = np.mean(parts, axis=0) ** (1 / {temperature!r})
    return powers / powers.sum(axis=1, keepdims=True)
"""
