"""One unit of work: encode its texts and commit the vectors to the spaces that need them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from features.encoders.protocol import Encoder, OnBatch, PausingEncoder
from features.encoding.bad_vectors import sound_texts, too_large
from features.encoding.pace import CommitClock
from features.encoding.units import WorkUnit, joined
from features.store.manifest import touch
from features.store.space import Space, missing_by_space
from features.vectors.block import Block


@dataclass(frozen=True, eq=False)
class WorkResult:
    """The result of one unit of work.

    Attributes:
        encoded: number of texts whose vectors were stored.
        tokens: number of tokens of all texts that were encoded, before truncation.
        bad: the texts whose vectors could not be stored.
        large: whether some of these vectors are too large for the stored type.
        shared: whether some texts were stored already, by another process.
        seconds: seconds that the encoder took.
        commits: number of commits.
    """

    encoded: int
    tokens: int
    bad: WorkUnit
    large: bool
    shared: bool
    seconds: float
    commits: int


def encode_unit(
    planned: WorkUnit,
    spaces: Sequence[Space],
    encoder: Encoder,
    on_batch: OnBatch,
    clock: CommitClock,
    missing: np.ndarray | None = None,
) -> WorkResult:
    """Encode the texts of a unit that are missing from some space, and commit them there.

    Texts that are missing from the same spaces are encoded together, so that no space gets
    vectors that it has already.

    Args:
        missing: (n, spaces) bool, which texts are missing from which spaces; None asks these.
    """
    seconds = 0.0
    missing = missing_by_space(planned.keys, spaces) if missing is None else missing
    missing_some = missing.any(axis=1)
    shared = not missing_some.all()
    bad: list[WorkUnit] = []
    encoded = tokens = commits = 0
    large = False
    for pattern in np.unique(missing[missing_some], axis=0):
        rest = planned.take((missing == pattern).all(axis=1))
        filled = list(compress(spaces, pattern))
        while len(rest.texts):
            start = time.perf_counter()
            done, blocks = _encode_some(encoder, rest, filled, on_batch, clock)
            seconds += time.perf_counter() - start
            part, rest = rest.take(done), rest.take(~done)
            pairs = list(zip(filled, blocks, strict=True))
            sound = np.logical_and.reduce([sound_texts(b, space.spec) for space, b in pairs])
            for space, block in pairs:
                shared |= not _commit(space, part.keys, block, sound)
                touch(space.folder)  # a space that is being filled is in use
            bad.append(part.take(~sound))
            large |= any(too_large(block, space.spec).any() for space, block in pairs)
            encoded += int(sound.sum())
            tokens += int(blocks[0].tokens.sum())
            commits += 1
    return WorkResult(encoded, tokens, joined(bad), large, shared, seconds, commits)


def _encode_some(
    encoder: Encoder,
    planned: WorkUnit,
    spaces: Sequence[Space],
    on_batch: OnBatch,
    clock: CommitClock,
) -> tuple[np.ndarray, list[Block]]:
    """Encode texts until the next commit is due, or all of them if the encoder cannot pause.

    Returns:
        (n,) bool, which texts were encoded, and one block per space with their vectors.
    """
    specs = [space.spec for space in spaces]
    if not isinstance(encoder, PausingEncoder):
        return np.ones(len(planned.texts), bool), encoder.encode(planned.texts, specs, on_batch)
    clock.restart()
    rows, blocks = encoder.encode_some(planned.texts, specs, on_batch, clock.due)
    clock.stop()
    done = np.zeros(len(planned.texts), bool)
    done[rows] = True
    return done, blocks


def _commit(space: Space, keys: np.ndarray, block: Block, wanted: np.ndarray) -> bool:
    """Commit texts chosen by (n,) bool. Return False if another process had just done so."""
    if wanted.all():
        return space.commit(keys, block)
    if wanted.any():
        return space.commit(keys[wanted], block.take(np.flatnonzero(wanted)))
    return True
