"""A worker of a cluster: an encoder that stays loaded, and the units that it is given.

A worker commits what it encodes to the cache itself, and tells the driver which shards these
are. It runs in a process of its own, on any machine.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.encoders.protocol import Encoder, backend_name
from features.encoding.devices import limit_threads
from features.encoding.pace import CommitClock
from features.encoding.processes import Load
from features.encoding.units import WorkUnit
from features.encoding.work import WorkResult, encode_unit
from features.errors import CacheError, ManyheadsError
from features.probe.probe import prepare
from features.store.manifest import SPACE_NAME
from features.store.shards.shard import ShardRows
from features.store.space import Space
from features.store.writer import SpaceWriter


@dataclass(frozen=True)
class Present:
    """Answer of a worker: it is there."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """Answer of a worker: its encoder is loaded."""

    backend: str
    notes: list[str]


@dataclass(frozen=True, eq=False)
class Done:
    """Answer of a worker: a unit is committed.

    Attributes:
        shards: those that were committed, per space.
        began, ended: seconds since 1970, on the worker's clock.
    """

    result: WorkResult
    shards: list[list[tuple[str, ShardRows]]]
    backend: str
    began: float
    ended: float


class UnitClock(CommitClock):
    """Never pauses for a commit: a unit is one shard, so no small ones have to be joined."""

    def due(self, share: float) -> bool:
        return False


class Worker:
    """The actor: an encoder that stays loaded, and the spaces that it fills.

    An error of the project is an answer, since Ray would wrap it.

    Args:
        spaces: folder, spec and model of each space.
        load, device: as for ``encode_on_ray``.
        threads: number of threads of the encoder.
    """

    def __init__(self, spaces: Sequence[Any], load: Load, device: str, threads: int) -> None:
        self._arguments, self._load = spaces, load
        self._device, self._threads = device, threads
        self._encoder: Encoder | None = None
        self._spaces: list[SpaceWriter] = []

    def present(self) -> Present:
        """Do nothing."""
        return Present()

    def load(self) -> Loaded | ManyheadsError:
        """Load the encoder. The constructor does not: Ray repeats it without end."""
        notes: list[str] = []
        try:
            limit_threads(self._threads)
            encoder = self._load(self._device)
            self._spaces = [SpaceWriter(*arguments) for arguments in self._arguments]
            for space in self._spaces:
                check_seen(space)
            prepare(encoder, self._spaces, notes.append)
        except ManyheadsError as error:
            return error
        self._encoder = encoder
        return Loaded(backend_name(encoder), notes)

    def encode(self, unit: WorkUnit, missing: np.ndarray) -> Done | ManyheadsError:
        """Encode and commit a unit; the arguments are those of ``encode_unit``."""
        if self._encoder is None:  # it died and was restarted before anyone saw it
            answer = self.load()
            if isinstance(answer, ManyheadsError):
                return answer
        assert self._encoder is not None
        began = time.time()
        try:
            result = encode_unit(
                unit,
                self._spaces,
                self._encoder,
                lambda texts, tokens: None,
                UnitClock(),
                missing,
            )
        except ManyheadsError as error:
            return error
        shards = [space.take_written() for space in self._spaces]
        return Done(result, shards, backend_name(self._encoder), began, time.time())


def check_seen(space: Space) -> None:
    """Raise ``CacheError`` if this machine does not see the folder that the driver has made."""
    if not (space.folder / SPACE_NAME).exists():
        raise CacheError(
            f"the machine {platform.node()} of the cluster does not see the cache folder "
            f"{space.folder.parent}; put the cache into a folder that all machines share, or "
            "on object storage (--cache s3://...)"
        )
