"""Batches of a slow encoder are small, those of any other are the same on every run."""

from __future__ import annotations

import numpy as np
import pytest

from features.encoders.batching import FIRST_TEXTS, MAX_SECONDS, BatchLimit, run_batches

LENGTHS = np.random.default_rng(0).integers(3, 60, 400)


def sizes(per_text: float, per_token: float) -> list[tuple[int, float]]:
    """Texts and seconds of every batch of an encoder of some speed."""
    now = 0.0
    done: list[tuple[int, float]] = []

    def run(rows: np.ndarray) -> None:
        nonlocal now
        taken = len(rows) * per_text + LENGTHS[rows].sum() * per_token
        now += taken
        done.append((len(rows), taken))

    run_batches(LENGTHS, 2048, run, str, limit=BatchLimit(lambda: now))
    assert sum(count for count, _ in done) == len(LENGTHS)
    return done


@pytest.mark.parametrize(("per_text", "per_token"), [(1 / 20, 0), (0, 1 / 300), (0.01, 0.001)])
def test_no_batch_of_a_slow_encoder_takes_long(per_text: float, per_token: float) -> None:
    done = sizes(per_text, per_token)
    assert done[0][0] == FIRST_TEXTS
    assert max(seconds for _, seconds in done[1:]) <= MAX_SECONDS + 1e-9
    assert np.mean([seconds for _, seconds in done]) > MAX_SECONDS / 3, "needlessly small"


def test_the_batches_of_an_ordinary_encoder_do_not_depend_on_its_speed() -> None:
    fast = [count for count, _ in sizes(0, 1e-5)]
    slower = [count for count, _ in sizes(1e-4, 3e-4)]
    assert fast == slower
    assert len(fast) < 12
