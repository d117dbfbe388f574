"""SpaceWriter: a space as a worker of a cluster sees it, which is told what is missing."""

from __future__ import annotations

import numpy as np

from features.store.index import GrowingIndex, Index
from features.store.shards.shard import ShardRows
from features.store.space import Space


class SpaceWriter(Space):
    """A space to which shards are committed, and of which nothing is read.

    It lists no folder and loads no index. So neither its memory nor the time of a commit grows
    with the number of texts that are stored, which thousands of workers could not bear. Whoever
    gives it work says which texts are missing.

    Attributes:
        written: the shards that were committed through this object and not yet taken.
    """

    keeps_copies = False

    def __init__(self, *arguments: object) -> None:
        self.written: list[tuple[str, ShardRows]] = []
        super().__init__(*arguments)  # type: ignore[arg-type]

    def take_written(self) -> list[tuple[str, ShardRows]]:
        """Return the shards that were committed since the last call, for ``Space.adopt``."""
        written, self.written = self.written, []
        return written

    def refresh(self) -> bool:
        """Do nothing, and return False: this object does not look for other shards."""
        return False

    def missing(self, keys: np.ndarray) -> np.ndarray:
        """Return (N,) bool, all True."""
        return np.ones(len(keys), bool)

    def _commit(self, name: str, data: bytes, rows: ShardRows) -> bool:
        fresh = super()._commit(name, data, rows)
        self.written.append((name, rows))
        self._growing = GrowingIndex(Index.empty())
        return fresh

    def _saved_index(self) -> Index | None:
        return None
