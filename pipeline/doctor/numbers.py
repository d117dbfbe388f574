"""The measurements as a table for people: what, its value, and what is usual."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.doctor.causes.signs import percent
from pipeline.doctor.measurements import Audit, Learning, Measurements, Sides, Steps
from pipeline.doctor.symptom import name_of

Row = tuple[str, str, str]
"""What, value, usual range."""


def number_rows(measured: Measurements) -> tuple[Row, ...]:
    """Return every number that was measured, with what is usual."""
    return tuple(_rows(measured))


def _rows(measured: Measurements) -> Iterator[Row]:
    if measured.learning is not None:
        yield from _learning(measured.learning)
    if measured.references is not None:
        for each in measured.references.references:
            yield f"accuracy of {name_of(each)}", f"{each.accuracy:.1%}", "below the head"
        gained = measured.references.points_per_doubling
        if gained is not None:
            yield "logistic gains by twice the texts", f"{100 * gained:+.1f} points", "0 to 2"
    if measured.steps is not None:
        yield from _steps(measured.steps)
    if measured.rates is not None:
        own = measured.settings.number("learning_rate")
        suggestion = measured.rates.suggestion
        yield (
            "step size",
            f"{own:g}",
            f"{suggestion / 4:.2g} to {4 * suggestion:.2g} (range test)",
        )
    if measured.units is not None:
        for layer in measured.units.layers:
            shares = f"{layer.dead:.0%} and {layer.saturated:.0%}"
            yield f"dead and saturated units of {layer.name}", shares, "below 50 %"
    if measured.neighbours is not None:
        near = measured.neighbours
        yield (
            "nearest training texts with the same label",
            f"{near.agreement:.0%} (z {near.z:.0f})",
            f"far above {near.expected:.0%}, z above 3",
        )
    if measured.sides is not None:
        yield from _sides(measured.sides)
    if measured.audit is not None:
        yield from _audit(measured.audit)
    if measured.vectors is not None:
        found = measured.vectors
        yield "features without deviation", f"{found.constant_share:.0%}", "below 20 %"
        yield "mean cosine of two texts", f"{found.mean_cosine:.2f}", "below 0.95"
        yield "effective rank of the vectors", f"{found.effective_rank:.0f}", "2 for each class"


def _learning(found: Learning) -> Iterator[Row]:
    yield (
        "validation accuracy",
        f"{found.accuracy:.1%}",
        f"above {found.majority:.1%} (majority)",
    )
    if found.train_accuracy is not None:
        yield "accuracy on training texts", f"{found.train_accuracy:.1%}", "above validation"
    yield "loss, less than that of the best constant by", f"{found.gain:.0%}", "above 2 %"
    yield (
        "classes that are used",
        f"{found.effective_classes:.1f}",
        f"{found.effective_labels / 2:.1f} to {found.effective_labels:.1f}",
    )
    yield "best epoch", f"{found.best_epoch} of {len(found.epochs)}", "not the last"


def _steps(found: Steps) -> Iterator[Row]:
    yield (
        "one step changes the weights by",
        percent(found.update_ratio),
        "0.1 to 3 %",
    )
    if found.clipped_share is not None:
        yield "steps that were clipped", f"{found.clipped_share:.0%}", "below 90 %"
    yield "steps", f"{found.count:,}", "30 for each class"


def _sides(found: Sides) -> Iterator[Row]:
    for side, auc in (("validation", found.auc_validation), ("test", found.auc_test)):
        if auc is not None:
            yield f"training told from {side} (AUC)", f"{auc:.2f}", "below 0.70"
    yield "validation texts with a copy in training", f"{found.copied_share:.0%}", "below 5 %"
    yield "label shares of validation apart by", f"{found.apart_validation:.2f}", "below 0.15"


def _audit(found: Audit) -> Iterator[Row]:
    if found.wrong is not None:
        yield "wrong labels, estimated", f"{found.wrong.share:.0%}", "below 10 %"
    yield "texts cut off", f"{found.truncated_share:.0%}", "below 20 %"
    yield "texts of a class with one giveaway", f"{found.giveaway_share:.0%}", "below 15 %"
