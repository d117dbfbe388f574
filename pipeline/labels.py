"""Labels as people see them."""

from __future__ import annotations

from pipeline.console import one_line


def short_label(label: str, most: int) -> str:
    """A label on one line, cut where it is long, with nothing that a terminal obeys."""
    return one_line(label, most)
