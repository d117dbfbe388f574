"""The encoding stage: texts without vectors go through the encoder, once, ever.

    plan_encoding(texts, spaces)            pure: what is cached, what is missing, how large
    check_disk(plan, root)                  refuses what would not fit
    encode(plan, texts, spaces, load)       windows of missing texts -> committed shards

A window is one unit of work and one commit a space. Windows run in corpus order, so that a
resumed run cuts the same windows that the killed one would have; once another process is
seen writing the same space they run in random order, so that the two share the work.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from features.batching import windows
from features.card import touch
from features.errors import BadVectorError, DiskSpaceError, listed
from features.precision import LARGEST
from features.shard import Block
from features.spec import KEY_BYTES, FeatureSpec, text_keys
from features.store import Space
from features.table import POOLED, SENTENCES

WINDOW_TEXTS = 2048
WINDOW_BYTES = 64 * 2**20
"""A window is some seconds of work, all that a kill can lose, and a shard of useful size."""

SENTENCE_TOKENS = 20
"""Tokens of a sentence, about; only to estimate the disk space needed."""

ROW_BYTES = KEY_BYTES + 8
SPARE_BYTES = 64 * 2**20
"""Room that the disk must keep beside the vectors: the index, and a window under way."""

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
class EncodingPlan:
    """What one run of the stage will do.

    Attributes:
        keys: (texts,) ``S16``, the key of every text in corpus order.
        distinct: different texts among them.
        missing: positions of the texts to encode: the first of each distinct text that some
            space lacks, in corpus order.
        sizes: (missing,) expected stored bytes of each.
    """

    keys: np.ndarray
    distinct: int
    missing: np.ndarray
    sizes: np.ndarray

    @property
    def cached(self) -> int:
        """Distinct texts that every space holds already."""
        return self.distinct - len(self.missing)

    @property
    def bytes_needed(self) -> int:
        """Disk space that the missing vectors will take, estimated from the texts' lengths."""
        return int(self.sizes.sum())


@dataclass(frozen=True)
class EncodingReport:
    """What one run of the stage did.

    Attributes:
        encoded: texts that it encoded itself.
        tokens: theirs, before truncation.
        seconds: taken in all, and of them
        loading: until the encoder was there.
        backend: what ran the encoder at the end; '' where it does not say.
    """

    encoded: int
    tokens: int
    seconds: float
    loading: float = 0.0
    backend: str = ""


@dataclass(frozen=True, eq=False)
class Done:
    """What became of one window.

    Attributes:
        sound: (n,) bool, texts whose vectors could be stored.
        tokens: of all its texts, before truncation.
        shared: another process had just committed the same.
    """

    sound: np.ndarray
    tokens: int
    shared: bool


def plan_encoding(texts: Sequence[str], spaces: Sequence[Space]) -> EncodingPlan:
    """Compare the texts' keys with what the spaces hold."""
    keys = text_keys(texts)
    first = np.sort(np.unique(keys, return_index=True)[1])
    lacking = np.zeros(len(first), bool)
    for space in spaces:
        lacking |= space.missing(keys[first])
    missing = first[lacking]
    specs = [space.spec for space in spaces]
    sizes = np.array([_stored_bytes(texts[row], specs) for row in missing], np.int64)
    return EncodingPlan(keys, len(first), missing, sizes)


def check_disk(plan: EncodingPlan, root: Path) -> None:
    """Raise ``DiskSpaceError`` where the plan would not fit on the disk of the cache folder."""
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if len(plan.missing) and plan.bytes_needed + SPARE_BYTES > free:
        raise DiskSpaceError(
            f"encoding {len(plan.missing):,} texts needs about {_gigabytes(plan.bytes_needed)} "
            f"in {root}, and {_gigabytes(free)} are free; free some space, choose another disk "
            "with --cache, or --layout pooled, which stores one vector a text"
        )


