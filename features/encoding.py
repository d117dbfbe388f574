"""The encoding stage: texts without vectors go through the encoder, once, ever.

    plan_encoding(texts, spaces)            what is cached, what is missing, how large
    check_disk(plan, root)                  refuses what would not fit
    encode(plan, texts, spaces, load)       windows of missing texts -> committed shards

Texts stream: planning passes over them once and keeps 16 bytes of each; encoding passes over
them again, and only where it must, so any iterable of texts will do that gives the same texts
whenever it is iterated: a list, or ``corpus.CorpusTexts``, which reads a file.

A window is one unit of work, and one commit a space unless its texts lack different spaces.
Windows run in corpus order, so that a resumed run cuts the same windows that the killed one
would have; once another process is seen writing the same space they run in random order, so
that the two share the work.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, islice
from typing import Protocol

import numpy as np

from features.batching import windows
from features.card import touch
from features.errors import BadVectorError, DiskSpaceError, listed
from features.place import Place
from features.precision import LARGEST
from features.remote import RemotePath
from features.shard import Block
from features.spec import KEY_BYTES, FeatureSpec, text_keys
from features.store import Space
from features.table import POOLED, SENTENCES
from features.windows import Window, WorkQueue, cut

WINDOW_TEXTS = 2048
WINDOW_BYTES = 64 * 2**20
"""A window is some seconds of work, all that a kill can lose, and a shard of useful size."""

PLANNED_TEXTS = 4096
"""Texts that planning holds at a time."""

HELD_BYTES = 16 * 2**20
"""Missing texts that a plan keeps, about: few new ones need no second pass over the corpus."""

BAD_SHOWN = 3
"""Texts without sound vectors that a message quotes; of the others it gives the numbers."""

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
        lacks: (missing, spaces) bool, which spaces lack each of them.
        sizes: (missing,) bytes of each expected to be stored, in the spaces that lack it.
        held: the first missing texts, up to ``HELD_BYTES``; the others are read again.
    """

    keys: np.ndarray
    distinct: int
    missing: np.ndarray
    lacks: np.ndarray
    sizes: np.ndarray
    held: Sequence[str] = ()

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
        devices: that encoded, one entry a process; none where the encoder does not say.
    """

    encoded: int
    tokens: int
    seconds: float
    loading: float = 0.0
    backend: str = ""
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Done:
    """What became of one window.

    Attributes:
        encoded: texts whose vectors were stored.
        tokens: of all that were encoded, before truncation.
        bad: the texts whose vectors could not be stored.
        shared: some of its texts were there already: others fill the same space.
    """

    encoded: int
    tokens: int
    bad: Window
    shared: bool


def plan_encoding(texts: Iterable[str], spaces: Sequence[Space]) -> EncodingPlan:
    """Compare the texts' keys with what the spaces hold: one pass over the texts.

    Raises:
        TypeError: an iterator, which would be used up when the texts are encoded.
        Whatever reading the texts raises, such as ``CorpusError`` at a bad row.
    """
    stream = iter(texts)
    if stream is texts:
        raise TypeError("texts are read again to be encoded: pass a list, not an iterator")
    specs = [space.spec for space in spaces]
    keys, absent = [text_keys(())], [np.zeros((0, len(spaces)), bool)]
    sizes = [np.zeros(0, np.int64)]
    held: list[str] = []
    room = HELD_BYTES
    while batch := list(islice(stream, PLANNED_TEXTS)):
        keys.append(text_keys(batch))
        absent.append(lacking(keys[-1], spaces))
        some = np.logical_or.reduce(absent[-1], axis=1)
        wanted = list(compress(batch, some.tolist()))
        sizes.append(_sizes(wanted, specs, absent[-1][some]))
        if room > 0:
            room -= sum(map(sys.getsizeof, wanted))
            held += wanted
    every, lacks = np.concatenate(keys), np.concatenate(absent)
    wanting = lacks.any(axis=1)
    first = np.zeros(len(every), bool)
    first[np.unique(every, return_index=True)[1]] = True
    once = first[wanting]
    return EncodingPlan(
        every,
        int(first.sum()),
        np.flatnonzero(wanting & first),
        lacks[wanting & first],
        np.concatenate(sizes)[once],
        list(compress(held, once.tolist())),
    )


def check_disk(plan: EncodingPlan, root: Place) -> None:
    """Raise ``DiskSpaceError`` where the plan would not fit on the disk of the cache folder."""
    if isinstance(root, RemotePath):  # where there is no end
        return
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
    texts: Iterable[str],
    spaces: Sequence[Space],
    load: Callable[[], Encoder],
    on_batch: OnBatch = lambda texts, tokens: None,
) -> EncodingReport:
    """Encode the plan's missing texts and commit them, window by window.

    Args:
        texts: the corpus that the plan was made of; iterated unless the plan holds all that
            is missing.
        load: gives the encoder; called only if something is missing.

    Raises:
        BadVectorError: after all else was committed, if the encoder gave NaN, infinite or
            all-zero vectors; it names the texts.
        CorpusError: the texts are no longer those of the plan; earlier commits are kept.
        DiskSpaceError, CacheError: a commit failed; earlier ones are kept.
    """
    start = time.perf_counter()
    encoded = tokens = 0
    bad = BadTexts()
    parts = windows(plan.sizes, WINDOW_TEXTS, WINDOW_BYTES)
    encoder = load() if parts else None
    loading = time.perf_counter() - start
    for space in spaces:
        space.sweep()
        touch(space.folder)
    queue = WorkQueue(missing_windows(plan, texts, parts))
    for window in queue:
        for space in spaces:
            queue.shared |= space.refresh()
        if encoder is None:
            continue
        done = encode_window(window, spaces, encoder, on_batch)
        bad.add(done.bad)
        queue.shared |= done.shared
        encoded += done.encoded
        tokens += done.tokens
    for space in spaces:
        space.save_index()
    bad.refuse()
    seconds = time.perf_counter() - start
    device = str(getattr(encoder, "device", ""))
    return EncodingReport(
        encoded, tokens, seconds, loading, backend_name(encoder), (device,) if device else ()
    )


def encode_window(
    planned: Window, spaces: Sequence[Space], encoder: Encoder, on_batch: OnBatch
) -> Done:
    """One unit of work: what some space lacks of a window -> commits to those that do.

    Texts that lack the same go together, so that none passes for vectors that are there.
    """
    absent = lacking(planned.keys, spaces)
    wanting = absent.any(axis=1)
    shared = not wanting.all()
    bad = np.zeros(len(planned.texts), bool)
    encoded = tokens = 0
    for lack in np.unique(absent[wanting], axis=0):
        same = (absent == lack).all(axis=1)
        window, filled = planned.take(same), list(compress(spaces, lack))
        blocks = encoder.encode(window.texts, [space.spec for space in filled], on_batch)
        pairs = list(zip(filled, blocks, strict=True))
        sound = np.logical_and.reduce([sound_texts(each, space.spec) for space, each in pairs])
        for space, block in pairs:
            shared |= not _commit(space, window.keys, block, sound)
            touch(space.folder)  # while it is being filled it is in use, however long it takes
        bad[same] = ~sound
        encoded += int(sound.sum())
        tokens += int(blocks[0].tokens.sum())
    return Done(encoded, tokens, planned.take(bad), shared)


def lacking(keys: np.ndarray, spaces: Sequence[Space]) -> np.ndarray:
    """(n, spaces) bool: which spaces lack the vectors of each text."""
    absent = np.array([space.missing(keys) for space in spaces], bool)
    return absent.reshape(len(spaces), len(keys)).T


def backend_name(encoder: object) -> str:
    """What runs an encoder; '' for encoders that have no back end, such as tests'."""
    return str(getattr(getattr(encoder, "backend", None), "name", ""))


