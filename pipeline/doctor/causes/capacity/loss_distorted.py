"""The loss that is trained is far from the plain one: extreme class weights, hardest, focal."""

from __future__ import annotations

from pipeline.doctor.cause import Cause
from pipeline.doctor.causes.signs import assigned, is_low
from pipeline.doctor.counterfactual import ChangedSettings
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Learning, Measurements
from pipeline.doctor.symptom import symptom_of

RATIO = 50.0
"""Largest over smallest class weight. Ours."""

GAMMA = 4.0
"""Of the focal loss; its paper takes 2, and 5 at most (Lin et al., arXiv:1708.02002)."""

TIMES = 3.0
"""A class is predicted this many times as often as it is there. Ours."""


def examine(measured: Measurements) -> Suspicion | None:
    """Suspect it where the settings name such a loss."""
    learning = measured.learning
    assert learning is not None
    found = distortion(measured)
    if found is None:
        return None
    what, shown, usual = found
    over = over_predicted(learning, measured.labels.validation_counts)
    evidence = [Evidence(what, shown, usual)]
    if over is not None:
        place, times = over
        name = measured.labels.names[place]
        evidence.append(
            Evidence(f"{name} is predicted", f"{times:.1f} times its share", "1 is usual")
        )
    low = is_low(measured)
    changed = (("loss", "cross_entropy"), ("class_weights", "none"))
    words = assigned(changed)
    return Suspicion(
        strength=0.4 + 0.2 * (over is not None) + 0.2 * low,
        headline=symptom_of(measured),
        explanation=f"the loss is distorted: {what} {shown}",
        evidence=tuple(evidence),
        remedy=Remedy("train with the plain cross-entropy", settings=changed),
        counterfactuals=(ChangedSettings(words, changed),),
    )


def distortion(measured: Measurements) -> tuple[str, str, str] | None:
    """Return what distorts the loss, its value, and what is usual; None where nothing does."""
    values = measured.settings.values
    if values.get("loss") == "hardest":
        hardest, batch = int(values.get("hardest", 0)), int(values.get("batch_size", 0))
        if hardest < batch:
            return "loss=hardest", f"{hardest} of {batch} texts count", "all"
    if values.get("loss") == "focal" and float(values.get("focal_gamma", 0)) > GAMMA:
        return "focal_gamma", f"{values['focal_gamma']:g}", "2 is usual"
    ratio = weight_ratio(measured)
    if ratio > RATIO:
        return "largest over smallest class weight", f"{ratio:,.0f}", "below 10 is usual"
    return None


def weight_ratio(measured: Measurements) -> float:
    """Return the largest over the smallest weight of a class; 1 without weights."""
    from heads.class_weights import RULES, parse_weights

    rule = str(measured.settings.values.get("class_weights", "none"))
    if rule == "none":
        return 1.0
    if rule in RULES:
        return measured.labels.imbalance
    weights = [*parse_weights(rule).values(), 1.0]
    return max(weights) / max(min(weights), 1e-9)


def over_predicted(learning: Learning, counts: tuple[int, ...]) -> tuple[int, float] | None:
    """Return the class that is predicted most too often, and how many times its share."""
    total = max(1, sum(counts))
    found = [
        (share / max(count / total, 1 / total), place)
        for place, (share, count) in enumerate(
            zip(learning.predicted_shares, counts, strict=True)
        )
    ]
    times, place = max(found)
    return (place, times) if times > TIMES else None


LOSS_DISTORTED = Cause("loss_distorted", "a distorted loss", "learning", examine)
