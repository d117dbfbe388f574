"""Token-budget batches: texts of similar length together, so that there is little padding."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np

from features.errors import DeviceMemoryError

OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "alloc_failed",
)
"""Messages of torch, its libraries and OpenVINO about lack of memory, mostly in a RuntimeError.
"""

FIRST_TEXTS = 8
"""Maximum texts of an encoder's first batch, when its speed is unknown."""

GROWTH = 4
"""Maximum ratio of the limit of a batch to that of the one before."""

MAX_SECONDS = 1.0
"""Seconds that a batch may be expected to take; only slow encoders come near it."""


def token_budget_batches(
    lengths: np.ndarray, budget: int, unpadded: bool = False
) -> list[np.ndarray]:
    """Cut texts into batches whose padded size stays within a budget of tokens.

    The texts are sorted by length (stable), longest first: an allocation that does not fit
    then fails at the start, and later batches reuse its memory.

    Args:
        lengths: (N,) whole numbers, tokens per text after truncation, each at least 1.
        budget: tokens per batch, padding included. A longer text gets a batch of its own.
        unpadded: put only texts of the same length into one batch.

    Returns:
        Arrays of positions into ``lengths``; together they hold every position once.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        batch = order[start : start + max(1, budget // longest)]
        if unpadded:
            batch = batch[lengths[batch] == longest]
        batches.append(batch)
        start += len(batch)
    return batches


class BatchLimit:
    """How many texts the next batch of an encoder may have, so that no batch takes long.

    A killed run loses at least the current batch. The first batches are small, since the speed
    is unknown. After them an encoder of ordinary speed is not limited, so its batches are the
    same on every run.

    Attributes:
        texts: maximum texts of the next batch.
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.texts = FIRST_TEXTS
        self.clock = clock

    def note(self, texts: int, seconds: float) -> None:
        """Record how long a batch took; texts of the next one are at most as long.

        Args:
            texts: number of texts of the batch.
            seconds: duration of the batch.
        """
        within = int(texts * MAX_SECONDS / max(seconds, 1e-9))
        self.texts = max(1, min(GROWTH * self.texts, within))


def run_batches(
    lengths: np.ndarray,
    budget: int,
    run: Callable[[np.ndarray], None],
    describe: Callable[[int], str],
    unpadded: bool = False,
    enough: Callable[[float], bool] = lambda share: False,
    limit: BatchLimit | None = None,
) -> int:
    """Run token-budget batches, with half the budget from one on that does not fit in memory.

    Args:
        lengths: (N,) as for ``token_budget_batches``.
        budget: tokens per batch to begin with, padding included.
        run: does the work of one batch, given its positions. If it raises an out-of-memory
            error it must leave nothing behind, since its texts are run again.
        describe: names a text by its position, for the message that refuses it.
        unpadded: as for ``token_budget_batches``.
        enough: called after each batch but the last with the share of the tokens that is
            encoded; True stops here. A call with the rest runs the remaining batches unchanged.
        limit: limits the texts per batch, and is told how long each batch took; None: no limit.

    Returns:
        The budget that fits, for the next call.

    Raises:
        DeviceMemoryError: a text does not fit by itself.
    """
    batches = deque(token_budget_batches(lengths, budget, unpadded))
    done, total = 0, int(lengths.sum())
    while batches:
        if limit and len(batches[0]) > limit.texts:
            rest = np.concatenate(batches)
            first, rest = rest[: limit.texts], rest[limit.texts :]
            parts = token_budget_batches(lengths[rest], budget, unpadded)
            batches = deque([first, *(rest[part] for part in parts)])
        rows = batches[0]
        start = limit.clock() if limit else 0.0
        if _fits(run, rows):
            batches.popleft()
            if limit:
                limit.note(len(rows), limit.clock() - start)
            done += int(lengths[rows].sum())
            if batches and enough(done / total):
                break
            continue
        if len(rows) == 1:
            raise DeviceMemoryError(
                f"{describe(int(rows[0]))} does not fit in memory by itself; free some memory, "
                "encode on another device (--devices, where a command takes it), or leave this "
                "text out"
            )
        # The last batch may be far below the budget; half the budget would not make it smaller.
        budget = min(budget, len(rows) * int(lengths[rows].max())) // 2
        rest = np.concatenate(batches)
        parts = token_budget_batches(lengths[rest], budget, unpadded)
        batches = deque(rest[part] for part in parts)
    return budget


def _fits(run: Callable[[np.ndarray], None], rows: np.ndarray) -> bool:
    """Run one batch; return False if there was too little memory for it.

    It is a function of its own, so that the error's traceback, which holds the batch's tensors,
    is freed before the next batch runs.
    """
    try:
        run(rows)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return False
    return True


def out_of_memory(error: Exception) -> bool:
    """Return whether an error reports a lack of memory."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(x in said for x in OUT_OF_MEMORY)
