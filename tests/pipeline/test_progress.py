"""Progress lines: plain off a terminal, one moving line on it."""

from __future__ import annotations

import io

import pytest

from pipeline import progress
from pipeline.progress import Progress, duration, line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_by_hand() -> None:
    assert line("encoding", 50, 200, "texts", 10.0) == (
        "encoding  25 % ######.................. 50/200 texts, 5/s, 30 s left"
    )
    assert line("encoding", 200, 200, "texts", 10.0).endswith("200/200 texts, 20/s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.21, "3.2 s"), (59.4, "59 s"), (75, "1 min 15 s"), (7300, "2 h 1 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_off_a_terminal_lines_come_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 11.0, 12.0, 12.5])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(now))
    stream = io.StringIO()
    shown = Progress("encoding", 3, "texts", stream)
    for _ in range(3):
        shown.advance(1)
    shown.finish()
    lines = stream.getvalue().splitlines()
    assert [text.split()[4] for text in lines] == ["2/3", "3/3"]
    assert "\r" not in stream.getvalue()


def test_on_a_terminal_the_line_is_redrawn() -> None:
    stream = Terminal()
    shown = Progress("encoding", 1, "texts", stream)
    shown.advance(1)
    shown.finish()
    assert stream.getvalue().startswith("\r\x1b[Kencoding 100 %")
    assert stream.getvalue().endswith("\n")


def test_nothing_done_shows_nothing() -> None:
    stream = Terminal()
    Progress("encoding", 0, "texts", stream).finish()
    assert stream.getvalue() == ""
