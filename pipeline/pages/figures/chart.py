"""Line charts as numbers: where lines, ticks and marks stand in a drawing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipeline.pages.figures.symbol import Symbol, symbol

WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 12, 46
"""Of the drawing, and its margins, in units of the drawing."""

MAX_POINTS = 400
"""Of a line; of a longer one every second, third ... is drawn."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Series:
    """A line to draw.

    Attributes:
        name: for the legend; '' of one that is not named there.
        kind: its style: ``training``, ``validation``, ``faint``, ``even``, ``own`` ...
        points: (x, y); one that is not finite is left out.
        dots: radius of a dot at each point; () draws none.
    """

    name: str
    kind: str
    points: Points
    dots: Sequence[float] = ()


@dataclass(frozen=True)
class Spot:
    """A point of a chart.

    Attributes:
        name: for the legend; '' of one that is not named there.
        kind: which symbol, as ``symbol`` takes it.
        x, y: where.
        told: what a pointer reads there.
    """

    name: str
    kind: int
    x: float
    y: float
    told: str = ""


@dataclass(frozen=True)
class Axis:
    """An axis: its name, its ends and its ticks, each with what stands there."""

    name: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Return where a value stands between the ends, from 0 to 1."""
        if self.logarithmic:
            low, high = math.log(self.low), math.log(self.high)
            value = math.log(value)
        else:
            low, high = self.low, self.high
        return (value - low) / ((high - low) or 1.0)


@dataclass(frozen=True)
class Drawn:
    """A series in the units of the drawing."""

    name: str
    kind: str
    path: str
    dots: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Chart:
    """A drawing.

    Attributes:
        title: what it shows.
        told: the same in a sentence, for who does not see it.
        across, up: names of the axes.
        series: the lines.
        x_ticks, y_ticks: (place, text).
        marks: vertical lines, (place, text).
        symbols: single points, and their legend: (name, the symbol beside it).
        box, frame: the drawing, and its frame: left, top, right, bottom.
    """

    title: str
    told: str
    across: str
    up: str
    series: tuple[Drawn, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    marks: tuple[tuple[float, str], ...]
    symbols: tuple[Symbol, ...] = ()
    legend: tuple[tuple[str, Symbol], ...] = ()
    box: tuple[int, int] = (WIDTH, HEIGHT)
    frame: tuple[int, int, int, int] = (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)


def draw(
    title: str,
    told: str,
    x: Axis,
    y: Axis,
    series: Iterable[Series],
    marks: Sequence[tuple[float, str]] = (),
    spots: Sequence[Spot] = (),
) -> Chart:
    """Return a chart of some series, with marks at values of x, and single points."""

    def across(value: float) -> float:
        return round(LEFT + x.share(value) * (WIDTH - LEFT - RIGHT), 1)

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - y.share(value) * (HEIGHT - TOP - BOTTOM), 1)

    return Chart(
        title,
        told,
        x.name,
        y.name,
        tuple(_drawn(each, across, up) for each in series),
        tuple((across(value), text) for value, text in x.ticks),
        tuple((up(value), text) for value, text in y.ticks),
        tuple((across(value), text) for value, text in marks),
        tuple(symbol(each.kind, across(each.x), up(each.y), each.told) for each in spots),
        tuple(
            (name, symbol(kind, 7, 5))
            for name, kind in dict.fromkeys((each.name, each.kind) for each in spots)
            if name
        ),
    )


def _drawn(
    series: Series, across: Callable[[float], float], up: Callable[[float], float]
) -> Drawn:
    known = [i for i, point in enumerate(series.points) if all(map(math.isfinite, point))]
    step = 1 + len(known) // MAX_POINTS
    chosen = known[::step]
    places = [(across(series.points[i][0]), up(series.points[i][1])) for i in chosen]
    path = " ".join(f"{a:g},{b:g}" for a, b in places)
    dots = tuple(
        (*place, round(series.dots[i], 1))
        for i, place in zip(chosen, places, strict=True)
        if series.dots
    )
    return Drawn(series.name, series.kind, path, dots)


def axis(name: str, values: Iterable[float], most: int = 6) -> Axis:
    """Return an axis with round ticks that holds all finite values."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    step = _step((high - low) / most)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    count = round((high - low) / step)
    ticks = tuple((low + i * step, f"{low + i * step:.6g}") for i in range(count + 1))
    return Axis(name, low, high, ticks)


def shares_axis(name: str, values: Iterable[float] = (0.0, 1.0)) -> Axis:
    """Return an axis of shares in [0, 1], told as percentages."""
    found = axis(name, values, 5)
    low, high = max(0.0, found.low), min(1.0, found.high)
    inside = [value for value, _ in found.ticks if low - 1e-9 <= value <= high + 1e-9]
    return Axis(name, low, high, tuple((value, f"{value:.0%}") for value in inside))


def numbers_axis(name: str, last: int) -> Axis:
    """Return an axis of whole numbers from 1 to the last."""
    step = max(1, math.ceil(_step(max(1, last - 1) / 8)))
    ticks = sorted({1, *range(step, last + 1, step)})
    return Axis(name, 1, max(2, last), tuple((each, str(each)) for each in ticks))


def tried_axis(name: str, values: Iterable[float]) -> Axis:
    """Return a logarithmic axis with a tick at each value that was tried."""
    known = sorted({value for value in values if value > 0}) or [1.0]
    low, high = known[0], known[-1]
    if low == high:
        low, high = low / 2, high * 2
    return Axis(name, low, high, tuple((each, f"{each:g}") for each in known), True)


def _step(rough: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below a number."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
