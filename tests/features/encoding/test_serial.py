"""The stage encodes what is missing, once; survives kills; shares work with its neighbours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from features.encoders.protocol import OnBatch
from features.encoding.job import UNIT_TEXTS, EncodingReport
from features.encoding.plan import check_disk, plan_encoding
from features.encoding.serial import encode
from features.errors import BadVectorError, DiskSpaceError
from features.store.space import Space
from features.store.store import FeatureStore
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from tests.support.transformers import CountingEncoder, fake_vectors, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(50)]
REPOSITORY = Path(__file__).resolve().parents[3]


def spaces(root: Path, *layouts: str) -> list[Space]:
    return [
        FeatureStore(root).space(spec(layout)) for layout in layouts or ("pooled", "tokens")
    ]


def run(
    texts: list[str],
    opened: list[Space],
    encoder: CountingEncoder,
    unit_texts: int = UNIT_TEXTS,
) -> EncodingReport:
    plan = plan_encoding(texts, opened)
    return encode(plan, texts, opened, lambda: encoder, unit_texts=unit_texts)


def test_only_misses_are_encoded_each_once(tmp_path: Path) -> None:
    first = CountingEncoder()
    report = run(TEXTS[:30] + TEXTS[:10], spaces(tmp_path), first)
    assert first.seen == TEXTS[:30]
    assert report.encoded == 30
    second = CountingEncoder()
    plan = plan_encoding(TEXTS, spaces(tmp_path))
    assert (plan.distinct, plan.cached, len(plan.missing)) == (50, 30, 20)
    run(TEXTS, spaces(tmp_path), second)
    assert second.seen == TEXTS[30:]
    third = CountingEncoder()
    run(TEXTS[::-1], spaces(tmp_path), third)
    assert third.seen == []


class Noting(CountingEncoder):
    """Notes which layouts each text was encoded in."""

    def __init__(self) -> None:
        super().__init__()
        self.layouts: dict[str, list[str]] = {}

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        for text in texts:
            assert text not in self.layouts, "one forward pass"
            self.layouts[text] = [each.layout for each in specs]
        return super().encode(texts, specs, on_batch)


def test_no_text_passes_for_vectors_that_are_there(tmp_path: Path) -> None:
    run(TEXTS[:20], spaces(tmp_path, "tokens"), CountingEncoder())
    run(TEXTS[10:30], spaces(tmp_path, "pooled"), CountingEncoder())
    both, encoder = spaces(tmp_path), Noting()
    plan = plan_encoding(TEXTS[:40], both)
    assert plan.missing_by_space[:10].tolist() == [[True, False]] * 10
    assert plan.sizes[:10].max() < plan.sizes[-10:].min(), "no room for what is there"
    report = encode(plan, TEXTS[:40], both, lambda: encoder)
    assert encoder.layouts == {
        **{text: ["pooled"] for text in TEXTS[:10]},
        **{text: ["tokens"] for text in TEXTS[20:30]},
        **{text: ["pooled", "tokens"] for text in TEXTS[30:40]},
    }
    assert report.encoded == 30
    assert not len(plan_encoding(TEXTS[:40], spaces(tmp_path)).missing)


def test_bad_texts_are_named_whatever_they_lack(tmp_path: Path) -> None:
    run(TEXTS[:20], spaces(tmp_path, "tokens"), CountingEncoder())
    opened, encoder = spaces(tmp_path), CountingEncoder(bad=[TEXTS[3], TEXTS[25]])
    with pytest.raises(BadVectorError, match=r"texts 4, 26;"):
        run(TEXTS[:30], opened, encoder)
    left = plan_encoding(TEXTS[:30], spaces(tmp_path)).missing
    assert left.tolist() == [3, 25]


def test_nothing_missing_loads_no_encoder(tmp_path: Path) -> None:
    run(TEXTS, spaces(tmp_path), CountingEncoder())
    opened = spaces(tmp_path)

    def never() -> CountingEncoder:
        raise AssertionError("the encoder was loaded")

    encode(plan_encoding(TEXTS, opened), TEXTS, opened, never)


def test_one_pass_fills_every_layout_and_only_where_it_lacks(tmp_path: Path) -> None:
    run(TEXTS[:20], spaces(tmp_path, "pooled"), CountingEncoder())
    both = CountingEncoder()
    opened = spaces(tmp_path)
    run(TEXTS, opened, both)
    assert both.seen == TEXTS
    assert [len(space) for space in spaces(tmp_path)] == [50, 50]
    rows = [sum(len(path_rows) for path_rows in _keys(space)) for space in spaces(tmp_path)]
    assert rows == [50, 50], "a text was stored twice"


def _keys(space: Space) -> list[np.ndarray]:
    from features.store.shards.shard import Shard

    return [Shard(path).rows().keys for path in space.folder.glob("*.parquet")]


def test_units_bound_what_a_kill_can_lose(tmp_path: Path) -> None:
    class Dying(CountingEncoder):
        def encode(self, texts, specs, on_batch):  # type: ignore[no-untyped-def]
            if len(self.seen) >= 24:
                raise KeyboardInterrupt
            return super().encode(texts, specs, on_batch)

    with pytest.raises(KeyboardInterrupt):
        run(TEXTS, spaces(tmp_path), Dying(), unit_texts=8)
    rest = CountingEncoder()
    run(TEXTS, spaces(tmp_path), rest)
    assert rest.seen == TEXTS[24:]


def test_a_long_run_writes_the_index_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(CountingEncoder):
        def encode(self, texts, specs, on_batch):  # type: ignore[no-untyped-def]
            if len(self.seen) >= 24:
                raise KeyboardInterrupt
            return super().encode(texts, specs, on_batch)

    def indexed(root: Path) -> int:
        """Count the texts in the index as it was written, in the pooled space."""
        (space, *_) = spaces(root)
        index = space._saved_index()
        return 0 if index is None else len(index.keys)

    for seconds, expected in ((300.0, 0), (0.0, 24)):
        monkeypatch.setattr("features.encoding.pace.INDEX_SECONDS", seconds)
        monkeypatch.setattr("features.encoding.pace.INDEX_SHARE", 1e9)
        with pytest.raises(KeyboardInterrupt):
            run(TEXTS, spaces(tmp_path / str(seconds)), Dying(), unit_texts=8)
        assert indexed(tmp_path / str(seconds)) == expected


def test_vectors_that_must_not_be_stored_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    bad = [TEXTS[3], TEXTS[40]]
    with pytest.raises(BadVectorError, match=r"2 texts.*texts 4, 41.*text number 3"):
        run(TEXTS, spaces(tmp_path), CountingEncoder(bad))
    plan = plan_encoding(TEXTS, spaces(tmp_path))
    assert plan.missing.tolist() == [3, 40]


class Large(CountingEncoder):
    """Gives some texts numbers that the stored type cannot hold."""

    def _block(self, texts: Sequence[str], spec: FeatureSpec) -> Block:
        block = super()._block(texts, spec)
        block.values[np.isnan(block.values)] = np.inf if spec.dtype == "float16" else 1e9
        return block


@pytest.mark.parametrize(
    ("kind", "dtype", "remedy"),
    [
        (CountingEncoder, "float16", r"or use float32 with --precision float32$"),
        (Large, "float16", r"too large for float16 and int8 with --dtype float32$"),
        (Large, "int8", r"too large for float16 and int8 with --dtype float32$"),
    ],
)
def test_the_remedy_for_bad_vectors_is_the_one_that_helps(
    tmp_path: Path, kind: type[CountingEncoder], dtype: str, remedy: str
) -> None:
    opened = [FeatureStore(tmp_path).space(spec(dtype=dtype))]
    with pytest.raises(BadVectorError, match=remedy):
        run(TEXTS, opened, kind([TEXTS[3]]))
    stored = [FeatureStore(tmp_path).space(spec(dtype="float32"))]
    if kind is Large:
        assert run(TEXTS, stored, kind([TEXTS[3]])).encoded == len(TEXTS)


def test_a_plan_that_does_not_fit_is_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_encoding(TEXTS, spaces(tmp_path))
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000)
    )
    with pytest.raises(
        DiskSpaceError, match=r"50 texts needs about 0\.00 GB.*0\.00 GB are free"
    ):
        check_disk(plan, tmp_path / "not" / "yet" / "there")


CHILD = """
    import sys, time
    from pathlib import Path
    from features.encoding.serial import encode
    from features.encoding.plan import plan_encoding
    from features.store.store import FeatureStore
    from tests.support.transformers import CountingEncoder, spec
    from tests.features.encoding.test_serial import spaces

    class Slow(CountingEncoder):
        def encode(self, texts, specs, on_batch):
            time.sleep(float(sys.argv[2]))
            print(len(texts), flush=True)
            return super().encode(texts, specs, on_batch)

    texts = [f"text number {i} " + "word " * (i % 7) for i in range(int(sys.argv[3]))]
    opened = spaces(Path(sys.argv[1]))
    encode(plan_encoding(texts, opened), texts, opened, Slow, unit_texts=5)
