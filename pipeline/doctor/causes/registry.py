"""The causes that are looked for: one line each."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.capacity.loss_distorted import LOSS_DISTORTED
from pipeline.doctor.causes.capacity.over_regularised import OVER_REGULARISED
from pipeline.doctor.causes.capacity.overfit import OVERFIT
from pipeline.doctor.causes.capacity.too_few_texts import TOO_FEW_TEXTS
from pipeline.doctor.causes.capacity.too_small_head import TOO_SMALL_HEAD
from pipeline.doctor.causes.departures import beside_defaults
from pipeline.doctor.causes.labels.classes_overlap import CLASSES_OVERLAP
from pipeline.doctor.causes.labels.imbalance import IMBALANCE
from pipeline.doctor.causes.labels.label_noise import LABEL_NOISE
from pipeline.doctor.causes.labels.labels_unrelated import LABELS_UNRELATED
from pipeline.doctor.causes.sides.copies_across import COPIES_ACROSS
from pipeline.doctor.causes.sides.giveaway import GIVEAWAY
from pipeline.doctor.causes.sides.shift import SHIFT
from pipeline.doctor.causes.sides.split_by_order import SPLIT_BY_ORDER
from pipeline.doctor.causes.steps.dead_or_saturated import DEAD_OR_SATURATED
from pipeline.doctor.causes.steps.step_too_large import STEP_TOO_LARGE
from pipeline.doctor.causes.steps.step_too_small import STEP_TOO_SMALL
from pipeline.doctor.causes.steps.too_few_steps import TOO_FEW_STEPS
from pipeline.doctor.causes.steps.unstable import UNSTABLE
from pipeline.doctor.causes.vectors.cut_off import CUT_OFF
from pipeline.doctor.causes.vectors.long_last_state import LONG_LAST_STATE
from pipeline.doctor.causes.vectors.vectors_broken import VECTORS_BROKEN
from pipeline.doctor.causes.vectors.vectors_lack_it import VECTORS_LACK_IT

_OWN_RULES: tuple[Cause, ...] = (
    STEP_TOO_LARGE,
    STEP_TOO_SMALL,
    TOO_FEW_STEPS,
    UNSTABLE,
    DEAD_OR_SATURATED,
    LONG_LAST_STATE,
    OVERFIT,
    OVER_REGULARISED,
    TOO_SMALL_HEAD,
    LOSS_DISTORTED,
    IMBALANCE,
    TOO_FEW_TEXTS,
    LABEL_NOISE,
    LABELS_UNRELATED,
    CLASSES_OVERLAP,
    SPLIT_BY_ORDER,
    COPIES_ACROSS,
    GIVEAWAY,
    SHIFT,
    CUT_OFF,
    VECTORS_LACK_IT,
    VECTORS_BROKEN,
)

CAUSES: tuple[Cause, ...] = tuple(map(beside_defaults, _OWN_RULES))
"""In the order of the table in docs/doctor.md; the stage decides what is examined first."""
