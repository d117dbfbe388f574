"""A Ray cluster on this machine fills a cache as one process would, whatever dies."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.encoders.protocol import OnBatch
from features.encoding.cluster.resources import Cluster, Workers
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.errors import BadVectorError, EncoderError, WorkerError
from features.store.space import Space
from features.store.store import FeatureStore
from features.store.verification import verify_cache
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from tests.support.encoders import CountingEncoder, spec

ray = pytest.importorskip("ray", reason="needs ray: pip install 'manyheads[ray]'")
cluster = pytest.importorskip("features.encoding.cluster.ray_cluster")
connection = pytest.importorskip("features.encoding.cluster.connection")

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(60)]
TWO = Cluster(workers=2)
UNIT = 5


@pytest.fixture(scope="module", autouse=True)
def _a_cluster() -> Iterator[None]:
    """One cluster for all tests here: it takes seconds to start."""
    with cluster.connected(TWO):
        yield


class Noted(CountingEncoder):
    """Notes every unit in a folder; may die in the middle of one, once or always."""

    def __init__(self, notes: Path, dies_at: str, always: bool, bad: Sequence[str]) -> None:
        super().__init__(bad)
        self.notes, self.dies_at, self.always = notes, dies_at, always

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        with (self.notes / f"process-{os.getpid()}").open("a") as file:
            file.write(f"{len(texts)}\n")
        if self.dies_at in texts and (self.always or not (self.notes / "died").exists()):
            (self.notes / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
        return super().encode(texts, specs, on_batch)


def noted(notes: Path, dies_at: str, always: bool, bad: Sequence[str], device: str) -> Noted:
    assert device == "cpu"
    return Noted(notes, dies_at, always, bad)


def unusable(device: str) -> Noted:
    raise EncoderError(f"no encoder on {device}")


def spaces(root: Path) -> list[Space]:
    return [FeatureStore(root).space(spec(layout), "fake") for layout in ("pooled", "tokens")]


def run(
    root: Path, dies_at: str = "", always: bool = False, bad: Sequence[str] = (), **more: Any
) -> Any:
    opened = spaces(root / "cache")
    load = partial(noted, root, dies_at, always, tuple(bad))
    plan = plan_encoding(TEXTS, opened)
    return cluster.encode_on_ray(plan, TEXTS, opened, load, TWO, unit_texts=UNIT, **more)


def encoded(notes: Path) -> int:
    """How many texts all workers began to encode."""
    lines = [path.read_text().split() for path in notes.glob("process-*")]
    return sum(int(count) for each in lines for count in each)


def test_two_workers_fill_the_cache_as_one_process_would(tmp_path: Path) -> None:
    counted: list[int] = []
    report = run(tmp_path, on_batch=lambda texts, tokens: counted.append(texts))
    assert len(list(tmp_path.glob("process-*"))) == 2, "both took part"
    assert (report.encoded, sum(counted), encoded(tmp_path)) == (60, 60, 60)
    assert report.tokens == sum(len(text.split()) for text in TEXTS)
    assert report.devices == ("cpu", "cpu")
    assert 0 < report.loading < report.seconds
    alone = spaces(tmp_path / "one")
    plan = plan_encoding(TEXTS, alone)
    encode(plan, TEXTS, alone, CountingEncoder, unit_texts=UNIT)
    for own, expected in zip(spaces(tmp_path / "cache"), alone, strict=True):
        assert own.shard_names() == expected.shard_names(), "the very same shards"
        assert np.array_equal(own.table(plan.keys).values, expected.table(plan.keys).values)
    assert run(tmp_path).encoded == 0


def test_the_unit_of_a_dead_worker_is_done_again(tmp_path: Path) -> None:
    report = run(tmp_path, dies_at=TEXTS[22])
    assert (tmp_path / "died").exists()
    assert report.encoded == 60
    assert encoded(tmp_path) == 60 + UNIT, "one unit was begun twice, and no other"
    assert not len(plan_encoding(TEXTS, spaces(tmp_path / "cache")).missing)
    assert not verify_cache(tmp_path / "cache")


@pytest.mark.slow
def test_texts_that_kill_every_worker_are_left_and_all_others_are_encoded(
    tmp_path: Path,
) -> None:
    with pytest.raises(WorkerError, match=r"workers of the Ray cluster died.* and 5 texts"):
        run(tmp_path, dies_at=TEXTS[22], always=True)
    assert plan_encoding(TEXTS, spaces(tmp_path / "cache")).missing.tolist() == [*range(20, 25)]
    assert encoded(tmp_path) == 60 + (cluster.TRIES - 1) * UNIT
    run(tmp_path)
    assert not len(plan_encoding(TEXTS, spaces(tmp_path / "cache")).missing)


@pytest.mark.slow
def test_texts_without_sound_vectors_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadVectorError, match=r"2 texts.*texts 4, 41.*text number 3"):
        run(tmp_path, bad=(TEXTS[40], TEXTS[3]))
    assert plan_encoding(TEXTS, spaces(tmp_path / "cache")).missing.tolist() == [3, 40]


def test_an_error_of_the_project_in_a_worker_is_the_runs(tmp_path: Path) -> None:
    opened = spaces(tmp_path)
    plan = plan_encoding(TEXTS, opened)
    with pytest.raises(EncoderError, match="no encoder on cpu"):
        cluster.encode_on_ray(plan, TEXTS, opened, unusable, TWO)


def test_an_address_where_nothing_listens_is_refused_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(OSError, match="refused"):
        connection._check_answers(f"127.0.0.1:{port}")
    assert time.monotonic() - start < connection.CONNECT_SECONDS
    connection._check_answers("local")
    connection._check_answers("ray://nowhere:1")  # Ray's client says so itself


@pytest.mark.slow
def test_a_worker_that_waits_is_not_idle(tmp_path: Path) -> None:
    opened = spaces(tmp_path / "cache")
    load = partial(noted, tmp_path, "", False, ())
    executor = cluster.RayExecutor(load, Workers(2, "cpu", 1), lambda texts, tokens: None)
    assert executor.utilisation == 0
    plan = plan_encoding(TEXTS, opened)
    cluster.run_plan(plan, TEXTS, opened, executor, unit_texts=UNIT)
    assert 0.5 < executor.utilisation <= 1
