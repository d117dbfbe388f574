"""Memory does not grow with the corpus; vectors that are too many are read from a file."""

from __future__ import annotations

import errno
import mmap
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from benchmarks.commands.memory import MODEL, FreeEncoder, measure_alone
from features.errors import CacheError, DiskSpaceError, SettingError
from features.storage import buffers
from features.storage.buffers import available_memory, on_disk
from features.store.space import Space
from features.store.store import FeatureStore
from features.text.keys import text_keys
from features.vectors.block import Block
from features.vectors.precision import encoder_dtype
from features.vectors.table import POOLED, TOKENS, FeatureTable
from heads.layers import standardize
from heads.problem import Problem
from heads.registry import make_settings
from heads.trained import TrainedHead, fit
from heads.training.batches import batches
from pipeline.cli.main import make_parser
from pipeline.cli.options import from_arguments
from pipeline.config import VectorConfig
from pipeline.encoding.vectors import ensure_vectors
from tests.support.tables import make_table, marker_problem
from tests.support.transformers import spec

CLASSES = ("a", "b", "c")


def test_features_holds_a_small_part_of_its_texts() -> None:
    letters = 5000
    few, many = (measure_alone(count, letters) for count in (12_000, 36_000))
    more = (many.texts - few.texts) * letters / 1e6
    print(f"{few.line()}\n{many.line()}\n{more:.0f} MB more texts")
    assert many.peak - few.peak < more / 3


def stored(
    root: Path, table: FeatureTable, shards: int = 3, dtype: str = "float16"
) -> tuple[Space, np.ndarray]:
    """A space with the vectors of a table in several shards, and their keys in its order."""
    space = FeatureStore(root).space(spec(TOKENS, width=table.width, dtype=dtype))
    keys = text_keys(map(str, range(len(table))))
    lengths = table.lengths.astype(np.int32)
    block = Block(lengths, lengths, table.values.astype(encoder_dtype(dtype)))
    for rows in np.array_split(np.random.default_rng(0).permutation(len(table)), shards):
        space.commit(keys[rows], block.take(rows))
    return space, keys


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
def test_a_table_beyond_its_memory_is_the_same_in_a_file(tmp_path: Path, dtype: str) -> None:
    space, keys = stored(tmp_path, make_table(np.arange(1, 40)), dtype=dtype)
    rows = np.array([5, 5, 38, 0, *range(39)])
    whole = space.table(keys[rows])
    size = whole.values.nbytes
    assert not on_disk(whole.values)
    assert on_disk(space.table(keys[rows], size - 1).values)
    files = sorted(space.folder.iterdir())
    table = space.table(keys[rows], 0)
    assert on_disk(table.values)
    assert not table.values.flags.owndata
    assert not table.values.flags.writeable
    assert table.values.dtype == whole.values.dtype
    assert np.array_equal(table.values, whole.values)
    assert np.array_equal(table.offsets, whole.offsets)
    assert sorted(space.folder.iterdir()) == files, "the file has a name"


def test_int8_counts_beside_what_it_is_unpacked_to(tmp_path: Path) -> None:
    space, keys = stored(tmp_path, make_table(np.arange(1, 40)), dtype="int8")
    whole = space.table(keys)
    needed = len(whole.values) * space.spec.bytes_per_vector + whole.values.nbytes
    assert on_disk(space.table(keys, needed - 1).values)
    assert not on_disk(space.table(keys, needed).values)


def test_a_system_that_does_not_say_how_much_memory_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sysconf")
    assert available_memory(tmp_path) == buffers.ASSUMED_MEMORY


def test_no_texts_need_no_file(tmp_path: Path) -> None:
    space, keys = stored(tmp_path, make_table([2, 3]))
    assert len(space.table(keys[:0], 0)) == 0


def trained_on(table: FeatureTable, problem: Problem, head: str) -> TrainedHead:
    return fit(
        head,
        make_settings(head, {"epochs": 2, "batch_size": 32}),
        table,
        problem.labels,
        problem.train,
        problem.validation,
        CLASSES,
        seed=1,
    )