"""


def child(root: Path, seconds: float, texts: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(CHILD),
        str(root),
        str(seconds),
        str(texts),
    ]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_kill_in_the_middle_then_resume(tmp_path: Path) -> None:
    killed = child(tmp_path / "killed", 0.05, 200)
    assert killed.stdout is not None
    for _ in range(4):
        killed.stdout.readline()
    time.sleep(0.03)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    texts = [f"text number {i} " + "word " * (i % 7) for i in range(200)]
    opened = spaces(tmp_path / "killed")
    stored = min(len(space) for space in opened)  # it may have died between two commits
    assert 10 <= stored < 200
    rest = CountingEncoder()
    run(texts, opened, rest)
    assert len(rest.seen) <= 200 - stored
    whole = spaces(tmp_path / "whole")
    run(texts, whole, CountingEncoder())
    for resumed, straight in zip(spaces(tmp_path / "killed"), whole, strict=True):
        keys = plan_encoding(texts, [straight]).keys
        assert np.array_equal(resumed.table(keys).values, straight.table(keys).values)


def test_two_encoders_side_by_side_lose_nothing_and_share_the_work(tmp_path: Path) -> None:
    both = [child(tmp_path, 0.02, 400) for _ in range(2)]
    encoded = []
    for process in both:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        encoded.append(sum(map(int, output.split())))
    texts = [f"text number {i} " + "word " * (i % 7) for i in range(400)]
    opened = spaces(tmp_path)
    plan = plan_encoding(texts, opened)
    assert not len(plan.missing)
    table = opened[1].table(plan.keys)
    for row, text in enumerate(texts):
        assert np.array_equal(table.sequence(row), fake_vectors(text, "tokens", 8))
    print(f"texts encoded by each: {encoded}, of 400")
    assert sum(encoded) <= 400 * 1.5