def encode(
    plan: EncodingPlan,
    texts: Sequence[str],
    spaces: Sequence[Space],
    load: Callable[[], Encoder],
    on_batch: OnBatch = lambda texts, tokens: None,
) -> EncodingReport:
    """Encode the plan's missing texts and commit them, window by window.

    Args:
        texts: the corpus that the plan was made of.
        load: gives the encoder; called only if something is missing.

    Raises:
        BadVectorError: after all else was committed, if the encoder gave NaN, infinite or
            all-zero vectors; it names the texts.
        DiskSpaceError, CacheError: a commit failed; earlier ones are kept.
    """
    start = time.perf_counter()
    encoded = tokens = 0
    bad: list[int] = []
    queue = windows(plan.sizes, WINDOW_TEXTS, WINDOW_BYTES)
    encoder = load() if queue else None
    loading = time.perf_counter() - start
    shared = False
    for space in spaces:
        space.sweep()
        touch(space.folder)
    while queue and encoder is not None:
        window = queue.pop(random.randrange(len(queue)) if shared else 0)
        for space in spaces:
            shared |= space.refresh()
        rows = plan.missing[window]
        rows = rows[lacking(plan.keys[rows], spaces)]
        if not len(rows):
            continue
        done = encode_window(
            [texts[row] for row in rows], plan.keys[rows], spaces, encoder, on_batch
        )
        bad.extend(rows[~done.sound].tolist())
        shared |= done.shared
        encoded += int(done.sound.sum())
        tokens += done.tokens
    for space in spaces:
        space.save_index()
    refuse_bad(bad, texts)
    seconds = time.perf_counter() - start
    return EncodingReport(encoded, tokens, seconds, loading, backend_name(encoder))


def encode_window(
    texts: Sequence[str],
    keys: np.ndarray,
    spaces: Sequence[Space],
    encoder: Encoder,
    on_batch: OnBatch,
) -> Done:
    """One unit of work: texts that some space lacks -> one commit a space.

    Args:
        texts: n different texts, at least one.
        keys: (n,) ``S16``, theirs.
    """
    blocks = encoder.encode(texts, [space.spec for space in spaces], on_batch)
    sound = np.logical_and.reduce(
        [_sound(block, space.spec) for space, block in zip(spaces, blocks, strict=True)]
    )
    shared = False
    for space, block in zip(spaces, blocks, strict=True):
        shared |= not _commit(space, keys, block, sound)
    return Done(sound, int(blocks[0].tokens.sum()), shared)


def lacking(keys: np.ndarray, spaces: Sequence[Space]) -> np.ndarray:
    """(n,) bool: texts whose vectors some space lacks."""
    absent: np.ndarray = np.logical_or.reduce([space.missing(keys) for space in spaces])
    return absent


def backend_name(encoder: object) -> str:
    """What runs an encoder; '' for encoders that have no back end, such as tests'."""
    return str(getattr(getattr(encoder, "backend", None), "name", ""))


def refuse_bad(rows: list[int], texts: Sequence[str]) -> None:
    """Raise ``BadVectorError`` that names the texts, if there are any."""
    if rows:
        raise BadVectorError(_bad_vectors(sorted(rows), texts))


def _commit(space: Space, keys: np.ndarray, block: Block, sound: np.ndarray) -> bool:
    """Commit what the space lacks. False where another process had just done the same."""
    wanted = sound & space.missing(keys)
    if wanted.all():
        return space.commit(keys, block)
    if wanted.any():
        return space.commit(keys[wanted], block.take(np.flatnonzero(wanted)))
    return True


def _sound(block: Block, spec: FeatureSpec) -> np.ndarray:
    """(n,) bool: texts whose vectors are all finite, as stored too, and not zero."""
    # NaN where one is, and then no comparison holds.
    largest = np.abs(block.values).max(axis=1).astype(np.float64)
    fine = (largest > 0) & (largest <= LARGEST[spec.dtype])
    starts = np.cumsum(block.lengths) - block.lengths
    sound: np.ndarray = np.logical_and.reduceat(fine, starts)
    return sound


def _stored_bytes(text: str, specs: Sequence[FeatureSpec]) -> int:
    """Expected stored bytes of a text: 4 ASCII letters a token, or 1 letter of others."""
    other = 0 if text.isascii() else (len(text.encode("utf-8")) - len(text)) // 2
    tokens = 2 + max(0, len(text) - other) // 4 + other
    return sum(
        ROW_BYTES + spec.bytes_per_vector * _expected_vectors(spec, tokens) for spec in specs
    )


def _expected_vectors(spec: FeatureSpec, tokens: int) -> int:
    if spec.layout == POOLED:
        return 1
    if spec.layout == SENTENCES:
        return 1 + tokens // SENTENCE_TOKENS
    return min(tokens, spec.max_length)


def _bad_vectors(rows: list[int], texts: Sequence[str]) -> str:
    shown = "; ".join(f"text {row + 1}: {texts[row][:60]!r}" for row in rows[:3])
    return (
        f"the encoder gave NaN, infinite or all-zero vectors for {len(rows)} texts, which "
        f"were not stored (texts {listed((row + 1 for row in rows), 100)}; {shown}); all "
        "others were. Leave those texts out, or use float32 with --precision float32"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
