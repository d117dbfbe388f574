"""Windows: the missing texts of a corpus, streamed as units of work.

    texts of the missing rows, in order --cut--> windows --WorkQueue--> the order of work

A window is one unit of work: a list of missing texts in, committed shards out. The texts of a
window stand in memory while it waits, those of the corpus never do.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from features.errors import CorpusError
from features.text import text_keys

LOOK_AHEAD_BYTES = 64 * 2**20
MIN_AHEAD = 4
"""Windows to choose from at the least, however long their texts are."""


@dataclass(frozen=True, eq=False)
class WorkUnit:
    """Missing texts that are encoded together.

    Attributes:
        rows: (n,) int64, their positions in the corpus, rising.
        keys: (n,) ``S16``.
        texts: n texts.
    """

    rows: np.ndarray
    keys: np.ndarray
    texts: list[str]

    def take(self, chosen: np.ndarray) -> WorkUnit:
        """Return the window of some of its texts, by (n,) bool."""
        texts = [self.texts[place] for place in np.flatnonzero(chosen).tolist()]
        return WorkUnit(self.rows[chosen], self.keys[chosen], texts)


def joined(windows: Sequence[WorkUnit]) -> WorkUnit:
    """Return one window of several, or of none, in the order given."""
    rows = [np.zeros(0, np.int64), *(window.rows for window in windows)]
    keys = [text_keys(()), *(window.keys for window in windows)]
    texts = [text for window in windows for text in window.texts]
    return WorkUnit(np.concatenate(rows), np.concatenate(keys), texts)


def cut(
    texts: Iterable[str], rows: np.ndarray, keys: np.ndarray, parts: Sequence[slice]
) -> Iterator[WorkUnit]:
    """Yield windows in corpus order, each read when it is asked for.

    Args:
        texts: the missing texts in order, m of them; read once.
        rows: (m,) their positions in the corpus.
        keys: (m,) the keys that they had when the corpus was planned.
        parts: slices over 0..m, in order, without gaps.

    Raises:
        CorpusError: they are other texts by now.
    """
    stream = iter(texts)
    for part in parts:
        some = list(islice(stream, part.stop - part.start))
        known = keys[part]
        # A vector under the key of another text would be wrong for ever.
        if len(some) < len(known) or np.any(text_keys(some) != known):
            raise CorpusError(
                f"the texts changed while they were encoded: texts {int(rows[part][0]) + 1:,} "
                "and on are no longer those that were planned; what was committed is kept: "
                "run again when nothing writes to the file"
            )
        yield WorkUnit(rows[part], known, some)


class WorkQueue:
    """Windows in the order in which to encode them: their own, until work is shared.

    Processes that walk through one corpus in step would encode the same texts. Once others are
    seen each looks ahead, as far as ``LOOK_AHEAD_BYTES`` of texts reach, and takes any window
    of those at random.

    Args:
        windows: in corpus order.

    Attributes:
        shared: whether others work on the same texts; the caller sets it when it sees them.
    """

    def __init__(self, windows: Iterable[WorkUnit]) -> None:
        self.shared = False
        self._windows = windows

    def __iter__(self) -> Iterator[WorkUnit]:
        waiting: list[WorkUnit] = []
        ahead = 0
        for window in self._windows:
            waiting.append(window)
            ahead += _bytes(window)
            if self.shared and (ahead < LOOK_AHEAD_BYTES or len(waiting) < MIN_AHEAD):
                continue
            chosen = waiting.pop(random.randrange(len(waiting)))
            ahead -= _bytes(chosen)
            yield chosen
        while waiting:
            yield waiting.pop(random.randrange(len(waiting)))


def _bytes(window: WorkUnit) -> int:
    return sum(map(sys.getsizeof, window.texts))
