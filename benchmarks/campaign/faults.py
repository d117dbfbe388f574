"""Accidental faults on a cache: what a disk, a tool or a hand may do to its files."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.campaign.world import SHARDS, TEXTS, World, attempt
from features.store.shards.shard import digest

LAYOUTS: list[dict[str, object]] = [
    {"compression": "zstd"},
    {"compression": "snappy", "use_dictionary": True},
    {"compression": "none", "use_dictionary": False, "row_group_size": 7},
    {
        "compression": "none",
        "use_dictionary": False,
        "data_page_size": 64,
        "write_batch_size": 4,
    },
    {"compression": "none", "use_dictionary": False, "data_page_version": "2.0"},
    {"compression": "none", "use_dictionary": ["key"]},
    {"compression": "none", "use_dictionary": False, "write_page_checksum": True},
]
"""Ways in which another tool may write the same table."""

Fault = Callable[[random.Random, Path], None]


def shards(cache: Path) -> list[Path]:
    """All shards."""
    return sorted(cache.glob("*/*.parquet"))


def files(cache: Path) -> list[Path]:
    """All files of the store."""
    return sorted(path for path in cache.glob("*/*") if path.is_file())


def flip(rng: random.Random, cache: Path) -> None:
    path = rng.choice(files(cache))
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def cut(rng: random.Random, cache: Path) -> None:
    path = rng.choice(files(cache))
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def lengthen(rng: random.Random, cache: Path) -> None:
    with rng.choice(files(cache)).open("ab") as file:
        file.write(rng.randbytes(rng.randrange(1, 200)))


def delete(rng: random.Random, cache: Path) -> None:
    rng.choice(files(cache)).unlink()


def empty(rng: random.Random, cache: Path) -> None:
    rng.choice(files(cache)).write_bytes(b"")


def swap_folders(rng: random.Random, cache: Path) -> None:
    one, other = _spaces(cache)
    one.rename(cache / "third")
    other.rename(one)
    (cache / "third").rename(other)


def copy_over(rng: random.Random, cache: Path) -> None:
    one, other = rng.sample(_spaces(cache), 2)
    shutil.rmtree(other)
    shutil.copytree(one, other)


def swap_files(rng: random.Random, cache: Path) -> None:
    one, other = rng.sample(files(cache), 2)
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def rename(rng: random.Random, cache: Path) -> None:
    path = rng.choice(shards(cache))
    name = rng.choice([f"{rng.getrandbits(128):032x}.parquet", "copy of a shard.parquet", "x"])
    path.rename(path.with_name(name))


def move_to_the_other_space(rng: random.Random, cache: Path) -> None:
    path = rng.choice(shards(cache))
    (other,) = [space for space in _spaces(cache) if space != path.parent]
    path.rename(other / path.name)


def foreign(rng: random.Random, cache: Path) -> None:
    folder = rng.choice([cache, *_spaces(cache)])
    name = rng.choice(["notes.txt", ".DS_Store", "Thumbs.db", "é.parquet", "0" * 24, "runs"])
    if rng.random() < 0.5:
        (folder / name).write_bytes(rng.randbytes(20))
    else:
        (folder / name).mkdir()
        (folder / name / "inside.txt").write_text("mine")


def fifo(rng: random.Random, cache: Path) -> None:
    path = rng.choice(files(cache))
    if rng.random() < 0.5:
        path.unlink()
    else:
        path = path.with_name(f"{rng.getrandbits(128):032x}.parquet")
    os.mkfifo(path)


def folder_for_a_file(rng: random.Random, cache: Path) -> None:
    path = rng.choice(files(cache))
    path.unlink()
    path.mkdir()


def other_layout(rng: random.Random, cache: Path) -> None:
    path = rng.choice(shards(cache))
    table = pq.read_table(path)
    rewritten = path.with_name("rewritten")
    pq.write_table(table, rewritten, **rng.choice(LAYOUTS))
    path.unlink()
    rewritten.rename(path.with_name(f"{digest(rewritten.read_bytes())}.parquet"))


def broken_card(rng: random.Random, cache: Path) -> None:
    path = rng.choice(_spaces(cache)) / "space.json"
    card = json.loads(path.read_text())
    card["spec"]["dtype"] = "float32"
    odd = ["[" * 5000, "", "null", "{}", '{"model": 1, "spec": []}', json.dumps(card), "\xff"]
    path.write_text(rng.choice(odd), encoding="latin-1")


def broken_index(rng: random.Random, cache: Path) -> None:
    one, other = rng.sample(_spaces(cache), 2)
    data = rng.choice([b"", b"ARROW1", (other / "index.arrow").read_bytes(), rng.randbytes(99)])
    (one / "index.arrow").write_bytes(data)


FAULTS: dict[str, Fault] = {
    name.__name__: name
    for name in (
        flip,
        cut,
        lengthen,
        delete,
        empty,
        swap_folders,
        copy_over,
        swap_files,
        rename,
        move_to_the_other_space,
        foreign,
        fifo,
        folder_for_a_file,
        other_layout,
        broken_card,
        broken_index,
    )
}


def campaign(world: World, count: int, seed: int) -> Iterator[str]:
    """Try faults in turn; yield a line per failure."""
    rng = random.Random(seed)
    for number in range(count):
        name = list(FAULTS)[number % len(FAULTS)]
        cache = world.copy("attacked")
        FAULTS[name](rng, cache)
        try:
            found = judge(world, cache, rng.sample(["export", "train"], rng.randint(0, 2)))
        except AssertionError as error:
            found = str(error)
        if found:
            yield (f"fault {number} ({name}): {found}")


def judge(
    world: World, cache: Path, reads: Sequence[str], texts_per_shard: int = TEXTS // SHARDS
) -> str:
    """What a cache with one fault does wrong; '' where every promise held.

    Args:
        reads: commands that read it before it is verified: ``export``, ``train``.
    """
    unharmed = {path for path in shards(cache) if _as_it_was(world, cache, path)}
    mine = {path.read_bytes() for path in cache.rglob("*") if path.name == "inside.txt"}
    for read in reads:
        vectors = world.exported(cache) if read == "export" else None
        if vectors is not None and not np.array_equal(vectors, world.vectors):
            return "export gave wrong vectors"
        if read == "train":
            train = ["train", *world.options(cache), "--runs", str(world.root / "more")]
            if broken := attempt(train).broken_promise:
                return f"train: {broken}"
    for step in (["verify"], ["verify", "--fix"], ["verify", "--json"]):
        outcome = attempt([*step, "--cache", str(cache)])
        if broken := outcome.broken_promise:
            return f"{' '.join(step)}: {broken}"
    left = [finding for finding in json.loads(outcome.out)["findings"] if not _beside(finding)]
    if left:
        return f"verify still finds faults after --fix: {left}"
    if lost := unharmed - set(shards(cache)):
        return f"verify --fix took {len(lost)} sound shards away"
    if mine - {path.read_bytes() for path in cache.rglob("*") if path.name == "inside.txt"}:
        return "verify --fix removed a foreign file"
    again = attempt(["features", *world.options(cache), "--json"])
    if again.code != 0:
        return f"features: {again.broken_promise or again.err[-300:]}"
    encoded = json.loads(again.out)["encoded"]
    harmed = len(shards(world.cache)) - len(unharmed)
    if encoded > harmed * texts_per_shard:
        return f"{encoded} texts are encoded again for {harmed} shards that were harmed"
    after = world.exported(cache)
    if after is None or not np.array_equal(after, world.vectors):
        return "wrong vectors after verify --fix and features"
    return ""


def _beside(finding: dict[str, str]) -> bool:
    """Whether it is about something that is not ours; that is left to whoever put it there."""
    return finding["kind"] == "foreign file"


def _as_it_was(world: World, cache: Path, path: Path) -> bool:
    before = world.cache / path.relative_to(cache)
    same = before.is_file() and path.is_file()
    return same and before.read_bytes() == path.read_bytes()


def _spaces(cache: Path) -> list[Path]:
    return sorted(path.parent for path in cache.glob("*/space.json"))
