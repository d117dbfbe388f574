"""Units of work last seconds, whatever the encoder; a kill loses at most the one under way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from features.encoders.protocol import OnBatch
from features.encoding import job
from features.encoding.pace import (
    FIRST_TEXTS,
    INDEX_SECONDS,
    INDEX_SHARE,
    MIN_SECONDS,
    IndexClock,
)
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.storage.storage import exclusive
from features.store.space import Space
from features.store.store import FeatureStore
from features.store.verification import verify_cache
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from tests.support.encoders import CountingEncoder, fake_vectors, spec

LENGTHS = random.Random(0)
TEXTS = [f"text number {i} " + "word " * LENGTHS.randrange(1, 150) for i in range(700)]


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class Clock:
    """A time that passes only when an encoder works, and ends at the next kill."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kill = float("inf")

    def perf_counter(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self.kill:
            self.now = self.kill
            raise Killed


class Slow(CountingEncoder):
    """Takes a while per text, and per word; notes how long it took for each unit."""

    def __init__(self, clock: Clock, per_text: float, per_word: float = 0.0) -> None:
        super().__init__()
        self.clock, self.per_text, self.per_word = clock, per_text, per_word
        self.units: list[tuple[int, float]] = []

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        start = self.clock.now
        self.seen.extend(texts)  # also those that a kill loses
        for text in texts:
            self.clock.work(self.per_text + self.per_word * len(text.split()))
        self.units.append((len(texts), self.clock.now - start))
        return [self._block(texts, each) for each in specs]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("features.encoding.work.time", clock)
    return clock


def spaces(root: Path) -> list[Space]:
    limits = {"max_length": 100}
    return [FeatureStore(root).space(spec(name, **limits)) for name in ("pooled", "tokens")]


def run(root: Path, encoder: CountingEncoder, unit_texts: int = job.UNIT_TEXTS) -> None:
    opened, plan = spaces(root), plan_encoding(TEXTS, spaces(root))
    encode(plan, TEXTS, opened, lambda: encoder, unit_texts=unit_texts)


def shards(root: Path) -> list[int]:
    return [len(space.shard_names()) for space in spaces(root)]


@pytest.mark.parametrize(
    ("per_text", "per_word"), [(1 / 20, 0), (0, 1 / 500), (1.2, 0), (0.01, 1 / 2000)]
)
def test_a_slow_encoder_commits_at_least_every_ten_seconds(
    tmp_path: Path, clock: Clock, per_text: float, per_word: float
) -> None:
    encoder = Slow(clock, per_text, per_word)
    run(tmp_path, encoder)
    seconds = [taken for _, taken in encoder.units]
    assert max(seconds) <= 10.0
    assert seconds[0] <= max(2.0, FIRST_TEXTS * per_text)
    assert np.mean(seconds[len(seconds) // 2 :]) > MIN_SECONDS / 2, "needlessly small"
    assert sorted(encoder.seen) == sorted(TEXTS)
    assert shards(tmp_path) == [1, 1], "its small shards are joined"


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_every_8_seconds_a_slow_encoding_ends_and_repeats_little(
    tmp_path: Path, clock: Clock, seed: int
) -> None:
    rng, started, lives = random.Random(seed), 0, 0
    while True:
        encoder, lives = Slow(clock, 1 / 20), lives + 1
        clock.kill = clock.now + rng.uniform(2, 12)  # after loading
        try:
            run(tmp_path, encoder)
        except Killed:
            started += len(encoder.seen)
            continue
        started += len(encoder.seen)
        break
    print(f"{started} texts encoded for {len(TEXTS)}, {lives} lives")
    assert lives > 3
    assert started <= 1.3 * len(TEXTS)
    for space in spaces(tmp_path):
        keys = plan_encoding(TEXTS, [space]).keys
        table = space.table(keys)
        for row in range(0, len(TEXTS), 50):
            expected = fake_vectors(TEXTS[row], space.spec.layout, 100)
            assert np.array_equal(table.sequence(row), expected)


def test_a_fast_encoder_gets_whole_units_after_its_first_texts(
    tmp_path: Path, clock: Clock
) -> None:
    encoder = Slow(clock, 1 / 1000)
    run(tmp_path, encoder, unit_texts=256)
    first, *others = [count for count, _ in encoder.units]
    assert 1 < first <= FIRST_TEXTS
    assert others == [256 - first, 256, 188]
    assert encoder.seen == TEXTS, "and in their order"
    assert shards(tmp_path) == [3, 3], "as many as planned units"


def test_a_last_run_with_few_texts_left_joins_what_killed_ones_left(
    tmp_path: Path, clock: Clock
) -> None:
    clock.kill = 34.0
    with pytest.raises(Killed):
        run(tmp_path, Slow(clock, 1 / 20))
    assert min(shards(tmp_path)) > job.MANY_SMALL
    opened = spaces(tmp_path)
    few = [TEXTS[row] for row in plan_encoding(TEXTS, opened).missing[:3]]
    encode(plan_encoding(few, opened), few, opened, CountingEncoder)
    assert shards(tmp_path) == [1, 1]


def test_a_unit_is_cut_by_length(tmp_path: Path, clock: Clock) -> None:
    encoder = Slow(clock, 1 / 20)
    run(tmp_path, encoder)
    ends = np.cumsum([count for count, _ in encoder.units])[3:8]
    lengths = [len(text) for text in encoder.seen]
    for start, end in pairwise(ends):
        assert max(lengths[:start][FIRST_TEXTS:]) <= min(lengths[start:end])


def test_small_shards_stay_where_another_process_is_tidying(
    tmp_path: Path, clock: Clock
) -> None:
    FeatureStore(tmp_path).prepare()
    with exclusive(tmp_path):
        run(tmp_path, Slow(clock, 1 / 20))
    assert min(shards(tmp_path)) > 3
    assert not len(plan_encoding(TEXTS, spaces(tmp_path)).missing)


def test_a_kill_while_joining_loses_nothing(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(space: Space, required: bool = False) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Space, "save_index", killed)  # its parts are removed
        with pytest.raises(Killed):
            run(tmp_path, Slow(clock, 1 / 20))
    assert not len(plan_encoding(TEXTS, spaces(tmp_path)).missing)
    # Texts that stand twice, and a note of the shards that are gone: as after a killed compact.
    kinds = {finding.kind for finding in verify_cache(tmp_path)}
    assert kinds <= {"stale index"}


def test_the_index_takes_little_of_a_long_run() -> None:
    clock = Clock()
    index = IndexClock(clock.perf_counter)
    assert not index.due
    clock.now = INDEX_SECONDS
    assert index.due
    with index.writing():
        clock.now += 60
    clock.now += 60 / INDEX_SHARE - 1
    assert not index.due, "a minute of fifty"
    clock.now += 1
    assert index.due
    with index.writing():
        pass
    clock.now += INDEX_SECONDS
    assert index.due
