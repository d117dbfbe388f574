"""Pace: how many texts to encode before the next commit, from the speed measured so far.

    planned unit --Units.take(pace)--> unit of work --encode, commit--> Pace.note
    planned unit --encode_some(CommitClock.due)--> commit --encode_some--> commit ...

If a run is killed, what was encoded since the last commit is lost and nothing else. So the next
commit follows after at most a sixth of the time spent on encoding so far, within half a
second and 6 seconds. A fast encoder encodes a whole planned unit in that time.

An encoder that can pause between two batches is given a ``CommitClock``. Its batches are the
same wherever it pauses. For any other encoder ``Pace`` cuts the planned units into smaller
ones, and batches depend on where it cuts.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from features.encoding.units import WorkQueue, WorkUnit
from features.vectors.sizes import expected_tokens
from features.vectors.spec import FeatureSpec
from features.vectors.table import SENTENCES

FIRST_TEXTS = 8
"""Maximum texts of the first unit, when the speed is unknown."""
FIRST_TOKENS = 256
"""Maximum expected tokens of the first unit, when the speed is unknown."""

MIN_SECONDS = 0.5
"""Minimum seconds between commits."""

MIN_REST = 3.0
"""Minimum seconds of work left in a unit for a pause; below that it soon commits anyway."""

MAX_SECONDS = 6.0
"""Maximum seconds between commits."""
SHARE = 1 / 6
"""Seconds until the next commit, as a share of the seconds spent on encoding so far."""

INDEX_SECONDS = 300.0
"""Minimum seconds between two times that the index is written during a run."""

INDEX_SHARE = 0.02
"""Maximum share of the time of a run that it takes."""

GROWTH = 128.0
"""Maximum ratio of the sizes of a unit and the one before, since a first batch measures poorly.
"""

REST = 1.5
"""A planned unit of at most this many times the wanted size is not cut."""


class Pace:
    """The speed of an encoder, and how much of a planned unit it encodes next.

    Both the number of texts and the number of tokens are limited, since the time may depend on
    either.

    Args:
        specs: what is encoded; a text counts at most as many tokens as the specs use.
    """

    def __init__(self, specs: Sequence[FeatureSpec]) -> None:
        whole = any(spec.layout == SENTENCES for spec in specs)
        self._limit = None if whole else max(spec.limit for spec in specs)
        self._texts, self._tokens = float(FIRST_TEXTS), float(FIRST_TOKENS)
        self._seconds = 0.0

    def next_unit(self, planned: WorkUnit, shared: bool) -> np.ndarray:
        """Choose the next unit: the shortest texts, since similar lengths need little padding.

        Args:
            planned: the texts to choose from.
            shared: whether other processes encode the same texts; then the choice begins at a
                random text, so that two processes rarely choose the same ones.

        Returns:
            (n,) bool, at least one of them True.
        """
        tokens = self._expected(planned)
        # The first unit is taken in corpus order, so that it is representative.
        order = np.argsort(tokens, kind="stable") if self._seconds else np.arange(len(tokens))
        if shared:
            order = np.roll(order, random.randrange(len(order)))
        within = int(np.searchsorted(np.cumsum(tokens[order]), self._tokens, side="right"))
        count = max(1, min(within, int(self._texts)))
        chosen = np.zeros(len(tokens), bool)
        chosen[order[: count if len(order) > REST * count else len(order)]] = True
        return chosen

    def note(self, unit: WorkUnit, encoded: int, seconds: float) -> None:
        """Record how long the encoder took for a unit.

        Args:
            unit: what ``next_unit`` chose.
            encoded: number of its texts that were encoded here, not by another process.
            seconds: seconds that the encoder took for them.
        """
        if not encoded:
            return
        self._seconds += seconds
        wanted = min(MAX_SECONDS, max(MIN_SECONDS, SHARE * self._seconds))
        growth = min(GROWTH, wanted / max(seconds, 1e-9)) * encoded / len(unit.texts)
        self._texts = max(1.0, len(unit.texts) * growth)
        self._tokens = float(self._expected(unit).sum()) * growth

    def _expected(self, planned: WorkUnit) -> np.ndarray:
        """Return (n,) int64: how many tokens of each text the encoder is expected to use."""
        tokens = np.array([expected_tokens(text) for text in planned.texts], np.int64)
        return np.minimum(tokens, self._limit or tokens)


class CommitClock:
    """Tells an encoder that can pause when to pause for a commit.

    Args:
        timer: returns the time in seconds.
    """

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self._timer = timer
        self._seconds = 0.0
        self._warm = False
        self.restart()

    def restart(self) -> None:
        """Start to measure the time until the next commit."""
        self._start = self._timer()
        self._spent = self._share = 0.0

    def stop(self) -> None:
        """Add the time since ``restart`` to the time spent on encoding."""
        self._seconds += self._timer() - self._start

    def due(self, share: float) -> bool:
        """Return whether to pause for a commit now. It is called after every batch.

        The rest is expected to go on at the speed of the last batch, or of all batches if that
        is higher. A process's first batch takes longer than others: a device starts, or a back
        end converts the model. So it says nothing of the rest, and only ``MAX_SECONDS`` count.

        Args:
            share: share of the unit that was encoded since ``restart``, above 0 and at most 1.
        """
        spent = self._timer() - self._start
        last, self._spent = spent - self._spent, spent
        gained, self._share = share - self._share, share
        warm, self._warm = self._warm, True
        if not warm:
            return spent >= MAX_SECONDS and share < 1
        rest = (1 - share) * min(spent / share, last / max(gained, 1e-9))
        wanted = min(MAX_SECONDS, max(MIN_SECONDS, SHARE * (self._seconds + spent)))
        return spent >= wanted and rest > MIN_REST


class Units:
    """Units of work, cut from planned units on demand.

    Args:
        queue: the planned units.

    Attributes:
        cut: whether a planned unit was cut into several units, and so into several shards.
    """

    def __init__(self, queue: WorkQueue) -> None:
        self.queue = queue
        self.cut = False
        self._planned_units = iter(queue)
        self._rest: WorkUnit | None = None

    def take(self, pace: Pace | None) -> WorkUnit | None:
        """Return the next unit for an encoder; None at the end.

        Args:
            pace: the encoder's pace; None for an encoder that pauses by itself.
        """
        planned = self._rest or next(self._planned_units, None)
        if planned is None or pace is None:
            self._rest = None
            return planned
        chosen = pace.next_unit(planned, self.queue.shared)
        if chosen.all():
            self._rest = None
            return planned
        self.cut = True
        self._rest = planned.take(~chosen)
        return planned.take(chosen)


class IndexClock:
    """Tells when to write the index of what was committed, so that a killed run need not read
    all its shards again.

    Args:
        timer: returns the time in seconds.
    """

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self._timer = timer
        self._due = timer() + INDEX_SECONDS

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Measure how long the index takes in the block, and put the next one off."""
        start = self._timer()
        yield
        end = self._timer()
        self._due = end + max(INDEX_SECONDS, (end - start) / INDEX_SHARE)

    @property
    def due(self) -> bool:
        """Whether to write the index now."""
        return self._timer() >= self._due
