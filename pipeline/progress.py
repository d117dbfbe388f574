"""Progress on stderr: a moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from pipeline.console import write

LINE_SECONDS = 10.0
"""Where stderr is no terminal, a line this often at the most."""

REDRAW_SECONDS = 0.1
BAR_CELLS = 24


class Progress:
    """Counts work done against a total and shows rate and time left.

    Args:
        what: the noun of the line, such as ``encoding``.
        total: units of work in all.
        unit: their name in the plural, such as ``texts``.
        stream: where to write; None takes stderr.
    """

    def __init__(self, what: str, total: int, unit: str, stream: TextIO | None = None) -> None:
        self.what, self.total, self.unit = what, total, unit
        self._stream = stream or sys.stderr
        self._terminal = self._stream is not None and self._stream.isatty()
        self._start = self._shown = time.perf_counter()
        self._done = 0

    def advance(self, count: int) -> None:
        """Count more units as done and redraw where it is time to."""
        self._done += count
        now = time.perf_counter()
        if now - self._shown >= (REDRAW_SECONDS if self._terminal else LINE_SECONDS):
            self._shown = now
            self._write(line(self.what, self._done, self.total, self.unit, now - self._start))

    def finish(self) -> None:
        """Write the last line. Nothing was shown and nothing done: nothing is written."""
        if self._done:
            seconds = time.perf_counter() - self._start
            self._write(line(self.what, self._done, self.total, self.unit, seconds))
            if self._terminal:
                write(self._stream, "\n")

    def _write(self, text: str) -> None:
        write(self._stream, f"\r\x1b[K{text}" if self._terminal else f"{text}\n")


def line(what: str, done: int, total: int, unit: str, seconds: float) -> str:
    """One line of progress.

    >>> line("encoding", 50, 200, "texts", 10.0)
    'encoding  25 % ######.................. 50/200 texts, 5/s, 30 s left'
    """
    share = done / total if total else 1.0
    rate = done / seconds if seconds > 0 else 0.0
    filled = int(share * BAR_CELLS)
    bar = "#" * filled + "." * (BAR_CELLS - filled)
    left = f", {duration((total - done) / rate)} left" if rate and done < total else ""
    return f"{what} {share:4.0%} {bar} {done:,}/{total:,} {unit}, {rate:,.0f}/s{left}".replace(
        "% ", " % ", 1
    )


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> duration(3.21), duration(75), duration(7300)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
