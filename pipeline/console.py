"""The terminal: what people read on stdout and stderr, and how it gets there.

Texts, labels and file names are data. ``one_line`` takes out of them what a terminal obeys or
what breaks a line, before they stand in a line of ours; ``print_note`` and ``show`` take it out
of every line once more, so that none slips through in the message of another library.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, TextIO

from features.errors import OutputError

CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 and C1: escape, bell, line breaks, cursor moves
    "\xad\u200b\u2060-\u2064\ufeff"  # of no width
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # change the direction of what follows
    "\u2028\u2029"  # line and paragraph separators
    "\ufff9-\ufffb\U000e0000-\U000e007f]"  # annotations and tags, which hide text
)
"""What a terminal may obey or hide. Joiners stay: scripts and emoji need them."""

UNLIMITED_CELLS = 100_000
"""Width of a table that nobody folds."""

MIN_TABLE_CELLS = 60
"""Width of a table on a terminal that is too narrow for one."""


def one_line(text: str, most: int | None = None) -> str:
    """Return a text on one line without control characters, cut where it is too long.

    >>> one_line("two\\nlines \\x1b[31mred"), one_line("abcdefgh", most=6)
    ('two lines [31mred', 'abc...')
    """
    flat = " ".join(CONTROL.sub(" ", text).split())
    return flat if most is None or len(flat) <= most else f"{flat[: most - 3]}..."


def print_note(text: str) -> None:
    """Write one line for people on stderr: stdout is for results."""
    write(sys.stderr, " ".join(map(_printable, text.splitlines())) + "\n")


def write(stream: TextIO | None, text: str) -> None:
    """Write to stderr. That it is closed or full is no reason to end the work."""
    if stream is not None:
        try:
            _write(stream, text)
        except OSError:
            _discard(stream)


def show(text: str) -> None:
    """Write a result for people on stdout.

    Raises:
        OutputError: stdout is closed or full.
        BrokenPipeError: who read it has gone.
    """
    _result("\n".join(map(_printable, text.split("\n"))))


def show_json(value: dict[str, Any]) -> None:
    """Write a result as one line of JSON on stdout. Raises as ``show`` does."""
    line = json.dumps(value, ensure_ascii=False)
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        line = json.dumps(value)
    _result(CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], line))


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    align: str,
    min_widths: Sequence[int] = (),
    fold: bool = True,
) -> str:
    """Return lines of aligned columns, every cell cleaned as ``one_line`` does.

    Columns align by the cells of the terminal: a Chinese letter takes two. On a terminal cells
    are folded to fit its width; elsewhere every row is one line, however long.

    Args:
        header: names of the columns; empty for none.
        rows: as many cells each as ``align`` has characters.
        align: ``<`` (left) or ``>`` (right) for each column.
        min_widths: the smallest width of each of the first columns, in cells.
        fold: fit the terminal's width, where there is one; False for a file.
    """
    # Imported only where a table is shown: rich costs a tenth of a second.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(header))
    for i, side in enumerate(align):
        made.add_column(
            Text(one_line(header[i]) if header else ""),
            justify="right" if side == ">" else "left",
            min_width=min_widths[i] if i < len(min_widths) else None,
            overflow="fold",
            header_style="none",
        )
    for row in rows:
        made.add_row(*(Text(one_line(cell)) for cell in row))
    stream = io.StringIO()
    width = _table_width() if fold else UNLIMITED_CELLS
    Console(file=stream, width=width, color_system=None, legacy_windows=False).print(made)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _table_width() -> int:
    """Cells of a line: those of the terminal; without one enough for every row."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    if not terminal:
        return UNLIMITED_CELLS
    return max(MIN_TABLE_CELLS, shutil.get_terminal_size().columns)


def open_streams() -> None:
    """Let /dev/null take the place of stdin, stdout and stderr where they are closed.

    Otherwise the next file that is opened takes it, and what a library prints goes into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _printable(line: str) -> str:
    """A line without control characters, but with the tabs and spaces of its layout."""
    return CONTROL.sub(lambda found: "\t" if found[0] == "\t" else " ", line)


def _result(text: str) -> None:
    if sys.stdout is None:
        raise OutputError("the result cannot be shown: stdout is closed; what was made is kept")
    try:
        _write(sys.stdout, text + "\n")
    except BrokenPipeError:
        _discard(sys.stdout)
        raise
    except OSError as error:
        _discard(sys.stdout)
        raise OutputError(
            f"the result cannot be shown: stdout cannot be written ({error.strerror}); what "
            "was made is kept: make room, or send the output elsewhere"
        ) from error


def _write(stream: TextIO, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _discard(stream: TextIO) -> None:
    """Send what is left in the buffer to /dev/null, or Python would complain at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def megabytes(size: int) -> str:
    """A size for people.

    >>> megabytes(1_234_567), megabytes(56_000_000_000)
    ('1.2 MB', '56.0 GB')
    """
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def short_label(label: str, most: int) -> str:
    """A label on one line, cut where it is long, with nothing that a terminal obeys."""
    return one_line(label, most)
