"""Some seeds learn and others do not: with these settings it is a matter of luck."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.changes.seeds import with_failed_seed
from pipeline.doctor.counterfactual import Rescoring
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements

FAILED = 0.5
"""A seed has failed whose gain over the majority is below this share of the best seed's: a
"failed run" (Mosbach et al., arXiv:2006.04884)."""

LEAST_GAIN = 0.1
"""Gain of the best seed, below which none has learned."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where 1 to n - 1 of n seeds have failed."""
    learning, noise, rates = measured.learning, measured.noise, measured.rates
    assert learning is not None
    assert noise is not None
    gains = [accuracy - learning.majority for accuracy in noise.accuracies]
    best = max(gains)
    failed = sum(gain < FAILED * best for gain in gains)
    if best < LEAST_GAIN or not 0 < failed < len(gains):
        return None
    rate = measured.settings.number("learning_rate")
    wanted = f"{rate / 4 if rates is None else min(rate / 2, rates.suggestion):.2g}"
    changed = (("learning_rate", wanted), ("warmup", "0.1"))
    told = ", ".join(f"{accuracy:.1%}" for accuracy in noise.accuracies)
    return Suspicion(
        strength=0.7,
        headline=f"{failed} of {len(gains)} seeds do not learn: {told}.",
        explanation="the training is unstable: the seed decides whether it learns",
        evidence=(Evidence("accuracy by seed", told, "a few points apart are usual"),),
        remedy=Remedy(
            f"lower the step size to {wanted}, with a warm-up, or train several members",
            settings=changed,
        ),
        counterfactuals=(
            Rescoring(
                f"the worst seed with learning_rate {rate:g} -> {wanted}, warm-up 0.1",
                with_failed_seed(changed),
                trainings=2.0,
                trains=True,
            ),
        ),
    )


UNSTABLE = Cause(
    "unstable",
    "unstable training",
    "learning",
    examine,
    needs=("learning", "noise"),
)