def missing_windows(
    plan: EncodingPlan, texts: Iterable[str], parts: Sequence[slice]
) -> Iterator[Window]:
    """The plan's missing texts as windows in corpus order, each read when it is asked for."""
    return cut(_missing_texts(plan, texts), plan.missing, plan.keys[plan.missing], parts)


def _missing_texts(plan: EncodingPlan, texts: Iterable[str]) -> Iterator[str]:
    """The plan's missing texts in order: those it holds, then a second pass for the rest."""
    yield from plan.held
    if len(plan.held) < len(plan.missing):
        wanted = np.zeros(len(plan.keys), np.uint8)
        wanted[plan.missing[len(plan.held) :]] = 1
        yield from compress(texts, wanted.tobytes())


class BadTexts:
    """Texts whose vectors must not be stored, gathered to be named in one message."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.shown: list[str] = []

    def add(self, window: Window) -> None:
        """More of them."""
        for row, text in zip(window.rows.tolist(), window.texts, strict=True):
            self.rows.append(row)
            if len(self.shown) < BAD_SHOWN:
                self.shown.append(f"text {row + 1}: {text[:60]!r}")

    @property
    def beside(self) -> str:
        """What a message about something else adds; '' where there was none."""
        if not self.rows:
            return ""
        return (
            f", and {len(self.rows):,} more had NaN, infinite or all-zero vectors "
            f"({'; '.join(self.shown)})"
        )

    def refuse(self) -> None:
        """Raise ``BadVectorError`` if there was any."""
        if self.rows:
            numbers = listed((row + 1 for row in sorted(self.rows)), 100)
            raise BadVectorError(
                "the encoder gave NaN, infinite or all-zero vectors for "
                f"{len(self.rows)} texts, which were not stored (texts "
                f"{numbers}; {'; '.join(self.shown)}); all others were. Store numbers beyond "
                "65,504 with --dtype float32, compute with --precision float32, or leave those "
                "texts out"
            )


def _commit(space: Space, keys: np.ndarray, block: Block, wanted: np.ndarray) -> bool:
    """Commit some texts, by (n,) bool. False where another process had just done the same."""
    if wanted.all():
        return space.commit(keys, block)
    if wanted.any():
        return space.commit(keys[wanted], block.take(np.flatnonzero(wanted)))
    return True


def sound_texts(block: Block, spec: FeatureSpec) -> np.ndarray:
    """(n,) bool: texts whose vectors are all finite, as stored too, and not zero."""
    # NaN where one is, and then no comparison holds.
    largest = np.abs(block.values).max(axis=1).astype(np.float64)
    fine = (largest > 0) & (largest <= LARGEST[spec.dtype])
    starts = np.cumsum(block.lengths) - block.lengths
    sound: np.ndarray = np.logical_and.reduceat(fine, starts)
    return sound


def _sizes(texts: Sequence[str], specs: Sequence[FeatureSpec], lacks: np.ndarray) -> np.ndarray:
    """(n,) bytes expected of texts in the specs that lack them, by (n, specs) bool."""
    expected = np.array([_stored_bytes(text, specs) for text in texts], np.int64)
    total: np.ndarray = (expected.reshape(lacks.shape) * lacks).sum(axis=1)
    return total


def _stored_bytes(text: str, specs: Sequence[FeatureSpec]) -> list[int]:
    """Expected of a text, a number a spec: 4 ASCII letters a token, or 1 letter of others."""
    other = 0 if text.isascii() else (len(text.encode("utf-8")) - len(text)) // 2
    tokens = 2 + max(0, len(text) - other) // 4 + other
    return [
        ROW_BYTES + spec.bytes_per_vector * _expected_vectors(spec, tokens) for spec in specs
    ]


def _expected_vectors(spec: FeatureSpec, tokens: int) -> int:
    if spec.layout == POOLED:
        return 1
    if spec.layout == SENTENCES:
        return 1 + tokens // SENTENCE_TOKENS
    return min(tokens, spec.limit)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
