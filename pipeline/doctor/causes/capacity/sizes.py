"""Settings that say how large a head is, and the same head smaller or larger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIZES = ("units", "filters", "values")
"""Settings of one number each."""

TIMES = 4
LEAST = 4


def smaller(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the settings of a head a quarter as wide, without dense layers if it can be."""
    found = [
        (name, str(max(LEAST, int(values[name]) // TIMES)))
        for name in SIZES
        if int(values.get(name) or 0) > LEAST
    ]
    dense = values.get("dense") or ()
    if dense and found:
        return (*found, ("dense", ""))
    if dense:
        units = [max(LEAST, int(each) // TIMES) for each in dense]
        return (("dense", ",".join(map(str, units))),)
    return tuple(found)


def larger(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the settings of a head with all layers four times as wide."""
    found = [
        (name, str(TIMES * int(values[name]))) for name in SIZES if int(values.get(name) or 0)
    ]
    dense = values.get("dense") or ()
    if dense:
        found.append(("dense", ",".join(str(TIMES * int(each)) for each in dense)))
    return tuple(found)
