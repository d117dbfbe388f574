"""Which columns look like texts, and which like labels, judged by some of their cells."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from features.messages import clipped, listed
from features.splits.names import OFFICIAL

MIN_FILLED = 0.8
"""Minimum share of rows with a text or label."""

MIN_DISTINCT, MIN_WORDS, MIN_LETTERS = 0.5, 3.0, 0.5
"""Of texts: minimum share that occur once or first, words on average, share of letters."""

MIN_UNSPACED = 8
"""Minimum characters of a text on average, in scripts without spaces."""

MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_NUMBERS = 40, 200, 10
"""Of labels: maximum characters on average, different ones, and different numbers."""

MIN_PER_LABEL = 3
"""Minimum rows per label on average; 2 where there are few rows."""

MIN_DECIMAL, MIN_MEASURES = 0.5, 0.9
"""Of different labels that are numbers and no classes: minimum share with a fraction, or of
numbers and dates."""

FEW_ROWS = 20
MAX_SHOWN = 12
"""Maximum columns in a message."""

NUMBER = re.compile(r"[-+]?\d+")
MEASURE = re.compile(r"[-+]?[\d.,:/\-\sT]*\d[\d.,:/\-\sTZ%€$]*")
"""Decimal numbers, amounts, dates and times."""

DECIMAL = re.compile(r"[-+]?\d*[.,](\d+)")
"""A number with a fraction."""

UNSPACED = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\u0e00-\u0e7f]")


@dataclass(frozen=True)
class Roles:
    """Names of the columns that look like texts, and of those that look like labels."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]


def find_roles(cells: Mapping[str, Sequence[object]], taken: Collection[str] = ()) -> Roles:
    """Return which columns look like texts or labels.

    Args:
        cells: column -> its cells in the same rows.
        taken: columns that have another role.
    """
    strings = {
        name: [
            str(value).strip() if isinstance(value, (str, int, float)) else ""
            for value in values
        ]
        for name, values in cells.items()
        if name not in taken
    }
    return Roles(
        tuple(name for name, values in strings.items() if _like_texts(values)),
        tuple(name for name, values in strings.items() if _like_labels(values)),
    )


def shown_columns(cells: Mapping[str, Sequence[object]]) -> str:
    """Return the columns for a message, each with one of its cells."""
    shown = []
    for name, values in cells.items():
        cell = next(
            (value for value in values if isinstance(value, (str, int, float)) and value != ""),
            "",
        )
        shown.append(f"{clipped(name)} (such as {clipped(cell)})")
    return listed(shown, MAX_SHOWN)


def looks_like_number(labels: Sequence[str]) -> bool:
    """Return whether labels are numbers to be estimated, and no classes.

    Numbers with fractions are, where there are more of them than a scale has; others where most
    rows have one of their own.
    """
    distinct = {label.strip() for label in labels}
    if len(distinct) <= FEW_ROWS:
        return False
    if sum(map(_is_decimal, distinct)) > MIN_DECIMAL * len(distinct):
        return True
    measures = sum(bool(MEASURE.fullmatch(label)) for label in distinct)
    return len(distinct) > MIN_DISTINCT * len(labels) and measures > MIN_MEASURES * len(
        distinct
    )


def _is_decimal(label: str) -> bool:
    """Return whether a label is a number with a fraction that is not 0."""
    found = DECIMAL.fullmatch(label)
    return found is not None and found[1].strip("0") != ""


def _like_texts(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    if len(filled) < max(1, MIN_FILLED * len(values)):
        return False
    if len(set(filled)) < MIN_DISTINCT * len(filled):
        return False
    characters = sum(map(len, filled))
    if sum(char.isalpha() for value in filled for char in value) < MIN_LETTERS * characters:
        return False
    if sum(len(value.split()) for value in filled) >= MIN_WORDS * len(filled):
        return True
    unspaced = sum(len(UNSPACED.findall(value)) for value in filled)
    return unspaced > characters / 3 and characters >= MIN_UNSPACED * len(filled)


def _like_labels(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    if len(filled) < max(1, MIN_FILLED * len(values)):
        return False
    if sum(map(len, filled)) > MAX_LABEL_CHARACTERS * len(filled):
        return False
    distinct = set(filled)
    per_label = MIN_PER_LABEL if len(filled) >= FEW_ROWS else 2
    if not 2 <= len(distinct) <= min(MAX_LABELS, len(filled) / per_label):
        return False
    if distinct <= OFFICIAL.keys() | {name.upper() for name in OFFICIAL}:
        return False
    if all(map(NUMBER.fullmatch, distinct)):
        return len(distinct) <= MAX_NUMBERS
    return not all(map(MEASURE.fullmatch, distinct))
