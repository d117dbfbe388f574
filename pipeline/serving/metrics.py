"""Counts and times of the service, in the text format of Prometheus.

The service needs a handful of numbers, so a few lines stand in for a client library.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from threading import Lock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Upper ends of the buckets: seconds per request, texts per batch."""


class Histogram:
    """Values by the bucket that they fall into.

    Args:
        ends: upper ends of the buckets, rising; a last one without end is added.
    """

    def __init__(self, ends: tuple[float, ...]) -> None:
        self.ends = ends
        self.counts = [0] * (len(ends) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.ends, value)] += 1
        self.total += value

    def lines(self, name: str) -> Iterator[str]:
        """Yield its lines."""
        ends = [*(f"{end:g}" for end in self.ends), "+Inf"]
        for end, count in zip(ends, accumulate(self.counts), strict=True):
            yield f'{name}_bucket{{le="{end}"}} {count}'
        yield f"{name}_sum {self.total:.6f}"
        yield f"{name}_count {sum(self.counts)}"


class Metrics:
    """The numbers of one process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds = Histogram(SECONDS)
        self._batches = Histogram(tuple(map(float, SIZES)))
        self._totals: Counter[str] = Counter()
        self.waiting: Callable[[], int] = lambda: 0

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request; ``path`` is one of the service's own."""
        with self._lock:
            self._requests[path, status] += 1
            self._seconds.add(seconds)

    def batch(self, texts: int, tokens: int) -> None:
        """Count a batch that was encoded, with its estimated tokens."""
        with self._lock:
            self._batches.add(texts)
            self._totals["tokens"] += tokens

    def count(self, name: str, by: int = 1) -> None:
        """Count one of ``COUNTERS``."""
        with self._lock:
            self._totals[name] += by

    def text(self) -> str:
        """Return all numbers in Prometheus' format."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("requests_total", "counter", "Requests by path and status.")
        for (path, status), count in sorted(self._requests.items()):
            labels = f'{{path="{path}",status="{status}"}}'
            yield f"{PREFIX}requests_total{labels} {count}"
        yield from _head("request_seconds", "histogram", "Seconds per request.")
        yield from self._seconds.lines(f"{PREFIX}request_seconds")
        yield from _head("batch_texts", "histogram", "Texts per batch.")
        yield from self._batches.lines(f"{PREFIX}batch_texts")
        for name, words in COUNTERS.items():
            yield from _head(f"{name}_total", "counter", words)
            yield f"{PREFIX}{name}_total {self._totals[name]}"
        yield from _head("waiting_texts", "gauge", "Texts that wait for a batch.")
        yield f"{PREFIX}waiting_texts {self.waiting()}"


PREFIX = "manyheads_"
COUNTERS = {
    "tokens": "Estimated tokens of the texts of all batches.",
    "abstained": "Texts that got no label.",
    "truncated": "Texts longer than the run sees.",
    "unusual": "Texts less like any training text than held-out texts.",
    "corrections": "Labels that readers corrected.",
    "reloads": "Changes to another run.",
}
"""Counters by name, with their help."""


def _head(name: str, kind: str, words: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {words}"
    yield f"# TYPE {PREFIX}{name} {kind}"
