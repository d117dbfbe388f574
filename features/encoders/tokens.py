"""TokenizedTexts: the token ids of texts, with long texts in token windows.

token ids of complete texts -> uncut | windowed -> forward passes -> a block per piece -> joined
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.encoders.segmentation import joined_windows
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED

Ids = list[list[int]]


@dataclass(frozen=True)
class Frame:
    """The tokens around the text in every window.

    Attributes:
        head: special tokens before it.
        tail: special tokens after it.
        prompt: tokens of the prompt, between the head and the text.
    """

    head: int
    tail: int
    prompt: int


@dataclass(frozen=True, eq=False)
class TokenizedTexts:
    """m pieces of n texts, in the order of the texts; a piece is a text or a window of one.

    Attributes:
        ids: (m) token ids of each piece, special tokens included.
        types: (m) segment ids of each piece; None if the model has none.
        tokens: (n,) int32, tokens of each text before truncation.
        text: (m,) int64, the text of each piece.
        first, last: (m,) int64; the tokens ``first`` to ``last`` of a piece give vectors of its
            text, the others are only context.
    """

    ids: Ids
    types: Ids | None
    tokens: np.ndarray
    text: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def uncut(cls, ids: Ids, types: Ids | None, tokens: np.ndarray) -> TokenizedTexts:
        """Return every text as one piece, all of whose tokens give vectors."""
        ends = np.array([len(row) for row in ids], np.int64)
        return cls(ids, types, tokens, np.arange(len(ids)), np.zeros_like(ends), ends)

    @property
    def lengths(self) -> np.ndarray:
        """(m,) int32: tokens of each piece."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int32)

    @property
    def opening(self) -> np.ndarray:
        """(m,) bool: the first piece of its text."""
        return np.diff(self.text, prepend=-1) > 0

    def block(self, spec: FeatureSpec, dtype: str) -> Block:
        """Return an empty block for the vectors of all pieces."""
        kept = np.ones(len(self.ids)) if spec.layout == POOLED else self.last - self.first
        lengths = kept.astype(np.int32)
        return Block(lengths, lengths, np.empty((int(lengths.sum()), spec.width), dtype))


@dataclass(frozen=True)
class _Window:
    """The parts of a row of token ids that form a window, and which tokens give vectors."""

    parts: tuple[slice, ...]
    first: int
    last: int

    def of(self, row: Sequence[int]) -> list[int]:
        return [entry for part in self.parts for entry in row[part]]


def windowed(pieces: TokenizedTexts, frame: Frame, at_once: int, most: int) -> TokenizedTexts:
    """Return whole texts cut into windows where they are longer than the encoder sees at once.

    Every window stands in the whole frame; of the joined sequence the head and the prompt
    come from the first window alone and the tail from the last.

    Args:
        pieces: whole texts, each one piece.
        at_once: tokens that the encoder sees, the frame included.
        most: tokens of a text that are seen at all, special ones included.
    """
    cut = [
        (row, window)
        for row, length in enumerate(pieces.lengths.tolist())
        for window in _windows(length, frame, at_once, most)
    ]
    return TokenizedTexts(
        ids=[window.of(pieces.ids[row]) for row, window in cut],
        types=pieces.types and [window.of(pieces.types[row]) for row, window in cut],
        tokens=pieces.tokens,
        text=np.array([row for row, _ in cut], np.int64),
        first=np.array([window.first for _, window in cut], np.int64),
        last=np.array([window.last for _, window in cut], np.int64),
    )


def _windows(length: int, frame: Frame, at_once: int, most: int) -> list[_Window]:
    if length <= at_once:
        return [_Window((slice(length),), 0, length)]
    before, tail = frame.head + frame.prompt, frame.tail
    cuts = joined_windows(min(length, most) - before - tail, at_once - before - tail)
    return [
        _Window(
            parts=(
                slice(before),
                slice(before + cut.start, before + cut.stop),
                slice(length - tail, length),
            ),
            first=0 if cut is cuts[0] else before + cut.first - cut.start,
            last=before + cut.last - cut.start + (tail if cut is cuts[-1] else 0),
        )
        for cut in cuts
    ]


def joined(block: Block, pieces: TokenizedTexts, spec: FeatureSpec) -> Block:
    """Return the block of the texts from that of their pieces.

    Sequences are concatenated. A pooled vector is the mean of the windows' vectors, weighted by
    the tokens that each gives; for a text of one piece it is that piece's vector, bit by bit.
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
