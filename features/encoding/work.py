"""A unit of work: texts in, the encoder's vectors committed to the spaces that lack them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol, runtime_checkable

import numpy as np

from features.encoding.bad_vectors import sound_texts, too_large
from features.encoding.pace import CommitClock
from features.encoding.units import Window, joined
from features.store.manifest import touch
from features.store.shards.shard import Block
from features.store.space import Space
from features.vectors.spec import FeatureSpec

OnBatch = Callable[[int, int], None]
"""Called after every batch with its number of texts and of real tokens."""

Enough = Callable[[float], bool]
"""Asked after every batch, with the share of the work that is done: whether to stop there."""


class Encoder(Protocol):
    """What this stage asks of an encoder; tests put counting fakes in its place."""

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """One block a spec, each with the vectors of all texts in the order given."""
        ...


@runtime_checkable
class PausingEncoder(Encoder, Protocol):
    """An encoder that can stop between two batches, for a commit of what it has."""

    def encode_some(
        self,
        texts: Sequence[str],
        specs: Sequence[FeatureSpec],
        on_batch: OnBatch,
        enough: Enough,
    ) -> tuple[np.ndarray, list[Block]]:
        """Encode texts until ``enough`` says so, in batches that do not depend on it.

        Returns:
            The positions of the encoded texts, (m,) int64 in rising order, at least one of
            them; and one block per spec with the vectors of these.
        """
        ...


@dataclass(frozen=True, eq=False)
class Done:
    """What became of one unit of work.

    Attributes:
        encoded: texts whose vectors were stored.
        tokens: of all that were encoded, before truncation.
        bad: the texts whose vectors could not be stored.
        large: whether those of some of them are too large for the stored type.
        shared: some of its texts were there already: others fill the same space.
        seconds: that the encoder took.
        commits: how many times vectors were committed.
    """

    encoded: int
    tokens: int
    bad: Window
    large: bool
    shared: bool
    seconds: float
    commits: int


def encode_window(
    planned: Window,
    spaces: Sequence[Space],
    encoder: Encoder,
    on_batch: OnBatch,
    clock: CommitClock,
) -> Done:
    """Encode what some space lacks of a window or a part of one, and commit it there.

    Texts that lack the same go together, so that none passes for vectors that are there.
    """
    seconds = 0.0
    absent = lacking(planned.keys, spaces)
    wanting = absent.any(axis=1)
    shared = not wanting.all()
    bad: list[Window] = []
    encoded = tokens = commits = 0
    large = False
    for lack in np.unique(absent[wanting], axis=0):
        rest = planned.take((absent == lack).all(axis=1))
        filled = list(compress(spaces, lack))
        while len(rest.texts):
            start = time.perf_counter()
            through, blocks = _encode_some(encoder, rest, filled, on_batch, clock)
            seconds += time.perf_counter() - start
            part, rest = rest.take(through), rest.take(~through)
            pairs = list(zip(filled, blocks, strict=True))
            sound = np.logical_and.reduce([sound_texts(b, space.spec) for space, b in pairs])
            for space, block in pairs:
                shared |= not _commit(space, part.keys, block, sound)
                touch(space.folder)  # while it is filled it is in use, however long it takes
            bad.append(part.take(~sound))
            large |= any(too_large(block, space.spec).any() for space, block in pairs)
            encoded += int(sound.sum())
            tokens += int(blocks[0].tokens.sum())
            commits += 1
    return Done(encoded, tokens, joined(bad), large, shared, seconds, commits)


def _encode_some(
    encoder: Encoder,
    window: Window,
    spaces: Sequence[Space],
    on_batch: OnBatch,
    clock: CommitClock,
) -> tuple[np.ndarray, list[Block]]:
    """Encode texts until the next commit is due; all where the encoder cannot stop.

    Returns:
        (n,) bool, which texts were encoded, and one block per space with their vectors.
    """
    specs = [space.spec for space in spaces]
    if not isinstance(encoder, PausingEncoder):
        return np.ones(len(window.texts), bool), encoder.encode(window.texts, specs, on_batch)
    clock.restart()
    rows, blocks = encoder.encode_some(window.texts, specs, on_batch, clock.due)
    clock.stop()
    through = np.zeros(len(window.texts), bool)
    through[rows] = True
    return through, blocks


def lacking(keys: np.ndarray, spaces: Sequence[Space]) -> np.ndarray:
    """(n, spaces) bool: which spaces lack the vectors of each text."""
    absent = np.array([space.missing(keys) for space in spaces], bool)
    return absent.reshape(len(spaces), len(keys)).T


def backend_name(encoder: object) -> str:
    """What runs an encoder; '' for encoders that have no back end, such as tests'."""
    return str(getattr(getattr(encoder, "backend", None), "name", ""))


def _commit(space: Space, keys: np.ndarray, block: Block, wanted: np.ndarray) -> bool:
    """Commit some texts, by (n,) bool. False where another process had just done the same."""
    if wanted.all():
        return space.commit(keys, block)
    if wanted.any():
        return space.commit(keys[wanted], block.take(np.flatnonzero(wanted)))
    return True
