"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import importlib.util
import sys
from types import TracebackType
from typing import TextIO

from pipeline.console import write

LINE_SECONDS = 10.0
"""Seconds between two lines where stderr is no terminal."""

REDRAW_SECONDS = 0.1
"""Seconds between two drawings of the bar on a terminal."""


class Progress:
    """Count work done against a total; show the rate and the time left.

    Use it as a context manager: leaving it writes the last line, but an error clears the bar.

    Args:
        what: the noun of the line, such as ``encoding``.
        total: units of work; nothing is shown if it is 0.
        unit: name of the units in the plural, such as ``texts``.
        stream: where to write; None takes stderr.
        interval: seconds between two lines or drawings; None for the defaults.
    """

    def __init__(
        self,
        what: str,
        total: int,
        unit: str,
        stream: TextIO | None = None,
        interval: float | None = None,
    ) -> None:
        self._bar = None
        stream = stream or sys.stderr
        if not total or stream is None:
            return
        # Imported only if there is work to count: a command with everything cached stays quick.
        import shutil
        import threading

        notebook = _in_notebook()
        widgets = notebook and importlib.util.find_spec("ipywidgets") is not None
        tqdm = importlib.import_module("tqdm.notebook" if widgets else "tqdm").tqdm

        class Bar(tqdm):  # type: ignore[misc, valid-type]  # tqdm has no types
            monitor_interval = 0  # no extra thread: each count looks at the clock

        Bar.set_lock(threading.RLock())  # tqdm's own takes a semaphore of the system
        terminal = stream.isatty() or notebook
        if interval is None:
            interval = REDRAW_SECONDS if terminal else LINE_SECONDS
        self._bar = Bar(
            desc=what,
            total=total,
            unit=f" {unit}",
            file=_TerminalStream(stream) if terminal else _LineStream(stream),
            mininterval=interval,
            miniters=1,
            delay=interval,
            ncols=None if notebook or not terminal else shutil.get_terminal_size().columns,
            ascii=".#",
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.leave = kind is None and self._bar.n > 0
            if self._bar.leave:
                self._bar.delay = 0  # write the last line even if the work was short
            self._bar.close()

    def advance(self, count: int) -> None:
        """Count more units as done, and redraw when it is time."""
        if self._bar is not None:
            self._bar.update(count)


def _in_notebook() -> bool:
    """Return whether this is a notebook, which draws bars though its stderr is no terminal."""
    shell = sys.modules.get("IPython")
    return shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None


class _TerminalStream:
    """The stream that tqdm draws on. The work goes on if it is closed or full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        write(self._stream, text)

    def flush(self) -> None:
        """Do nothing: what is written is flushed already."""


class _LineStream(_TerminalStream):
    """The same for a stream that is no terminal: each drawing becomes a line."""

    def write(self, text: str) -> None:
        if line := text.strip():
            super().write(f"{line}\n")


def duration(seconds: float) -> str:
    """Return seconds for people.

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
