"""One thing that might help, what it gains, and what it costs; and the table of all."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipeline.command_line import as_typed
from pipeline.console import table
from pipeline.doctor.gains.curve import Curve
from pipeline.progress import duration

How = Literal["measured", "extrapolated", "bounded", "not measured"]
"""Trained and compared on the same validation texts; read off a learning curve; at most so
much; or nothing but its price is known."""


@dataclass(frozen=True)
class Gain:
    """One thing that might help.

    Attributes:
        name: for scripts, such as ``words``.
        words: for people.
        how: see ``How``.
        points: gain of accuracy on validation, in [-1, 1]; None where it is not measured.
        interval: its 95 % interval; of what is bounded, from 0 to the bound.
        seconds: what it costs each time: of one training, or of encoding; None if unknown.
        more_bytes: on disk, in the cache or the run; 0 if none.
        labour: what people have to do, '' for nothing.
        command: that does it, or ''.
    """

    name: str
    words: str
    how: How
    points: float | None = None
    interval: tuple[float, float] | None = None
    seconds: float | None = None
    more_bytes: int = 0
    labour: str = ""
    command: str = ""

    @property
    def sure(self) -> bool:
        """Return whether it was measured or extrapolated, and helps beyond noise."""
        known = self.how in ("measured", "extrapolated")
        return known and self.interval is not None and self.interval[0] > 0


@dataclass(frozen=True)
class Gains:
    """What would help most, best first.

    Attributes:
        gains: sorted.
        accuracy: of the head as it is, on validation, mean of the trainings.
        trainings: of each thing that was trained.
        texts: validation texts.
        curve: accuracy by number of training texts.
        seconds: all of it took.
    """

    gains: tuple[Gain, ...]
    accuracy: float
    trainings: int
    texts: int
    curve: Curve | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "accuracy": self.accuracy,
            "gains": [asdict(each) | {"sure": each.sure} for each in self.gains],
            "curve": None if self.curve is None else asdict(self.curve),
            "texts": self.texts,
            "trainings": self.trainings,
            "seconds": round(self.seconds, 3),
        }

    def to_text(self) -> str:
        """Return the table, for people."""
        rows = [
            (
                each.words,
                "?" if each.points is None else f"{100 * each.points:+.1f}",
                _interval(each),
                each.how,
                "" if each.seconds is None else duration(each.seconds),
                _size(each.more_bytes),
                each.labour,
            )
            for each in self.gains
        ]
        header = ("", "points", "95 %", "how", "a training", "bytes", "work")
        lines = [
            "What would help most?",
            table(header, rows, align="<>><>><"),
            f"Against {self.accuracy:.1%} on {self.texts:,} validation texts, mean of "
            f"{self.trainings} trainings. {duration(self.seconds)}.",
        ]
        if self.curve is not None:
            points = ", ".join(
                f"{count:,}: {accuracy:.1%}"
                for count, accuracy in zip(self.curve.texts, self.curve.accuracies, strict=True)
            )
            lines.append(f"By training texts: {points}.")
        lines.append(self.conclusion)
        best = self.gains[0] if self.gains else None
        if best is not None and best.sure and best.command:
            lines.append(f"Do this:  {as_typed(best.command)}")
        return "\n".join(lines)

    @property
    def conclusion(self) -> str:
        """Return which thing helps most, or that none does beyond noise."""
        sure = [each for each in self.gains if each.sure]
        if not sure:
            return "Nothing that was measured helps beyond noise."
        best = sure[0]
        assert best.points is not None
        return f"Most: {best.words}, {100 * best.points:+.1f} points ({_interval(best)})."


def by_gain(gains: list[Gain]) -> tuple[Gain, ...]:
    """Return gains sorted: beyond noise by their points, then the rest, then what is unknown.

    What is only bounded stands behind what was measured, by its bound.
    """

    def key(gain: Gain) -> tuple[int, float]:
        if gain.sure:
            return 0, -(gain.points or 0.0)
        order = {"measured": 1, "extrapolated": 1, "bounded": 2, "not measured": 3}
        return order[gain.how], -(gain.points or 0.0)

    return tuple(sorted(gains, key=key))


def _interval(gain: Gain) -> str:
    if gain.interval is None:
        return ""
    low, high = gain.interval
    if gain.how == "bounded":
        return f"at most {100 * high:+.1f}"
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def _size(count: int) -> str:
    if not count:
        return ""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.0f} KB"
