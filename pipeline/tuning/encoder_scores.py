"""Compare encoders: accuracies with paired intervals, price, and which one to take. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from heads.evaluation.metrics import mean_interval, share_interval
from pipeline.console import table

Interval = tuple[float, float]


@dataclass(frozen=True)
class Price:
    """What the vectors of an encoder cost.

    Attributes:
        weights: products per token in the encoder's layers, width² x depth, to order encoders.
        seconds: per 1,000 texts, as measured; None if all vectors were cached.
        pooled_bytes: stored bytes per text of the pooled vectors.
        token_bytes: the same of the token vectors, mean over the texts.
    """

    weights: int
    seconds: float | None
    pooled_bytes: float
    token_bytes: float


@dataclass(frozen=True)
class HeadScore:
    """Validation accuracy of one head over one encoder.

    Attributes:
        accuracy: mean over the seeds, in [0, 1].
        interval: 95 % interval of it, over the validation texts.
        difference: accuracy minus that of the best encoder and head.
        difference_interval: 95 % bootstrap interval of it, paired over the same texts.
    """

    accuracy: float
    interval: Interval
    difference: float
    difference_interval: Interval

    @property
    def within_noise(self) -> bool:
        """Whether these texts show no difference from the best."""
        low, high = self.difference_interval
        return low <= 0 <= high


@dataclass(frozen=True)
class EncoderScore:
    """One encoder: its scores by head, and its price."""

    name: str
    heads: Mapping[str, HeadScore]
    price: Price

    @property
    def best_head(self) -> str:
        """The head with the highest accuracy; at a tie the first, which is the simplest."""
        return max(self.heads, key=lambda head: self.heads[head].accuracy)

    @property
    def best(self) -> HeadScore:
        """The score of the best head."""
        return self.heads[self.best_head]


@dataclass(frozen=True)
class EncoderComparison:
    """Some encoders on one data set, in the order in which they were named."""

    encoders: tuple[EncoderScore, ...]

    @property
    def best(self) -> EncoderScore:
        """The encoder with the highest accuracy by any head; at a tie the quickest."""
        return max(self.encoders, key=lambda one: (one.best.accuracy, -one.price.weights))

    @property
    def recommended(self) -> EncoderScore:
        """The quickest encoder that is within noise of the best."""
        alike = [one for one in self.encoders if one.best.within_noise]
        return min(alike, key=lambda one: one.price.weights)


def compare_encoders(
    answers: Mapping[str, Mapping[str, np.ndarray]], prices: Mapping[str, Price]
) -> EncoderComparison:
    """Compare encoders by the validation answers of their heads.

    Args:
        answers: by encoder and head (seeds, n) bool, which of n validation texts were labelled
            rightly.
        prices: by encoder.
    """
    every = [right for heads in answers.values() for right in heads.values()]
    best = max(every, key=lambda right: float(right.mean())).mean(axis=0)
    return EncoderComparison(
        tuple(
            EncoderScore(
                name, {head: _score(right, best) for head, right in heads.items()}, prices[name]
            )
            for name, heads in answers.items()
        )
    )


def _score(right: np.ndarray, best: np.ndarray) -> HeadScore:
    shares = right.mean(axis=0)
    differences = shares - best
    return HeadScore(
        accuracy=float(shares.mean()),
        interval=share_interval(shares),
        difference=float(differences.mean()),
        difference_interval=mean_interval(differences),
    )


def encoder_table(comparison: EncoderComparison) -> str:
    """Return the table for people: one row per encoder."""
    heads = list(comparison.encoders[0].heads)
    rows = []
    for one in comparison.encoders:
        seconds = "cached" if one.price.seconds is None else f"{one.price.seconds:,.1f} s"
        rows.append(
            (
                one.name,
                *(f"{one.heads[head].accuracy:.1%}" for head in heads),
                _against(one, comparison.best),
                seconds,
                _size(one.price.pooled_bytes),
                _size(one.price.token_bytes),
            )
        )
    header = ("", *heads, "against the best", "1,000 texts", "pooled", "tokens")
    return table(header, rows, align="<" + ">" * len(heads) + "<>>>")


def encoder_advice(comparison: EncoderComparison) -> list[str]:
    """Return what to do, one sentence per line."""
    chosen, best = comparison.recommended, comparison.best
    head = chosen.best_head
    if chosen is best:
        reason = (
            "no other scores more"
            if len(_alike(comparison)) == 1
            else ("none of the others is both quicker and as accurate")
        )
        lines = [f"Take --encoder {chosen.name}: {reason}."]
    else:
        lines = [
            f"Take --encoder {chosen.name}: {best.name} scores "
            f"{-chosen.best.difference * 100:.1f} points more, which is within noise "
            f"({_points(chosen.best)}), and is slower."
        ]
    lines.append(f"Its best head here is {head}, at {chosen.best.accuracy:.1%}.")
    return lines


def _alike(comparison: EncoderComparison) -> list[EncoderScore]:
    return [one for one in comparison.encoders if one.best.within_noise]


def _against(one: EncoderScore, best: EncoderScore) -> str:
    if one is best:
        return "best"
    noise = ", within noise" if one.best.within_noise else ""
    return f"{one.best.difference * 100:+.1f} ({_points(one.best)}){noise}"


def _points(score: HeadScore) -> str:
    low, high = score.difference_interval
    return f"{low * 100:+.1f} to {high * 100:+.1f}"


def _size(count: float) -> str:
    return f"{count / 1000:,.1f} KB"
