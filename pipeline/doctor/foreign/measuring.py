"""Measure a module: M13 and M14, before and after it was trained here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from heads.evaluation.assignment import best_assignment
from heads.examination.by_heart import ByHeart, learn_by_heart
from heads.examination.dropout import most_dropped
from heads.examination.gradients import gradient_by_distance, used_weights
from heads.examination.invariances import Invariances as Compared
from heads.examination.invariances import measure_invariances
from heads.examination.modes import mode_difference
from heads.examination.outputs import LOGITS, SIGMOID_OF_SOFTMAX, SOFTMAX, loss_floor
from pipeline.doctor.foreign.case import ModuleCase
from pipeline.doctor.measurements import Invariances

DISTANCES = (0, 10, 100)
"""From the end of a text, in vectors, at which the gradient is measured."""

ROUNDING = 1e-5
"""Share of the norm of all logits below which a direction of them is rounding."""

TEXTS = 512
"""Validation texts on which the modes are compared."""


def measure_module(case: ModuleCase) -> Invariances:
    """Return what is measured of a trained module and of one that is still to be trained.

    Raises:
        ModuleError: it fails on an ordinary batch.
    """
    learned, problem, build = case.learned, case.problem, case.build_module
    assert learned is not None
    assert problem is not None
    assert build is not None
    compared = measure_invariances(learned.module, problem.table, problem.validation)
    heart = learn_by_heart(build, problem, learned.loop)
    read = learned.loop.reading != LOGITS  # its inverse gives the logits back
    output = LOGITS if read else _output(compared, heart)
    truth = problem.labels[learned.train_rows]
    assigned = best_assignment(truth, learned.train_logits.argmax(axis=1), problem.classes)
    order = assigned.classes
    lengths = problem.table.lengths
    gaps = compared.differences
    return Invariances(
        alone=gaps.get("alone"),
        neighbours=gaps.get("neighbours"),
        padded=gaps.get("padding"),
        reversed=gaps.get("order"),
        twice=gaps.get("repeat"),
        failures=tuple(compared.failures.items()),
        bounded=compared.outputs.lowest >= 0.0 and compared.outputs.highest <= 1.0,
        sums_to_one=compared.outputs.kind == SOFTMAX,
        output=output,
        floor=loss_floor(output, problem.classes),
        first_loss=heart.first_loss,
        final_train_loss=learned.resting_loss,
        by_heart=heart.wrong,
        by_heart_steps=heart.steps,
        unchanged=used_weights(learned.module, heart.unmoved, problem, learned.loop),
        frozen=_frozen(case),
        mode_difference=mode_difference(
            learned.module, problem.table, problem.validation[:TEXTS], learned.loop
        ),
        **_looped(case, heart.unmoved),
        best_assignment=float((order[case.predicted] == case.labels[case.validation]).mean()),
        order=tuple(order.tolist()),
        measured_score=float(case.right.mean()),
        median_length=float(np.median(lengths)),
        padding_share=compared.padding_share,
        reach=_reach(case),
        train_losses=tuple(each.train_loss for each in learned.history),
        dropped=most_dropped(build()) if learned.loop.dropout else 0.0,
        directions=_directions(learned.train_logits),
    )


def _directions(logits: np.ndarray) -> int | None:
    """Return in how many directions (n, C) logits differ between texts, apart from rounding."""
    values = logits - logits.mean(axis=1, keepdims=True)  # what a softmax does not see
    values = values - values.mean(axis=0)
    if not np.isfinite(values).all():
        return None
    return int(np.linalg.matrix_rank(values, tol=ROUNDING * np.linalg.norm(values)))


def _frozen(case: ModuleCase) -> tuple[str, ...]:
    """Return the weights that count and are not to learn."""
    learned, problem = case.learned, case.problem
    assert learned is not None
    assert problem is not None
    weights = learned.module.module.named_parameters()
    names = tuple(name for name, one in weights if not one.requires_grad)
    return used_weights(learned.module, names, problem, learned.loop) if names else ()


def _looped(case: ModuleCase, unmoved: Sequence[str]) -> dict[str, Any]:
    """Return what a loop of the user's own does, if they bring one.

    Args:
        case: of the module.
        unmoved: weights that the plain loop does not move either.
    """
    found = case.looped
    if found is None:
        return {}
    truth = case.labels[case.validation]
    reference = case.reference
    return {
        "loop_score": float((found.logits.argmax(axis=1) == truth).mean()),
        "loop_reference": (
            None
            if reference is None
            else float((reference.logits.argmax(axis=1) == truth).mean())
        ),
        "loop_moves": found.moved,
        "loop_unmoved": tuple(name for name in found.unmoved if name not in unmoved),
        "loop_finite": bool(np.isfinite(found.logits).all()),
        "gradients_double": found.steps > 1 and found.cleared == 0,
    }


def _output(compared: Compared, heart: ByHeart) -> str:
    """Return the bounded function that all outputs fit, of a module that learned; or logits.

    Before it has learned, small logits look bounded; so both a module that learned 16 texts by
    heart and one that was trained must fit. Of one that cannot learn, only rows that sum to 1
    are believed.
    """
    kind = heart.outputs.kind
    sums = kind in (SOFTMAX, SIGMOID_OF_SOFTMAX)
    return kind if compared.outputs.kind == kind and (heart.learned or sums) else LOGITS


def _reach(case: ModuleCase) -> tuple[float | None, ...]:
    assert case.learned is not None
    assert case.problem is not None
    found = gradient_by_distance(
        case.learned.module, case.problem, case.learned.loop, DISTANCES
    )
    end = found.get(0, 0.0)
    if not end:
        return ()
    return tuple(found[each] / end if each in found else None for each in DISTANCES[1:])
