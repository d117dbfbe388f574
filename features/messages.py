"""Formatting for messages: lists, counts, sizes and quoted values."""

from __future__ import annotations

from collections.abc import Iterable


def listed(values: Iterable[object], maximum: int = 10) -> str:
    """Return values joined by commas; beyond the maximum only how many more there are.

    >>> listed([3, 5, 8], maximum=2)
    '3, 5 and 1 more'
    """
    items = [str(value) for value in values]
    shown = ", ".join(items[:maximum])
    return shown if len(items) <= maximum else f"{shown} and {len(items) - maximum} more"


def meant(given: str, choices: Iterable[str]) -> str:
    """Return the choice that is nearest to what was given, as the end of a message.

    >>> meant("trian", ["train", "layers"]), meant("x", ["train"])
    (' (did you mean train?)', '')
    """
    from difflib import get_close_matches

    names = list(choices)
    whole = {name.lower(): name for name in names}
    near = get_close_matches(given.lower(), list(whole), n=1)
    return f" (did you mean {whole[near[0]]}?)" if near else ""


def clipped(value: object, maximum: int = 40) -> str:
    """Return ``value`` quoted on one line, cut to a maximum number of characters."""
    shown = repr(value)
    return shown if len(shown) <= maximum else f"{shown[: maximum - 3]}..."


def gigabytes(size: int) -> str:
    """Return a size of so many bytes in GB: ``1.50 GB``."""
    return f"{size / 1e9:.2f} GB"


def many(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: ``1 text``, ``2,000 texts``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def ordinal(number: int) -> str:
    """Return a number from 1 as a place in an order.

    >>> ordinal(1), ordinal(12), ordinal(22), ordinal(6)
    ('1st', '12th', '22nd', '6th')
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 <= number % 100 <= 20 else ending}"
