"""The causes that are looked for: one line each.

from pipeline.doctor.causes.steps.step_too_large import STEP_TOO_LARGE
"""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.steps.step_too_large import STEP_TOO_LARGE

CAUSES: tuple[Cause, ...] = (STEP_TOO_LARGE,)
"""In the order of the table in docs/doctor.md; the stage decides what is examined first."""


def cause_named(name: str) -> Cause:
    """Return the cause of a name. Raises ``KeyError``."""
    return {cause.name: cause for cause in CAUSES}[name]
