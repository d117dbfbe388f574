"""Class weights: how much each class counts in the loss, by a rule or by label=weight."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from features.errors import SettingError
from features.messages import listed

NONE, BALANCED = "none", "balanced"
RULES = (NONE, BALANCED)

# A label may hold commas and equals signs: it ends before "=number" with a comma or the end.
PAIR = re.compile(r"\s*(?P<label>.+?)\s*=\s*(?P<weight>[0-9.eE+-]+)\s*(?:,|$)")


def class_weights(rule: str, labels: np.ndarray, names: tuple[str, ...]) -> np.ndarray | None:
    """Return the weights of C classes.

    Args:
        rule: ``none``, ``balanced``, or pairs such as ``joy=2,fear=0.5``; other labels weigh 1.
        labels: (n,) int64 class ids of the training texts.
        names: the C labels.

    Returns:
        (C,) float32, or None if all classes weigh the same.

    Raises:
        SettingError: a pair names an unknown label.
    """
    if rule == NONE:
        return None
    if rule == BALANCED:
        return balanced_weights(labels, len(names))
    check_weights(rule, names)
    given = parse_weights(rule)
    return np.array([given.get(name, 1.0) for name in names], dtype=np.float32)


def check_weights(rule: str, names: Sequence[str]) -> None:
    """Raise ``SettingError`` if a pair names a label that is not among ``names``."""
    unknown = [label for label in _pairs(rule) if label not in names]
    if unknown:
        raise SettingError(
            f"class_weights names {unknown[0]!r}, which is no class; they are: {listed(names)}"
        )


def weights_of(rule: str, names: Sequence[str]) -> str:
    """Return the rule without pairs for labels that are not among ``names``."""
    given = _pairs(rule)
    if all(label in names for label in given):
        return rule
    known = [f"{label}={weight!r}" for label, weight in given.items() if label in names]
    return ",".join(known) or NONE


def _pairs(rule: str) -> dict[str, float]:
    return {} if rule in RULES else parse_weights(rule)


def parse_weights(pairs: str) -> dict[str, float]:
    """Parse pairs such as ``"joy=2,fear=0.5"`` into weights by label.

    Raises:
        ValueError: the text is not such pairs, a weight is not finite and positive, or a label
            is given twice.
    """
    weights: dict[str, float] = {}
    place = 0
    while place < len(pairs) or not weights:
        match = PAIR.match(pairs, place)
        if match is None:
            raise ValueError(f"must be none, balanced or label=weight, not {pairs[place:]!r}")
        label, weight = match["label"], _number(match["weight"])
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"a weight must be a number above 0, not {match['weight']!r}")
        if label in weights:
            raise ValueError(f"the label {label!r} is given twice")
        weights[label] = weight
        place = match.end()
    return weights


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def balanced_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return weights inverse to the frequency of each class, with mean 1 over the labels.

    Args:
        labels: (n,) int64 in 0..classes-1.
        classes: C, the number of classes.

    Returns:
        (C,) float32, n / (number of classes that occur x count); 0 for a class without labels.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.zeros(classes, dtype=np.float32)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights
