"""Verify finds every fault, fixes what it can, and the next run encodes just the rest."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from features.encoding.job import UNIT_TEXTS
from features.encoding.plan import plan_encoding
from features.encoding.recheck import compare_sample
from features.encoding.serial import encode
from features.errors import CacheError
from features.storage.storage import exclusive
from features.store.quarantine import QUARANTINE
from features.store.shards.shard import digest
from features.store.space import Space
from features.store.store import FeatureStore
from features.store.verification import REMEDIES, Fault, repair, verify_cache
from features.vectors.spec import FeatureSpec
from tests.support.encoders import CountingEncoder, fake_vectors, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(24)]
LAYOUTS = ("pooled", "tokens")
SPECS = [*(spec(layout) for layout in LAYOUTS), spec("tokens", layers=(0,))]
FAULTS_A_KIND, SOME = 14, 4
"""How many of each kind are tried before a release, and always."""


def fill(
    root: Path, specs: list[FeatureSpec] = SPECS, unit_texts: int = UNIT_TEXTS
) -> CountingEncoder:
    """Encode what is missing, with and without the third space."""
    encoder = CountingEncoder()
    for some in (specs[:2], specs[2:]):
        opened: list[Space] = [FeatureStore(root).space(one, "fake") for one in some]
        plan = plan_encoding(TEXTS, opened)
        encode(plan, TEXTS, opened, lambda: encoder, unit_texts=unit_texts)
    return encoder


def assert_whole(root: Path) -> None:
    for one in SPECS:
        space = FeatureStore(root).space(one)
        table = space.table(plan_encoding(TEXTS, [space]).keys)
        for row, text in enumerate(TEXTS):
            assert np.array_equal(table.sequence(row), fake_vectors(text, one.layout, 8))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of three spaces with three shards each."""
    root = tmp_path_factory.mktemp("sound") / "cache"
    fill(root, unit_texts=8)
    assert verify_cache(root) == []
    assert len(shards(root)) == 9
    return root


def shards(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*/*.parquet") if len(path.stem) == 32)


def bit_flip(root: Path, rng: random.Random) -> Path:
    path = rng.choice(shards(root))
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return path


def truncation(root: Path, rng: random.Random) -> Path:
    path = rng.choice(shards(root))
    data = path.read_bytes()
    path.write_bytes(data[: rng.choice([0, 1, rng.randrange(len(data)), len(data) - 1])])
    return path


def appended(root: Path, rng: random.Random) -> Path:
    path = rng.choice(shards(root))
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randrange(1, 50)))
    return path


def deletion(root: Path, rng: random.Random) -> Path:
    path = rng.choice(shards(root))
    path.unlink()
    return path


def foreign_file(root: Path, rng: random.Random) -> Path:
    folder = rng.choice(shards(root)).parent
    name = rng.choice(["notes.txt", "data.parquet", ".DS_Store", "core", f"{rng.random()}.npy"])
    (folder / name).write_bytes(rng.randbytes(20))
    return folder / name


def foreign_parquet(root: Path, rng: random.Random) -> Path:
    """Bytes of somebody else under the name of their own digest: not even that is trusted."""
    data = rng.randbytes(200)
    path = rng.choice(shards(root)).parent / f"{digest(data)}.parquet"
    path.write_bytes(data)
    return path


def stale_index(root: Path, rng: random.Random) -> Path:
    """The index of before the last shard."""
    path = rng.choice(shards(root))
    space = FeatureStore(root).space(
        next(s for s in SPECS if s.fingerprint == path.parent.name)
    )
    (path.parent / "index.arrow").write_bytes(space.index.without({path.stem}).to_bytes())
    return path.parent / "index.arrow"


def garbled_index(root: Path, rng: random.Random) -> Path:
    path = rng.choice(shards(root)).parent / "index.arrow"
    data = bytearray(path.read_bytes())
    if rng.random() < 0.5:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    else:
        del data[rng.randrange(len(data)) :]
    path.write_bytes(data)
    return path


def lying_index(root: Path, rng: random.Random) -> Path:
    """An index with the right digest that says something else than the shards."""
    path = rng.choice(shards(root)).parent / "index.arrow"
    space = FeatureStore(root).space(
        next(s for s in SPECS if s.fingerprint == path.parent.name)
    )
    column = rng.choice(["start", "length", "tokens"])
    values = getattr(space.index, column).copy()
    values[rng.randrange(len(values))] += 1
    object.__setattr__(space.index, column, values)
    path.write_bytes(space.index.to_bytes())
    return path


def no_index(root: Path, rng: random.Random) -> Path:
    path = rng.choice(shards(root)).parent / "index.arrow"
    path.unlink()
    return path


def swapped(root: Path, rng: random.Random) -> Path:
    """Two shards of two spaces, each moved to the other."""
    one = rng.choice(shards(root))
    other = rng.choice([path for path in shards(root) if path.parent != one.parent])
    one.rename(other.parent / one.name)
    other.rename(one.parent / other.name)
    return other.parent / one.name


def renamed(root: Path, rng: random.Random) -> Path:
    path = rng.choice(shards(root))
    name = rng.choice([f"{rng.getrandbits(128):032x}.parquet", "shard.parquet", path.stem])
    return path.rename(path.parent / name)


def exchanged_names(root: Path, rng: random.Random) -> Path:
    one, other = rng.sample(shards(root), 2)
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    return one


def bad_card(root: Path, rng: random.Random) -> Path:
    path = rng.choice(shards(root)).parent / "space.json"
    others = [p / "space.json" for p in root.iterdir() if p.is_dir() and p != path.parent]
    change = rng.randrange(3)
    if change == 0:
        path.unlink()
    elif change == 1:
        path.write_bytes(path.read_bytes()[: rng.randrange(100)])
    else:
        path.write_bytes(rng.choice(others).read_bytes())
    return path


def renamed_folder(root: Path, rng: random.Random) -> Path:
    folder = rng.choice(shards(root)).parent
    other = folder.rename(root / f"{rng.getrandbits(96):024x}")
    return other / "space.json"


def temporary(root: Path, rng: random.Random) -> Path:
    folder = rng.choice([root, *(path.parent for path in shards(root))])
    path = folder / f".tmp-{rng.getrandbits(64):016x}"
    path.write_bytes(rng.randbytes(30))
    return path


FAULTS: list[Callable[[Path, random.Random], Path]] = [
    bit_flip,
    truncation,
    appended,
    deletion,
    foreign_file,
    foreign_parquet,
    stale_index,
    garbled_index,
    lying_index,
    no_index,
    swapped,
    renamed,
    exchanged_names,
    bad_card,
    renamed_folder,
    temporary,
]


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(SOME), id="some"),
        pytest.param(range(SOME, FAULTS_A_KIND), id="more", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_fault_is_found_fixed_and_only_that_is_encoded_again(
    sound: Path, tmp_path: Path, fault: Callable[[Path, random.Random], Path], seeds: range
) -> None:
    assert FAULTS_A_KIND * len(FAULTS) >= 200
    for seed in seeds:
        root = tmp_path / str(seed) / "cache"
        shutil.copytree(sound, root)
        before = {path.relative_to(root): path.read_bytes() for path in shards(root)}
        harmed = fault(root, random.Random(seed)).relative_to(root)
        findings = verify_cache(root)
        assert harmed in {finding.path for finding in findings}, (seed, harmed, findings)
        repair(root, findings)
        assert verify_cache(root) == [], seed
        lost = len(before) - sum(
            path.relative_to(root) in before
            and path.read_bytes() == before[path.relative_to(root)]
            for path in shards(root)
        )
        encoder = fill(root)
        assert len(encoder.seen) <= 8 * lost, "more was encoded again than was lost"
        assert_whole(root)
        assert verify_cache(root) == []


def test_the_findings_of_many_faults_at_once_are_all_listed(
    sound: Path, tmp_path: Path
) -> None:
    root = tmp_path / "cache"
    shutil.copytree(sound, root)
    rng = random.Random(0)
    harmed = {
        fault(root, rng).relative_to(root)
        for fault in (bit_flip, foreign_file, temporary, garbled_index, deletion, bad_card)
    }
    findings = verify_cache(root)
    assert harmed <= {finding.path for finding in findings}
    assert {finding.kind for finding in findings} <= set(REMEDIES)
    moved = repair(root, findings)
    assert all(QUARANTINE in path.parts and path.exists() for path in moved)
    assert verify_cache(root) == []
    fill(root)
    assert_whole(root)


def test_a_temporary_file_under_way_is_no_finding(sound: Path, tmp_path: Path) -> None:
    import fcntl

    root = tmp_path / "cache"
    shutil.copytree(sound, root)
    path = temporary(root, random.Random(0))
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert verify_cache(root) == []
        assert FeatureStore(root).space(SPECS[0]).sweep() == 0
        assert path.exists()
    assert [finding.path for finding in verify_cache(root)] == [path.relative_to(root)]


def test_only_one_process_tidies(sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    shutil.copytree(sound, root)
    with exclusive(root), pytest.raises(CacheError, match=r"another process is tidying"):
        repair(root, verify_cache(root))
    repair(root, verify_cache(root))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sample_encoded_again_tells_other_vectors(tmp_path: Path, layout: str) -> None:
    class Other(CountingEncoder):
        def encode(self, texts, specs, on_batch):  # type: ignore[no-untyped-def]
            (block,) = super().encode(texts, specs, on_batch)
            block.values[-1] *= [1, -1, 1, 1]
            return [block]

    space = FeatureStore(tmp_path).space(spec(layout))
    encode(plan_encoding(TEXTS[:20], [space]), TEXTS[:20], [space], CountingEncoder)
    assert compare_sample(space, TEXTS, CountingEncoder(), 100) == (20, [])
    count, (finding,) = compare_sample(space, TEXTS, Other(), 5)
    assert count == 5
    assert isinstance(finding, Fault)
    assert "1 of 5 texts encoded again differ" in finding.detail
    assert finding.path == Path(space.folder.name)
