"""TokenizedTexts: the token ids of texts, with long texts in token windows.

token ids -> whole | in_windows -> forward passes -> block of all rows -> joined
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
    """m rows of token ids for n texts, in their order; a row is a text or one window of it.

    Attributes:
        ids: (m) token ids of each row, special tokens included.
        types: (m) segment ids of each row; None if the model has none.
        tokens: (n,) int32, tokens of each text before truncation.
        text: (m,) int64, position of the text of each row.
        first, last: (m,) int64; the tokens ``first`` to ``last - 1`` of a row give vectors of
            its text, the others are only context.
    """

    ids: Ids
    types: Ids | None
    tokens: np.ndarray
    text: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def whole(cls, ids: Ids, types: Ids | None, tokens: np.ndarray) -> TokenizedTexts:
        """Return every text as one row, all of whose tokens give vectors."""
        ends = np.array([len(row) for row in ids], np.int64)
        return cls(ids, types, tokens, np.arange(len(ids)), np.zeros_like(ends), ends)

    @property
    def lengths(self) -> np.ndarray:
        """(m,) int32: tokens of each row."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int32)

    @property
    def starts_text(self) -> np.ndarray:
        """(m,) bool: whether a row is the first one of its text."""
        return np.diff(self.text, prepend=-1) > 0

    def selected(self, rows: np.ndarray, width: int) -> np.ndarray:
        """Return (B, width) bool: the positions of B rows, padded on the right, that give
        vectors.
        """
        positions = np.arange(width)
        return (positions >= self.first[rows, None]) & (positions < self.last[rows, None])

    def take(self, rows: np.ndarray) -> TokenizedTexts:
        """Return some texts, given their (k,) positions; each must be one row."""
        return TokenizedTexts.whole(
            [self.ids[row] for row in rows],
            self.types and [self.types[row] for row in rows],
            self.tokens[rows],
        )

    def block(self, spec: FeatureSpec, dtype: str) -> Block:
        """Return an empty block for the vectors of all rows."""
        counts = np.ones(len(self.ids)) if spec.layout == POOLED else self.last - self.first
        lengths = counts.astype(np.int32)
        return Block(lengths, lengths, np.empty((int(lengths.sum()), spec.width), dtype))


@dataclass(frozen=True)
class _Window:
    """The parts of a row of token ids that form a window, and which tokens give vectors."""

    parts: tuple[slice, ...]
    first: int
    last: int

    def of(self, row: Sequence[int]) -> list[int]:
        return [entry for part in self.parts for entry in row[part]]


def in_windows(
    texts: TokenizedTexts, frame: Frame, window_tokens: int, max_tokens: int
) -> TokenizedTexts:
    """Cut the texts that are longer than one window into overlapping windows.

    Every window has the whole frame. In the joined sequence the head and the prompt come from
    the first window only, and the tail from the last.

    Args:
        texts: whole texts, one row each.
        window_tokens: tokens that the encoder sees at a time, the frame included.
        max_tokens: maximum tokens of a text that are encoded, special tokens included.
    """
    cut = [
        (row, window)
        for row, length in enumerate(texts.lengths.tolist())
        for window in _windows(length, frame, window_tokens, max_tokens)
    ]
    return TokenizedTexts(
        ids=[window.of(texts.ids[row]) for row, window in cut],
        types=texts.types and [window.of(texts.types[row]) for row, window in cut],
        tokens=texts.tokens,
        text=np.array([row for row, _ in cut], np.int64),
        first=np.array([window.first for _, window in cut], np.int64),
        last=np.array([window.last for _, window in cut], np.int64),
    )


def _windows(length: int, frame: Frame, window_tokens: int, max_tokens: int) -> list[_Window]:
    if length <= window_tokens:
        return [_Window((slice(length),), 0, length)]
    before, tail = frame.head + frame.prompt, frame.tail
    cuts = joined_windows(
        min(length, max_tokens) - before - tail, window_tokens - before - tail
    )
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


def joined(block: Block, texts: TokenizedTexts, spec: FeatureSpec) -> Block:
    """Return the block of the texts from that of their rows.

    Sequences are concatenated. A pooled vector is the mean of the windows' vectors, weighted by
    the tokens that each gives; for a text of one row it is that row's vector, bit by bit.
    """
    starts = np.flatnonzero(texts.starts_text)
    lengths = np.add.reduceat(block.lengths, starts, dtype=np.int32)
    if spec.layout != POOLED or len(starts) == len(texts.ids):
        return Block(texts.tokens, lengths, block.values)
    weights = (texts.last - texts.first).astype(np.float32)
    sums = np.add.reduceat(block.values * weights[:, None], starts)
    means = sums / np.add.reduceat(weights, starts)[:, None]
    if spec.normalize:
        with np.errstate(invalid="ignore"):  # zero becomes NaN, which the stage refuses
            means /= np.linalg.norm(means, axis=1, keepdims=True)
    values = block.values[starts]
    cut = lengths > 1
    values[cut] = means[cut]
    return Block(texts.tokens, np.ones(len(starts), np.int32), values)
