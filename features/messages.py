"""Words for messages: lists, counts, sizes and quoted values."""

from __future__ import annotations

from collections.abc import Iterable


def listed(values: Iterable[object], most: int = 10) -> str:
    """The values joined by commas for a message; past ``most`` of them, how many more.

    >>> listed([3, 5, 8], most=2)
    '3, 5 and 1 more'
    """
    items = [str(value) for value in values]
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def clipped(value: object, most: int = 40) -> str:
    """``value`` quoted on one line for a message, cut where it is long."""
    shown = repr(value)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def gigabytes(size: int) -> str:
    """Return a size in GB, for a message."""
    return f"{size / 1e9:.2f} GB"


def many(count: int, noun: str, plural: str = "") -> str:
    """``1 text``, ``2,000 texts``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
