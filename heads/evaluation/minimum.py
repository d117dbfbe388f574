"""The minimum of a function of one number: Brent's bounded search.

The same steps as ``scipy.optimize.minimize_scalar(method="bounded")`` takes, to the bit
(tests/heads/evaluation/test_minimum.py): that package takes longer to import than a search.
"""

from __future__ import annotations

import math
from collections.abc import Callable

SHORT = 0.5 * (3.0 - math.sqrt(5.0))
"""Shorter part of an interval in the golden section."""

ROUNDING = math.sqrt(2.2e-16)
"""Share of the position below which two values of the function cannot be told apart."""

MAX_CALLS = 500


def find_minimum(
    function: Callable[[float], float], low: float, high: float, tolerance: float
) -> float:
    """Return where a function with one minimum between two ends has it.

    A step goes to the lowest point of the parabola through the three best points, or where that
    is not sure to help, divides the larger part by the golden section (Brent, Algorithms for
    minimization without derivatives, 1973, chapter 5).

    Args:
        function: takes and returns one number.
        low, high: the ends.
        tolerance: maximum distance from the minimum, about.
    """
    best = second = third = low + SHORT * (high - low)
    least = least2 = least3 = function(best)
    step = before = 0.0
    for _ in range(MAX_CALLS - 1):
        middle = 0.5 * (low + high)
        small = ROUNDING * abs(best) + tolerance / 3.0
        if abs(best - middle) <= 2.0 * small - 0.5 * (high - low):
            break
        parabola = None
        if abs(before) > small:
            r = (best - second) * (least - least3)
            q = (best - third) * (least - least2)
            p = (best - third) * q - (best - second) * r
            q = 2.0 * (q - r)
            p, q = (-p if q > 0.0 else p), abs(q)
            last, before = before, step
            if abs(p) < abs(0.5 * q * last) and q * (low - best) < p < q * (high - best):
                parabola = p / q
        if parabola is None:
            before = low - best if best >= middle else high - best
            step = SHORT * before
        else:
            at, step = best + parabola, parabola
            if at - low < 2.0 * small or high - at < 2.0 * small:
                step = small if middle >= best else -small
        at = best + math.copysign(max(abs(step), small), step if step else 1.0)
        value = function(at)
        if value <= least:
            low, high = (best, high) if at >= best else (low, best)
            third, least3, second, least2 = second, least2, best, least
            best, least = at, value
        else:
            low, high = (at, high) if at < best else (low, at)
            if value <= least2 or second == best:
                third, least3, second, least2 = second, least2, at, value
            elif value <= least3 or third in (best, second):
                third, least3 = at, value
    return best
