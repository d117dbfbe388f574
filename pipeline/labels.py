"""Labels as people see them."""

from __future__ import annotations


def short_label(label: str, most: int) -> str:
    """A label on one line, cut where it is long, with nothing that a terminal obeys."""
    flat = "".join(letter if letter.isprintable() else " " for letter in label)
    flat = " ".join(flat.split())
    return flat if len(flat) <= most else flat[: most - 3] + "..."
