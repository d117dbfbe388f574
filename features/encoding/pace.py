"""Pace: how many texts to encode before the next commit, from the speed measured so far.

    window --Units.take(pace)--> unit of work --encode, commit--> Pace.note
    window --encode_some(CommitClock.due)--> commit --encode_some--> commit ...

A kill loses what was encoded since the last commit and nothing else. So the next commit comes
after at most a sixth of the time that was spent on encoding before it, within 1 to 6 seconds.
With a fast encoder that is a whole window.

An encoder that can stop between two batches is watched by a ``CommitClock``: the batches are
the same wherever it stops, so that the vectors do not depend on the speed of the machine. Any
other encoder gets units that ``Pace`` cuts.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import numpy as np

from features.encoding.units import WorkQueue, WorkUnit
from features.vectors.sizes import expected_tokens
from features.vectors.spec import FeatureSpec
from features.vectors.table import SENTENCES

FIRST_TEXTS = 8
FIRST_TOKENS = 256
"""Expected tokens of the first unit, at most: nothing is known yet, and no encoder that is
usable at all takes long for it."""

MIN_SECONDS = 1.0
MAX_SECONDS = 6.0
SHARE = 1 / 6
"""Time of a unit, as a share of the time spent on the units before it."""

GROWTH = 128.0
"""How many times as large as the one before a unit may be: a first batch measures poorly."""

REST = 1.5
"""A window that is at most so many times as large as a unit is not cut."""


class Pace:
    """The speed of one encoder, and what of a window is its next unit of work.

    Both the number of texts and that of their tokens are bounded, so that the estimate holds
    whichever of them an encoder's time depends on.

    Args:
        specs: those that are encoded; a text counts at most as many tokens as they see of it.
    """

    def __init__(self, specs: Sequence[FeatureSpec]) -> None:
        whole = any(spec.layout == SENTENCES for spec in specs)
        self._limit = None if whole else max(spec.limit for spec in specs)
        self._texts, self._tokens = float(FIRST_TEXTS), float(FIRST_TOKENS)
        self._seconds = 0.0

    def next_unit(self, window: WorkUnit, shared: bool) -> np.ndarray:
        """Choose the next unit: the shortest texts, since like lengths need little padding.

        Args:
            shared: others encode the same texts: begin anywhere, so as not to meet them.

        Returns:
            (n,) bool, at least one of them true.
        """
        tokens = self._expected(window)
        # The first unit is read off the corpus as it comes: it stands for what follows.
        order = np.argsort(tokens, kind="stable") if self._seconds else np.arange(len(tokens))
        if shared:
            order = np.roll(order, random.randrange(len(order)))
        within = int(np.searchsorted(np.cumsum(tokens[order]), self._tokens, side="right"))
        count = max(1, min(within, int(self._texts)))
        chosen = np.zeros(len(tokens), bool)
        chosen[order[: count if len(order) > REST * count else len(order)]] = True
        return chosen

    def note(self, unit: WorkUnit, encoded: int, seconds: float) -> None:
        """Take in how long the encoder took for a unit.

        Args:
            unit: what ``next_unit`` chose.
            encoded: how many of its texts were encoded; others had done the rest.
            seconds: that the encoder took for them.
        """
        if not encoded:
            return
        self._seconds += seconds
        wanted = min(MAX_SECONDS, max(MIN_SECONDS, SHARE * self._seconds))
        growth = min(GROWTH, wanted / max(seconds, 1e-9)) * encoded / len(unit.texts)
        self._texts = max(1.0, len(unit.texts) * growth)
        self._tokens = float(self._expected(unit).sum()) * growth

    def _expected(self, window: WorkUnit) -> np.ndarray:
        """Return (n,) int64: tokens that the encoder is expected to see of each text."""
        tokens = np.array([expected_tokens(text) for text in window.texts], np.int64)
        return np.minimum(tokens, self._limit or tokens)


class CommitClock:
    """Tells an encoder that can stop when to do so, for a commit of what it has."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._start = time.perf_counter()

    def restart(self) -> None:
        """Begin to wait for the next commit."""
        self._start = time.perf_counter()

    def stop(self) -> None:
        """Count the time since ``restart`` as spent on encoding."""
        self._seconds += time.perf_counter() - self._start

    def due(self, share: float) -> bool:
        """Return whether to stop for a commit.

        Args:
            share: of the work at hand, what was done since ``restart``; above 0, at most 1.
        """
        spent = time.perf_counter() - self._start
        rest = spent * (1 - share) / share
        wanted = min(MAX_SECONDS, max(MIN_SECONDS, SHARE * (self._seconds + spent)))
        return spent >= wanted and rest > MIN_SECONDS


class Units:
    """Units of work, each cut off the windows of a queue when it is asked for.

    Args:
        queue: gives the windows.

    Attributes:
        cut: whether a window became several units, and so several shards.
    """

    def __init__(self, queue: WorkQueue) -> None:
        self.queue = queue
        self.cut = False
        self._windows = iter(queue)
        self._rest: WorkUnit | None = None

    def take(self, pace: Pace | None) -> WorkUnit | None:
        """Return the next unit for an encoder of that pace; None at the end.

        Args:
            pace: None for an encoder that stops by itself and takes whole windows.
        """
        window = self._rest or next(self._windows, None)
        if window is None or pace is None:
            self._rest = None
            return window
        chosen = pace.next_unit(window, self.queue.shared)
        if chosen.all():
            self._rest = None
            return window
        self.cut = True
        self._rest = window.take(~chosen)
        return window.take(chosen)
