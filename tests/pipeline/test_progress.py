"""Progress: plain lines off a terminal, one bar on it, and no work ended for its sake."""

from __future__ import annotations

import io
import os
from contextlib import suppress

import pytest

from pipeline.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        return os.open(os.devnull, os.O_WRONLY)


class FullTerminal(Full, Terminal):
    pass


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.21, "3.2 s"), (59.4, "59 s"), (75, "1 min 15 s"), (7300, "2 h 1 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def counted(stream: io.StringIO, interval: float | None) -> str:
    with Progress("encoding", 3, "texts", stream, interval) as shown:
        for _ in range(3):
            shown.advance(1)
    return stream.getvalue()


def test_off_a_terminal_lines_come_seldom() -> None:
    (line,) = counted(io.StringIO(), None).splitlines()
    assert line.startswith("encoding: 100%")
    assert "3/3" in line
    lines = counted(io.StringIO(), 0.0).splitlines()
    assert all(f"{count}/3" in lines[count] for count in (1, 2, 3))
    assert all(line.strip() and "\r" not in line for line in lines)


def test_on_a_terminal_the_line_is_redrawn() -> None:
    text = counted(Terminal(), 0.0)
    assert text.count("\r") >= 3
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "3/3" in text.splitlines()[-1]


def test_nothing_done_shows_nothing() -> None:
    for total in (0, 5):
        stream = Terminal()
        with Progress("encoding", total, "texts", stream):
            pass
        assert stream.getvalue() == ""


def test_an_error_stands_alone() -> None:
    lines = io.StringIO()
    with suppress(ValueError), Progress("encoding", 3, "texts", lines) as shown:
        shown.advance(1)
        raise ValueError
    assert lines.getvalue() == ""


@pytest.mark.parametrize("stream", [Full(), FullTerminal()])
def test_a_full_stream_ends_no_work(stream: Full) -> None:
    assert counted(stream, 0.0) == ""
