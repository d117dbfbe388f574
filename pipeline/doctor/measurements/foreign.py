"""What is measured of a classifier that a user brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Invariances:
    """M13 and M14: of a module or an estimator that a user brings. None: not measured.

    Attributes:
        alone, neighbours, padded, reversed, twice: largest difference of the outputs of a text,
            in deviations between texts: alone and in a batch, alone with the padding of the
            batch, behind 20 more padded positions, in the batch reversed, asked twice in
            evaluation mode; above 1e-3 it fails.
        failures: how the module failed in one of them, by its name.
        bounded, sums_to_one: whether all outputs lie in [0, 1], and rows sum to 1.
        output: what the outputs look like once it has learned 16 texts by heart: ``logits``, or
            the bounded function that they fit.
        floor: cross-entropy in nats that such outputs cannot fall below, taken for logits.
        first_loss: before the first step; about ln C is usual.
        final_train_loss: where the training loss rests.
        by_heart: share of one batch of 16 that is wrong after ``by_heart_steps`` steps.
        gradients_double: whether the user's loop never clears gradients, so that they add up.
        loop_score, loop_reference: accuracy of the module, and of a plain dense layer, by the
            user's own loop; None where they bring none.
        loop_moves: whether their loop moves any weight.
        loop_unmoved: names of weights that the plain loop moves and theirs does not.
        loop_finite: whether all outputs are finite after it.
        unchanged: names of weights that the outputs depend on and no step changed.
        frozen: names of weights that the outputs depend on and that are not to learn.
        mode_difference: of training and evaluation mode, over the deviation of the logits.
        best_assignment: accuracy under the best assignment of predicted to true classes, chosen
            on training texts.
        order: that assignment: output ``i`` means class ``order[i]``.
        measured_score: accuracy on validation as it is counted here.
        median_length: vectors of a text.
        padding_share: of the positions of a batch.
        reach: norm of the gradient at distances 10 and 100 from the end of a text, over that at
            its end; None beyond the texts.
        train_losses: mean loss of each epoch of the plain loop.
        dropped: largest share that a layer drops.
        directions: in which the logits of the training texts differ: the rank of what a
            softmax sees of them.
        fitted_here: whether an estimator was fitted here, not by its user.
        parameters: of an estimator, that differ from its defaults.
    """

    alone: float | None = None
    neighbours: float | None = None
    padded: float | None = None
    reversed: float | None = None
    twice: float | None = None
    failures: tuple[tuple[str, str], ...] = ()
    bounded: bool = False
    sums_to_one: bool = False
    output: str = "logits"
    floor: float = 0.0
    first_loss: float | None = None
    final_train_loss: float | None = None
    by_heart: float | None = None
    by_heart_steps: int = 0
    gradients_double: bool = False
    loop_score: float | None = None
    loop_reference: float | None = None
    loop_moves: bool = True
    loop_unmoved: tuple[str, ...] = ()
    loop_finite: bool = True
    unchanged: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    mode_difference: float | None = None
    best_assignment: float | None = None
    order: tuple[int, ...] = ()
    measured_score: float | None = None
    median_length: float = 1.0
    padding_share: float = 0.0
    reach: tuple[float | None, ...] = ()
    train_losses: tuple[float, ...] = ()
    dropped: float = 0.0
    directions: int | None = None
    fitted_here: bool = False
    parameters: tuple[tuple[str, Any], ...] = ()
