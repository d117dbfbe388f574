"""Compare layers: accuracies with intervals, noise, and a recommendation. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heads.evaluation.metrics import mean_interval, share_interval
from pipeline.console import table

Interval = tuple[float, float]


@dataclass(frozen=True)
class LayerScore:
    """Validation accuracy of a quick head on one layer, or on pooled vectors.

    Attributes:
        layer: its number; None: pooled vectors.
        accuracy: mean over the seeds, in [0, 1].
        interval: 95 % interval of it, over the validation texts.
        seeds: accuracy of each training.
        difference: accuracy less that of the best layer.
        difference_interval: 95 % bootstrap interval of it over the same texts, paired.
    """

    layer: int | None
    accuracy: float
    interval: Interval
    seeds: tuple[float, ...]
    difference: float
    difference_interval: Interval

    @property
    def within_noise(self) -> bool:
        """Return whether these texts do not distinguish it from the best layer."""
        low, high = self.difference_interval
        return low <= 0 <= high


@dataclass(frozen=True)
class Comparison:
    """The layers of one encoder on one data set.

    Attributes:
        layers: a score each, in their order.
        pooled: that of the logistic head on pooled vectors.
        default: the layer that is taken where none is named.
    """

    layers: tuple[LayerScore, ...]
    pooled: LayerScore
    default: int

    @property
    def best(self) -> LayerScore:
        """Return the layer with the highest accuracy; at a tie the default, else the lowest."""
        return max(self.layers, key=lambda one: (one.accuracy, one.layer == self.default))

    @property
    def recommended(self) -> LayerScore:
        """Return the default if it is within noise of the best layer; otherwise the best."""
        usual = [one for one in self.layers if one.layer == self.default and one.within_noise]
        return usual[0] if usual else self.best

    @property
    def alike(self) -> list[int]:
        """Return the layers within noise of the best, without the recommended one."""
        return [
            one.layer
            for one in self.layers
            if one.within_noise and one.layer not in (None, self.recommended.layer)
        ]


def compare(answers: Mapping[int, np.ndarray], pooled: np.ndarray, default: int) -> Comparison:
    """Compare layers by the validation predictions of their heads.

    Args:
        answers: by layer (seeds, n) bool, which of n validation texts were labelled rightly.
        pooled: (seeds, n) bool, the same of the head on pooled vectors.
        default: the layer that is taken where none is named.
    """
    best = max(answers, key=lambda layer: (answers[layer].mean(), layer == default))
    layers = tuple(_score(layer, answers[layer], answers[best]) for layer in answers)
    return Comparison(layers, _score(None, pooled, answers[best]), default)


def _score(layer: int | None, answers: np.ndarray, best: np.ndarray) -> LayerScore:
    shares = answers.mean(axis=0)
    differences = shares - best.mean(axis=0)
    return LayerScore(
        layer=layer,
        accuracy=float(shares.mean()),
        interval=share_interval(shares),
        seeds=tuple(float(value) for value in answers.mean(axis=1)),
        difference=float(differences.mean()),
        difference_interval=mean_interval(differences),
    )


def score_table(comparison: Comparison, last: int) -> str:
    """Return the table for people; ``last`` is the number of the last layer."""
    best = comparison.best
    kinds = {0: " (embeddings)", last: " (last)", comparison.default: " (default)"}
    rows = []
    for one in (*comparison.layers, comparison.pooled):
        name = "pooled, logistic"
        if one.layer is not None:
            name = f"layer {one.layer}{kinds.get(one.layer, '')}"
        rows.append((name, f"{one.accuracy:.1%}", _percent(one.interval), _against(one, best)))
    header = ("", "accuracy", "95 % interval", f"against layer {best.layer}")
    return table(header, rows, align="<><<")


def advice(comparison: Comparison, head: str, texts: int) -> list[str]:
    """Return what to do, one sentence per line, and how reliable these scores are.

    Args:
        head: what was trained on the layers.
        texts: how many validated.
    """
    chosen, best, default = comparison.recommended, comparison.best, comparison.default
    lines = [f"Use --layers {chosen.layer}{_reason(comparison)}"]
    if comparison.alike:
        others = _named(comparison.alike)
        lines.append(f"Within noise of the best here: {others} too.")
    pooled = comparison.pooled
    margin = f"{abs(pooled.difference) * 100:.1f} points"
    if pooled.within_noise:
        lines.append(
            f"logistic on pooled vectors is within noise of {head} on layer {best.layer} "
            f"({_points(pooled)}) and needs one vector per text: use it if it is as good."
        )
    elif pooled.difference > 0:
        lines.append(
            f"logistic on pooled vectors scores {margin} more ({_points(pooled)}): try it "
            f"first; {head} may need more texts or epochs than this."
        )
    else:
        lines.append(f"logistic on pooled vectors scores {margin} less ({_points(pooled)}).")
    if default not in [one.layer for one in comparison.layers]:
        lines.append(f"The default, layer {default}, was not tried.")
    rest = [one.difference_interval for one in comparison.layers if one is not best]
    if rest:
        noise = 100 * float(np.median([(high - low) / 2 for low, high in rest]))
        lines.append(
            f"{texts:,} validation texts tell layers apart from about {noise:.0f} points on; "
            "raise --sample and --seeds to see finer."
            if noise
            else "The heads answered alike: train longer, as with --set epochs=20."
        )
    return lines


def _reason(comparison: Comparison) -> str:
    """Return the reason for the recommendation, as the end of a sentence."""
    chosen, best, default = comparison.recommended, comparison.best, comparison.default
    if chosen is not best:
        low, high = chosen.difference_interval
        return (
            f", the default: layer {best.layer} scores "
            f"{-chosen.difference * 100:.1f} points more, which is within noise "
            f"({-high * 100:+.1f} to {-low * 100:+.1f})."
        )
    if chosen.layer == default:
        return ", the default: no layer scores more."
    usual = [one for one in comparison.layers if one.layer == default]
    if not usual:
        return ": no layer tried scores more."
    return (
        f": the default, layer {default}, scores {-usual[0].difference * 100:.1f} points less "
        f"({_points(usual[0])})."
    )


def _against(one: LayerScore, best: LayerScore) -> str:
    if one is best:
        return "best"
    noise = ", within noise" if one.within_noise else ""
    return f"{one.difference * 100:+.1f} ({_points(one)}){noise}"


def _points(one: LayerScore) -> str:
    low, high = one.difference_interval
    return f"{low * 100:+.1f} to {high * 100:+.1f}"


def _percent(interval: Interval) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _named(layers: Sequence[int]) -> str:
    return f"layer{'s' if len(layers) > 1 else ''} {', '.join(map(str, layers))}"