@pytest.mark.parametrize("head", ["cnn", "lstm"])
def test_a_head_trained_from_a_file_has_the_same_weights(tmp_path: Path, head: str) -> None:
    problem = marker_problem()
    space, keys = stored(tmp_path, problem.table)
    inside, outside = (
        trained_on(space.table(keys, most), problem, head) for most in (2**30, 0)
    )
    assert inside.state.keys() == outside.state.keys()
    for name, values in inside.state.items():
        assert np.array_equal(values, outside.state[name]), name
    rows = np.arange(len(keys))
    assert np.array_equal(
        inside.logits(space.table(keys), rows), outside.logits(space.table(keys, 0), rows)
    )


def test_what_training_reads_of_a_file_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standardize, "CHUNK", 256)
    lengths = np.random.default_rng(0).integers(20, 60, size=1000)
    space, keys = stored(tmp_path, make_table(lengths, width=256), shards=20)
    size = int(lengths.sum()) * space.spec.bytes_per_vector

    def most(budget: int) -> int:
        tracemalloc.start()
        table, rows = space.table(keys, budget), np.arange(0, 1000, 2)
        standardize.statistics(table, rows)
        for _ in batches(table, rows, 16, np.random.default_rng(0)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    within, beyond = most(2**30), most(0)
    print(f"{size:,} bytes of vectors: at most {within:,} in memory, and {beyond:,}")
    assert within > size
    assert beyond < size / 4


def test_a_disk_without_room_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    space, keys = stored(tmp_path, make_table([2, 3]))
    monkeypatch.setattr(buffers.os, "posix_fallocate", full)
    with pytest.raises(DiskSpaceError, match=r"fit on the disk of .* either.*--memory"):
        space.table(keys, 0)
    assert len(space.table(keys)) == 2
    monkeypatch.undo()
    monkeypatch.setattr(buffers.tempfile, "TemporaryFile", denied)
    with pytest.raises(CacheError, match=r"cannot be written \(Permission denied\).*--memory"):
        space.table(keys, 0)


def denied(**options: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_systems_that_cannot_reserve_get_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(buffers.os, "posix_fallocate")
    with buffers.tempfile.TemporaryFile() as file:
        buffers._reserve(file.fileno(), 100, bytes(7))
        assert len(mmap.mmap(file.fileno(), 0)) == 100


def test_available_memory_knows_containers(tmp_path: Path) -> None:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert available_memory(tmp_path) == physical
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemFree: 1 kB\nMemAvailable:   5000 kB\n")
    assert available_memory(tmp_path) == 5000 * 1024
    limits = tmp_path / "sys/fs/cgroup"
    (limits / "memory").mkdir(parents=True)
    (limits / "memory.max").write_text("max\n")
    assert available_memory(tmp_path) == 5000 * 1024
    (limits / "memory/memory.limit_in_bytes").write_text("3000\n")
    assert available_memory(tmp_path) == 3000
    (limits / "memory.max").write_text("2000\n")
    assert available_memory(tmp_path) == 2000
    (limits / "memory.current").write_text("1500\n")
    assert available_memory(tmp_path) == 500
    (limits / "memory.current").write_text("2100\n")
    assert available_memory(tmp_path) == 0
    (limits / "memory.current").unlink()
    assert 2**20 < available_memory() <= physical


def test_memory_that_is_no_amount_is_refused() -> None:
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="--memory takes gigabytes, 0 or more"):
            VectorConfig(memory=wrong)
    assert VectorConfig(memory=0.5).memory_bytes == 500_000_000
    assert VectorConfig().memory_bytes is None


def test_the_limit_of_a_command_reaches_its_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parsed = make_parser().parse_args(["train", "--memory", "0", "--cache", str(tmp_path)])
    vectors = ensure_vectors(
        ["one", "two"],
        from_arguments(VectorConfig, parsed),
        (POOLED,),
        model=MODEL,
        load=FreeEncoder,
    )
    assert on_disk(vectors.table(POOLED).values)
    assert "are more than may stand in memory" in capsys.readouterr().err
    assert from_arguments(VectorConfig, make_parser().parse_args(["features"])).memory is None
