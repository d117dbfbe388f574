"""CSV that people open in a spreadsheet: cells in which a text of others would be a formula.

A spreadsheet runs what begins with = + - @ (CWE-1236). An apostrophe before it makes it text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ESCAPE, KEEP = "escape", "keep"
FORMULAS = (ESCAPE, KEEP)
"""What to do about such cells."""

FORMULAS_WORDS = (
    "escape by an apostrophe, or keep as they are, texts and labels in a .csv or .tsv that a "
    "spreadsheet would run, since they begin with = + - @"
)
"""The help of the option."""

FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""How a formula begins; the last four are the wide forms that some locales take too."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def is_formula(cell: object) -> bool:
    """Whether a spreadsheet may run a cell. A plain number is none, whatever its sign.

    >>> is_formula("=1+1"), is_formula("- well"), is_formula("-1.5"), is_formula(-1.5)
    (True, True, False, False)
    """
    if not isinstance(cell, str) or not FORMULA.match(cell):
        return False
    return NUMBER.fullmatch(cell) is None


def escaped(cells: Iterable[object]) -> list[object]:
    """The cells of a row, with an apostrophe before each that would be a formula.

    >>> escaped(["=1+1", "fine", -1.5])
    ["'=1+1", 'fine', -1.5]
    """
    return [f"'{cell}" if is_formula(cell) else cell for cell in cells]
