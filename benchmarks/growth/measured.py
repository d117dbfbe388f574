"""What was measured: seconds and memory of each command by size, and how they grow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

Measured = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Job -> number of texts -> what it took (``command``)."""

TOLERANCE = 1.3
"""Ratio to N log N up to which a growth counts as that: caches and memory grow slower."""

LEAST_SECONDS, LEAST_OF_SMALLER = 1.0, 0.05
"""Seconds of the larger size, and of the smaller one, below which nothing is said about the
growth: starts differ by more."""


def growth(by_size: Mapping[int, Mapping[str, Any]], name: str) -> float | None:
    """Return how the two largest sizes compare to N log N; above 1, it grows faster.

    What the smallest size takes is left out: start and imports.

    Args:
        by_size: number of texts -> what it took.
        name: ``seconds``, ``processor`` or ``peak``.

    Returns:
        The ratio of the seconds divided by that of N log N; None if there are fewer than three
        sizes, or too little was measured to tell.
    """
    if len(by_size) < 3:
        return None
    first, *_, smaller, larger = sorted(by_size)
    base, low, high = (float(by_size[size][name]) for size in (first, smaller, larger))
    if name != "peak" and (high - base < LEAST_SECONDS or low - base < LEAST_OF_SMALLER):
        return None
    start, less, more = (size * math.log(size) for size in (first, smaller, larger))
    return (high - base) / max(low - base, 1e-9 * high) / ((more - start) / (less - start))


def lines(measured: Measured, clock: str) -> Iterator[str]:
    """Yield a Markdown table: microseconds and bytes per text, and growth, by job."""
    sizes = sorted({size for by_size in measured.values() for size in by_size})
    head = " | ".join(f"{size:,}" for size in sizes)
    yield f"| microseconds per text; MB in all | {head} | against N log N |"
    yield "|---|" + "---|" * (len(sizes) + 1)
    for job, by_size in measured.items():
        cells = []
        for size in sizes:
            if size not in by_size:
                cells.append("")
                continue
            facts = by_size[size]
            per_text = facts[clock] / size * 1e6
            cells.append(f"{per_text:,.1f}; {facts['peak'] / 1e6:,.0f}")
        grown = growth(by_size, clock)
        verdict = "" if grown is None else f"{grown:.2f}"
        yield f"| {job} | {' | '.join(cells)} | {verdict} |"


def too_fast(measured: Measured, clock: str) -> dict[str, float]:
    """Return the jobs that grow faster than N log N, and how much."""
    grown = {job: growth(by_size, clock) for job, by_size in measured.items()}
    return {job: ratio for job, ratio in grown.items() if ratio and ratio > TOLERANCE}
