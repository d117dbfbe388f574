"""Units of work: the missing texts of a corpus, streamed in pieces.

    missing texts in corpus order --cut--> units --WorkQueue--> units in the order of work

Only the texts of waiting units are in memory, never those of the corpus.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from features.errors import CorpusError
from features.text.keys import text_keys

LOOK_AHEAD_BYTES = 64 * 2**20
"""Maximum bytes of texts in the units that wait in a shared queue."""
MIN_AHEAD = 4
"""Minimum units to choose from in a shared queue, whatever their size."""


@dataclass(frozen=True, eq=False)
class WorkUnit:
    """Missing texts that are encoded together.

    Attributes:
        rows: (n,) int64, their rows in the corpus, sorted.
        keys: (n,) ``S16``.
        texts: n texts.
    """

    rows: np.ndarray
    keys: np.ndarray
    texts: list[str]

    def take(self, chosen: np.ndarray) -> WorkUnit:
        """Return a unit of some of its texts, given (n,) bool."""
        texts = [self.texts[index] for index in np.flatnonzero(chosen).tolist()]
        return WorkUnit(self.rows[chosen], self.keys[chosen], texts)


def joined(units: Sequence[WorkUnit]) -> WorkUnit:
    """Join units, or none, in the order given."""
    rows = [np.zeros(0, np.int64), *(unit.rows for unit in units)]
    keys = [text_keys(()), *(unit.keys for unit in units)]
    texts = [text for unit in units for text in unit.texts]
    return WorkUnit(np.concatenate(rows), np.concatenate(keys), texts)


def cut(
    texts: Iterable[str], rows: np.ndarray, keys: np.ndarray, parts: Sequence[slice]
) -> Iterator[WorkUnit]:
    """Yield units in corpus order, each read on demand.

    Args:
        texts: m missing texts in corpus order; read once.
        rows: (m,) int64, their rows in the corpus.
        keys: (m,) ``S16``, their keys when the corpus was planned.
        parts: slices over 0..m, in order, without gaps.

    Raises:
        CorpusError: the texts have changed since then.
    """
    stream = iter(texts)
    for part in parts:
        some = list(islice(stream, part.stop - part.start))
        known = keys[part]
        # A vector stored under the key of another text would stay wrong.
        if len(some) < len(known) or np.any(text_keys(some) != known):
            raise CorpusError(
                f"the texts changed while they were encoded: texts {int(rows[part][0]) + 1:,} "
                "and on are no longer those that were planned; what was committed stays: "
                "run again when nothing writes to the file"
            )
        yield WorkUnit(rows[part], known, some)


class WorkQueue:
    """The units in the order of work: corpus order, until the work is shared.

    Several processes that encode one corpus in the same order would encode the same texts. So
    once the work is shared, a process reads ahead by ``look_ahead`` and chooses a random
    unit.

    Args:
        units: in corpus order.
        look_ahead: bytes of texts to read ahead.

    Attributes:
        shared: whether other processes encode the same texts; set by the caller.
    """

    def __init__(self, units: Iterable[WorkUnit], look_ahead: int = LOOK_AHEAD_BYTES) -> None:
        self.shared = False
        self._units = units
        self._look_ahead = look_ahead

    def __iter__(self) -> Iterator[WorkUnit]:
        waiting: list[WorkUnit] = []
        ahead = 0
        for unit in self._units:
            waiting.append(unit)
            ahead += _bytes(unit)
            if self.shared and (ahead < self._look_ahead or len(waiting) < MIN_AHEAD):
                continue
            chosen = waiting.pop(random.randrange(len(waiting)))
            ahead -= _bytes(chosen)
            yield chosen
        while waiting:
            yield waiting.pop(random.randrange(len(waiting)))


def _bytes(unit: WorkUnit) -> int:
    return sum(map(sys.getsizeof, unit.texts))
