"""Parts of the measurements of a healthy training, with some numbers changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.doctor.measurements import (
    Epoch,
    Learning,
    Measurements,
    References,
    Settings,
    Steps,
)
from tests.support.doctor.cases import healthy, reference

BEHIND = References((reference("logistic", 0.79, 0.3),))


def learning(**changes: Any) -> Learning:
    """Return what a healthy head knows, with some numbers changed."""
    known = healthy().learning
    assert known is not None
    return replace(known, **changes)


def steps(**changes: Any) -> Steps:
    """Return how the steps of a healthy training went, with some numbers changed."""
    known = healthy().steps
    assert known is not None
    return replace(known, **changes)


def settings(head: str = "cnn", **values: Any) -> Settings:
    """Return settings of a head that takes steps."""
    return Settings(head, "tokens", {"learning_rate": 2e-3, **values})


def epochs(losses: list[float], accuracies: list[float] | None = None) -> tuple[Epoch, ...]:
    """Return a history with these training losses."""
    shares = accuracies or [0.6] * len(losses)
    return tuple(
        Epoch(i, loss, 0.6, 1.0, share, 2e-3, 1.0)
        for i, (loss, share) in enumerate(zip(losses, shares, strict=True), start=1)
    )


def collapsed(**groups: Any) -> Measurements:
    """Return a head that answers one class for everything."""
    low = learning(accuracy=0.34, loss=1.1, effective_classes=1.02, train_accuracy=0.34)
    return healthy(**{"learning": low, "references": BEHIND, **groups})
