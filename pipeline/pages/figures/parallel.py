"""Parallel coordinates: a line per trial through the values of its settings to its accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.pages.figures.chart import Axis
from pipeline.pages.figures.study_charts import accuracy_axis, told, value_axis
from pipeline.search.candidate import Trial, usual_settings
from pipeline.search.judging.shares import Share

GAP, LEFT, RIGHT = 130, 70, 70
TOP, HEIGHT, BOTTOM = 34, 260, 14
"""Between two axes, beside them, above, of each, and below, in units of the drawing."""

MOST_AXES = 7
"""Settings of a chart; of more, those that mattered most."""

MIN_TRIALS = 3
"""Of a chart."""

BEST, TOP_SHARE = 3, 0.1
"""So many of the best trials, or that share of all if it is more, have strong lines."""


@dataclass(frozen=True)
class Line:
    """A trial: its path, whether it is among the best, and what a pointer reads there."""

    path: str
    best: bool
    told: str


@dataclass(frozen=True)
class Upright:
    """An axis: where it stands, its name, and its ticks as (place, text)."""

    x: float
    name: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Parallel:
    """A drawing.

    Attributes:
        title: what it shows.
        told: the same in a sentence, for who does not see it.
        axes: from left to right; the last is the accuracy.
        lines: the best last, above the others.
        top, bottom: ends of the axes.
        box: of the drawing.
    """

    title: str
    told: str
    axes: tuple[Upright, ...]
    lines: tuple[Line, ...]
    top: int
    bottom: int
    box: tuple[int, int]


def parallel(head: str, trials: Sequence[Trial], found: Sequence[Share]) -> Parallel | None:
    """Return the trials of a head; None where there are too few, or no setting differs.

    Args:
        head: its name.
        trials: of this head, that have an accuracy.
        found: the settings that mattered, the largest share first.
    """
    if len(trials) < MIN_TRIALS:
        return None
    columns = _columns(head, trials, found)
    if not columns:
        return None
    axes = [value_axis(name, values) for name, values in columns]
    last = accuracy_axis(trials)
    accuracies = [trial.outcome.accuracy for trial in trials]
    axes.append((last, [max(value, last.low) for value in accuracies]))
    bottom = TOP + HEIGHT

    def down(own: Axis, value: float) -> float:
        return round(bottom - own.share(value) * HEIGHT, 1)

    order = sorted(range(len(trials)), key=lambda i: accuracies[i])
    strong = order[-max(BEST, round(TOP_SHARE * len(trials))) :]
    lines = tuple(
        Line(
            " ".join(
                f"{LEFT + place * GAP:g},{down(own, values[i]):g}"
                for place, (own, values) in enumerate(axes)
            ),
            i in strong,
            told(trials[i]),
        )
        for i in order
    )
    best = trials[order[-1]]
    return Parallel(
        f"{head}: {len(trials):,} trials",
        f"The best of {head}: {told(best)}.",
        tuple(
            Upright(
                LEFT + place * GAP,
                own.name if place < len(axes) - 1 else "accuracy",
                tuple((down(own, value), text) for value, text in own.ticks),
            )
            for place, (own, _) in enumerate(axes)
        ),
        lines,
        TOP,
        bottom,
        (LEFT + (len(axes) - 1) * GAP + RIGHT, bottom + BOTTOM),
    )


def _columns(
    head: str, trials: Sequence[Trial], found: Sequence[Share]
) -> list[tuple[str, list[object]]]:
    """Return the settings that differ among trials, with the value of each trial."""
    names = dict.fromkeys(name for trial in trials for name in trial.candidate.settings)
    usual = usual_settings(head)
    columns: list[tuple[str, list[object]]] = [
        (name, [trial.candidate.settings.get(name, usual.get(name)) for trial in trials])
        for name in names
    ]
    places = [trial.candidate.layout for trial in trials]
    layers = [trial.candidate.layers or "usual" for trial in trials]
    encoders = [trial.candidate.encoder.rpartition("/")[2] for trial in trials]
    columns = [
        ("vectors", [*places]),
        ("layers", [*layers]),
        ("encoder", [*encoders]),
        *columns,
    ]
    differing = [(name, values) for name, values in columns if len(set(values)) > 1]
    weight = {each.setting: each.share for each in found if each.head == head}
    kept = sorted(differing, key=lambda column: -weight.get(column[0], 0.0))[:MOST_AXES]
    return [column for column in differing if column in kept]
