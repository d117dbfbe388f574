"""A unit of work: texts in, the encoder's vectors committed to the spaces that lack them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

import numpy as np

from features.bad_vectors import sound_texts, too_large
from features.card import touch
from features.shard import Block
from features.spec import FeatureSpec
from features.store import Space
from features.windows import Window

OnBatch = Callable[[int, int], None]
"""Called after every batch with its number of texts and of real tokens."""


class Encoder(Protocol):
    """What this stage asks of an encoder; tests put counting fakes in its place."""

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """One block a spec, each with the vectors of all texts in the order given."""
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
    """

    encoded: int
    tokens: int
    bad: Window
    large: bool
    shared: bool
    seconds: float


def encode_window(
    planned: Window, spaces: Sequence[Space], encoder: Encoder, on_batch: OnBatch
) -> Done:
    """Encode what some space lacks of a window or a part of one, and commit it there.

    Texts that lack the same go together, so that none passes for vectors that are there.
    """
    seconds = 0.0
    absent = lacking(planned.keys, spaces)
    wanting = absent.any(axis=1)
    shared = not wanting.all()
    bad = np.zeros(len(planned.texts), bool)
    encoded = tokens = 0
    large = False
    for lack in np.unique(absent[wanting], axis=0):
        same = (absent == lack).all(axis=1)
        window, filled = planned.take(same), list(compress(spaces, lack))
        start = time.perf_counter()
        blocks = encoder.encode(window.texts, [space.spec for space in filled], on_batch)
        seconds += time.perf_counter() - start
        pairs = list(zip(filled, blocks, strict=True))
        sound = np.logical_and.reduce([sound_texts(each, space.spec) for space, each in pairs])
        for space, block in pairs:
            shared |= not _commit(space, window.keys, block, sound)
            touch(space.folder)  # while it is being filled it is in use, however long it takes
        bad[same] = ~sound
        large |= any(too_large(block, space.spec).any() for space, block in pairs)
        encoded += int(sound.sum())
        tokens += int(blocks[0].tokens.sum())
    return Done(encoded, tokens, planned.take(bad), large, shared, seconds)


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
