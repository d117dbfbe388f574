"""Pieces: the token ids that an encoder sees, mostly one row a text; windows of a long one.

ids of whole texts -> whole | windowed -> forward passes -> a block a piece -> joined
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.segments import joined_windows
from features.shard import Block
from features.spec import FeatureSpec
from features.table import POOLED

Ids = list[list[int]]


@dataclass(frozen=True)
class Frame:
    """What stands around the text in every window.

    Attributes:
        head: special tokens before it.
        tail: special tokens behind it.
        prompt: tokens of the prompt, between the head and the text.
    """

    head: int
    tail: int
    prompt: int


@dataclass(frozen=True, eq=False)
class Pieces:
    """m pieces of n texts, in the texts' order.

    Attributes:
        ids: (m) token ids of each piece, special ones included.
        types: (m) segment ids of the same; None where the model has none.
        tokens: (n,) int32, tokens of each whole text, before any cut.
        text: (m,) int64, which text each piece is of.
        first, last: (m,) int64; the places ``first`` to ``last`` of a piece give vectors of
            its text, those around them only context.
    """

    ids: Ids
    types: Ids | None
    tokens: np.ndarray
    text: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """(m,) int32: tokens of each piece."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int32)

    @property
    def opening(self) -> np.ndarray:
        """(m,) bool: the first piece of its text."""
        return np.diff(self.text, prepend=-1) > 0

    def block(self, spec: FeatureSpec, dtype: str) -> Block:
        """A block with room for the vectors of every piece."""
        kept = np.ones(len(self.ids)) if spec.layout == POOLED else self.last - self.first
        lengths = kept.astype(np.int32)
        return Block(lengths, lengths, np.empty((int(lengths.sum()), spec.width), dtype))


def whole(ids: Ids, types: Ids | None, tokens: np.ndarray) -> Pieces:
    """Every text as one piece."""
    ends = np.array([len(row) for row in ids], np.int64)
    return Pieces(ids, types, tokens, np.arange(len(ids)), np.zeros_like(ends), ends)


def windowed(pieces: Pieces, frame: Frame, at_once: int, most: int) -> Pieces:
    """Whole texts cut into windows where they are longer than the encoder sees at once.

    Every window stands in the whole frame; of the joined sequence the head and the prompt
    come from the first window alone and the tail from the last.

    Args:
        pieces: of ``whole``, not cut.
        at_once: tokens that the encoder sees, the frame included.
        most: tokens of a text that are seen at all, special ones included.
    """
    ids: Ids = []
    types: Ids = []
    text, first, last = [], [], []
    before = frame.head + frame.prompt
    for row, all_ids in enumerate(pieces.ids):
        parts, places = [all_ids], [(0, len(all_ids))]
        own = [] if pieces.types is None else [pieces.types[row]]
        if len(all_ids) > at_once:
            seen = min(len(all_ids), most) - before - frame.tail
            cuts = joined_windows(seen, at_once - before - frame.tail)
            places = [
                (before + cut.first - cut.start, before + cut.last - cut.start) for cut in cuts
            ]
            places[0] = (0, places[0][1])
            places[-1] = (places[-1][0], places[-1][1] + frame.tail)
            spans = [(before + cut.start, before + cut.stop) for cut in cuts]
            parts = [_framed(all_ids, before, frame.tail, *span) for span in spans]
            own = [_framed(kinds, before, frame.tail, *span) for kinds in own for span in spans]
        ids += parts
        types += own
        text += [row] * len(parts)
        first += [place[0] for place in places]
        last += [place[1] for place in places]
    return Pieces(
        ids,
        None if pieces.types is None else types,
        pieces.tokens,
        np.array(text, np.int64),
        np.array(first, np.int64),
        np.array(last, np.int64),
    )


def joined(block: Block, pieces: Pieces, spec: FeatureSpec) -> Block:
    """The block of the texts, from that of their pieces.

    Sequences stand one behind the other. A pooled vector is the mean of its windows' vectors,
    weighted by the tokens that each gives; a text of one piece keeps its own to the bit.
    """
    starts = np.flatnonzero(pieces.opening)
    lengths = np.add.reduceat(block.lengths, starts, dtype=np.int32)
    if spec.layout != POOLED or len(starts) == len(pieces.ids):
        return Block(pieces.tokens, lengths, block.values)
    weights = (pieces.last - pieces.first).astype(np.float32)
    sums = np.add.reduceat(block.values * weights[:, None], starts)
    means = sums / np.add.reduceat(weights, starts)[:, None]
    if spec.normalize:
        with np.errstate(invalid="ignore"):  # zero becomes NaN, which the stage refuses
            means /= np.linalg.norm(means, axis=1, keepdims=True)
    values = block.values[starts]
    cut = lengths > 1
    values[cut] = means[cut]
    return Block(pieces.tokens, np.ones(len(starts), np.int32), values)


def _framed(row: Sequence[int], before: int, tail: int, start: int, stop: int) -> list[int]:
    """A part of a row between its first and its last entries."""
    return [*row[:before], *row[start:stop], *row[len(row) - tail :]]
