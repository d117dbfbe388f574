"""Missing values: empty cells, and what programs write into them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from features.groups import ids_of

NO_VALUE = frozenset(
    (
        "nan",
        "NaN",
        "NAN",
        "None",
        "null",
        "NULL",
        r"\N",
        "NA",
        "N/A",
        "n/a",
        "#N/A",
        "<NA>",
        "NaT",
    )
)
"""What pandas, R, SQL and its dumps, Excel and Python write for a missing value."""


def is_missing(value: object) -> bool:
    """Return whether a value is None, NaN, blank, or one of ``NO_VALUE``."""
    if isinstance(value, str):
        return not value.strip() or value.strip() in NO_VALUE
    return value is None or bool(value != value)


def ids_of_groups(groups: Sequence[Hashable] | np.ndarray) -> np.ndarray:
    """Return (N,) int64 ids of groups from 0; every row with a missing group gets its own id.

    Rows with an unknown author, for example, need not have the same author.
    """
    values = groups.tolist() if isinstance(groups, np.ndarray) else groups
    return ids_of(
        ("missing", row) if is_missing(value) else ("group", value)
        for row, value in enumerate(values)
    )
