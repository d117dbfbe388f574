"""Signs that several causes in code of a user's own share."""

from __future__ import annotations

import math

from pipeline.doctor.causes.signs import knows_nothing
from pipeline.doctor.measurements import Invariances, Measurements

WRONG = 0.05
"""Share of 16 texts that may be wrong once they are learned by heart [TheDeepChecker: 5 %]."""


def learns_little(measured: Measurements) -> bool:
    """Return whether the training texts are not learned and a reference is better."""
    learning = measured.learning
    assert learning is not None
    low = learning.train_accuracy is not None and (
        learning.train_accuracy - learning.accuracy < 0.1
    )
    return low and measured.behind


def count_steps(measured: Measurements) -> int:
    """Return the steps of the plain loop."""
    batch = max(1.0, measured.settings.number("batch_size"))
    epochs = measured.settings.number("epochs")
    return int(epochs) * math.ceil(measured.labels.train_texts / batch)


def fails_by_heart(found: Invariances) -> bool:
    """Return whether 16 texts cannot be learned by heart."""
    return found.by_heart is not None and found.by_heart > WRONG


def is_narrow(measured: Measurements) -> bool:
    """Return whether the outputs depend on the text, but move in few directions.

    A cross-entropy of C classes uses C - 1; a layer of fewer units in front of the output
    leaves fewer. Half of them is asked for, since units that died leave fewer, too.
    """
    found = measured.invariances
    assert found is not None
    directions, wanted = found.directions, len(measured.labels.names) - 1
    return (
        directions is not None and 1 <= directions <= wanted / 2 and not knows_nothing(measured)
    )
