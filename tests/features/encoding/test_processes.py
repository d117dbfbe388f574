"""Several processes fill one cache as one process would, and a dead one loses one unit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from features.encoders.protocol import OnBatch
from features.encoding.devices import parse_devices, present, threads
from features.encoding.plan import plan_encoding
from features.encoding.processes import encode_on_devices
from features.encoding.serial import encode
from features.errors import BadVectorError, EncoderError, SettingError, WorkerError
from features.store.space import Space
from features.store.store import FeatureStore
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from tests.support.encoders import CountingEncoder, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(60)]
TWO = ("cpu", "cpu")


class Noted(CountingEncoder):
    """Notes in a folder which process encoded how many texts; may die in the middle."""

    def __init__(self, notes: Path, dies_at: str = "", bad: Sequence[str] = ()) -> None:
        super().__init__(bad)
        self.notes, self.dies_at = notes, dies_at

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        with (self.notes / f"process-{os.getpid()}").open("a") as file:
            file.write(f"{len(texts)} {os.environ['OMP_NUM_THREADS']}\n")
        if self.dies_at in texts:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.2)  # so that one worker cannot take all units
        return super().encode(texts, specs, on_batch)


def noted(notes: Path, dies_at: str, bad: Sequence[str], device: str) -> Noted:
    assert device == "cpu"
    return Noted(notes, dies_at, bad)


def unusable(device: str) -> Noted:
    raise EncoderError(f"no encoder on {device}")


encode_in_fives = partial(encode_on_devices, unit_texts=5)


def spaces(root: Path) -> list[Space]:
    return [FeatureStore(root).space(spec(layout)) for layout in ("pooled", "tokens")]


def test_two_processes_fill_the_cache_as_one_would(tmp_path: Path) -> None:
    counted: list[int] = []
    opened = spaces(tmp_path / "many")
    report = encode_in_fives(
        plan_encoding(TEXTS, opened),
        TEXTS,
        opened,
        partial(noted, tmp_path, "", ()),
        TWO,
        lambda texts, tokens: counted.append(texts),
    )
    notes = [path.read_text().split() for path in tmp_path.glob("process-*")]
    assert len(notes) == 2, "both took part"
    assert {count for each in notes for count in each[1::2]} == {str(threads("cpu", TWO))}
    assert (report.encoded, sum(counted)) == (60, 60)
    assert report.tokens == sum(len(text.split()) for text in TEXTS)
    assert 0 < report.loading < report.seconds
    alone = spaces(tmp_path / "one")
    plan = plan_encoding(TEXTS, alone)
    encode(plan, TEXTS, alone, CountingEncoder, unit_texts=5)
    for own, expected in zip(spaces(tmp_path / "many"), alone, strict=True):
        assert own.shard_names() == expected.shard_names(), "the very same shards"
        assert np.array_equal(own.table(plan.keys).values, expected.table(plan.keys).values)


def test_a_dead_worker_loses_its_unit_and_the_next_run_makes_it_good(tmp_path: Path) -> None:
    opened = spaces(tmp_path / "cache")
    with pytest.raises(WorkerError, match=r"1 of 2 workers died \(cpu: signal 9\) and 5 texts"):
        encode_in_fives(
            plan_encoding(TEXTS, opened),
            TEXTS,
            opened,
            partial(noted, tmp_path, TEXTS[22], ()),
            TWO,
        )
    assert WorkerError.exit_code == 1
    again = spaces(tmp_path / "cache")
    plan = plan_encoding(TEXTS, again)
    assert plan.missing.tolist() == [20, 21, 22, 23, 24]
    encode_in_fives(plan, TEXTS, again, partial(noted, tmp_path, "", ()), TWO)
    assert not len(plan_encoding(TEXTS, spaces(tmp_path / "cache")).missing)


def test_workers_share_one_planned_unit_and_a_dead_one_loses_only_its_unit(
    tmp_path: Path,
) -> None:
    opened = spaces(tmp_path / "cache")
    texts = [f"{i} words" for i in range(200)]
    killed = partial(noted, tmp_path, texts[3], ())
    with pytest.raises(WorkerError, match=r"1 of 2 workers died \(cpu: signal 9\) and 8 texts"):
        encode_on_devices(plan_encoding(texts, opened), texts, opened, killed, TWO)
    notes = [path.read_text().splitlines() for path in tmp_path.glob("process-*")]
    sizes = [int(line.split()[0]) for each in notes for line in each]
    assert sum(sizes) == 200
    assert sizes.count(8) == 2, "each begins with few texts"


def test_a_dead_worker_does_not_hide_texts_without_sound_vectors(tmp_path: Path) -> None:
    opened = spaces(tmp_path / "cache")
    with pytest.raises(WorkerError, match=r"and 5 texts are not encoded, and 1 more had NaN"):
        encode_in_fives(
            plan_encoding(TEXTS, opened),
            TEXTS,
            opened,
            partial(noted, tmp_path, TEXTS[22], (TEXTS[3],)),
            TWO,
        )


def test_texts_without_sound_vectors_are_named_by_their_place_in_the_corpus(
    tmp_path: Path,
) -> None:
    opened = spaces(tmp_path / "cache")
    with pytest.raises(BadVectorError, match=r"2 texts.*texts 4, 41.*text number 3"):
        encode_in_fives(
            plan_encoding(TEXTS, opened),
            TEXTS,
            opened,
            partial(noted, tmp_path, "", (TEXTS[40], TEXTS[3])),
            TWO,
        )
    assert plan_encoding(TEXTS, spaces(tmp_path / "cache")).missing.tolist() == [3, 40]


def test_an_error_of_the_project_in_a_worker_is_the_runs(tmp_path: Path) -> None:
    opened = spaces(tmp_path)
    with pytest.raises(EncoderError, match="no encoder on cpu"):
        encode_in_fives(plan_encoding(TEXTS, opened), TEXTS, opened, unusable, TWO)


def test_devices_are_read_and_checked() -> None:
    assert parse_devices("cpu") == ("cpu",)
    assert parse_devices("cuda:0, cuda:1,cpu*2") == ("cuda:0", "cuda:1", "cpu", "cpu")
    assert present(("cuda",), 2, 3) == ("cuda:0", "cuda:1", "cuda:2")
    assert present(("cuda:1", "cpu", "cpu"), 2, 2) == ("cuda:1", "cpu", "cpu")


@pytest.mark.parametrize(
    "text", ["", "gpu", "cpu*0", "cpu*", "cpu*-1", "cuda:", "cuda:0*2", "cpu,,cpu", "cpu cuda"]
)
def test_devices_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="--devices takes cpu"):
        parse_devices(text)


@pytest.mark.parametrize("text", ["cuda:0,cuda:0", "cuda,cuda:1", "cuda,cuda"])
def test_a_gpu_named_twice_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="names a GPU twice"):
        parse_devices(text)


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (("cuda:3",), r"cuda:3: no such device here; this machine has cpu, cuda:0"),
        (("cpu", "cpu", "cpu"), r"3 processes on the processor.*has 2 cores"),
    ],
)
def test_devices_that_this_machine_lacks_are_refused(
    devices: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        present(devices, 2, 1)
    with pytest.raises(SettingError, match=r"cuda: no such device here; this machine has cpu$"):
        present(("cuda",), 2, 0)


def test_processes_on_the_processor_split_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.encoding.devices.core_count", lambda: 8)
    assert threads("cpu", ("cpu",)) == 8
    assert threads("cpu", ("cpu", "cpu", "cuda:0")) == 4
    assert threads("cuda:0", ("cuda:0", "cuda:1")) == 4
    assert threads("cpu", ("cpu",) * 16) == 1
