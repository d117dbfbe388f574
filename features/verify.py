"""Verify a cache: every file in it is what it claims to be, or there is a finding.

    verify_cache(root)                  every finding, dying on none
    repair(root, findings)              what is bad goes to CACHE/quarantine, the rest stays

Whatever is taken away is simply missing afterwards, so the next run encodes just that again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.card import FINGERPRINT, SPACE_NAME, SpaceCard, read_card
from features.durable import (
    LOCK_NAME,
    TEMPORARY_PREFIX,
    abandoned,
    exclusive,
    make_folder,
    put,
    reading,
    sweep,
    sync_folder,
    writing,
)
from features.errors import CorruptShardError
from features.index import Index
from features.kept import RESULTS
from features.place import Place
from features.remote import RemotePath
from features.shard import NAME, SUFFIX, Shard, ShardRows
from features.spec import FeatureSpec
from features.store import INDEX_NAME, READERS, FeatureStore

QUARANTINE = "quarantine"

CORRUPT_SHARD = "corrupt shard"
MISPLACED_SHARD = "misplaced shard"
DELETED_SHARD = "deleted shard"
BAD_INDEX = "bad index"
STALE_INDEX = "stale index"
BAD_CARD = "bad space.json"
FOREIGN_FILE = "foreign file"
STALE_TEMPORARY = "stale temporary"
CHANGED_MODEL = "changed model"
OTHER_VECTORS = "other vectors"

REMEDIES = {
    CORRUPT_SHARD: "--fix moves it away; its texts are encoded again on the next run",
    MISPLACED_SHARD: "--fix moves it away; or move it back to where it belongs",
    DELETED_SHARD: "its texts are encoded again on the next run; --fix writes the index anew",
    BAD_INDEX: "nothing is lost; --fix writes it anew from the shards",
    STALE_INDEX: "nothing is lost; --fix or the next run brings it up to date",
    BAD_CARD: "--fix writes it anew from a shard, or moves a space without shards away",
    FOREIGN_FILE: "it is not part of the cache; --fix moves it away",
    STALE_TEMPORARY: "a writer died; --fix or the next run removes it",
    CHANGED_MODEL: "its texts are encoded again with the present encoder, into a new space",
    OTHER_VECTORS: "the encoder gives other vectors than are stored; delete that space if the "
    "present ones are right",
}
"""Every kind of finding, and what to do about it."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: a key of ``REMEDIES``.
        path: the file or folder, relative to the cache.
        detail: what is wrong with it.
    """

    kind: str
    path: Path
    detail: str

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.kind]


OnShard = Callable[[], None]


def verify_cache(root: Place, on_shard: OnShard = lambda: None) -> list[Finding]:
    """Read every file of a cache and list everything that is not as it must be.

    Shards are checked against their digest, their format and the space of their folder; the
    index against the shards; ``space.json`` against the folder's name. Only what a look at
    the files can tell: whether vectors are the encoder's is for ``compare_sample``.

    Args:
        on_shard: called after every shard.

    Raises:
        CacheError: the cache folder cannot be read.
    """
    findings: list[Finding] = []
    for path in _entries(root):
        if FINGERPRINT.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            findings += _verify_space(root, path, on_shard)
        elif path.name.startswith(TEMPORARY_PREFIX):
            continue
        elif path.name not in (QUARANTINE, RESULTS) and not _is_lock(path):
            findings.append(_finding(root, FOREIGN_FILE, path, "does not belong to a cache"))
    return findings + [_stale(root, path) for path in abandoned(root)]


def repair(root: Place, findings: list[Finding]) -> list[Place]:
    """Take away what is bad and write anew what is derived.

    Shards, foreign files and whole spaces that cannot be told move to ``CACHE/quarantine``;
    nothing of them is deleted. Findings about the encoder are left to the user.

    Returns:
        Where the files that were moved lie now.

    Raises:
        CacheError: another process is tidying, or the cache cannot be written.
    """
    moved = []
    with exclusive(root), writing(root):
        for finding in findings:
            if finding.kind in (CORRUPT_SHARD, MISPLACED_SHARD, FOREIGN_FILE, BAD_INDEX):
                moved += _quarantine(root, finding.path)
        folders = {finding.path.parts[0] for finding in findings}
        for folder in sorted(root / name for name in folders if FINGERPRINT.fullmatch(name)):
            if folder.is_dir():
                moved += _mend_space(root, folder)
        sweep(root)
    return moved


def _verify_space(root: Place, folder: Place, on_shard: OnShard) -> Iterator[Finding]:
    shards = []
    for path in _entries(folder):
        if path.suffix == SUFFIX and NAME.fullmatch(path.stem) and path.is_file():
            shards.append(path)
        elif path.name.startswith(TEMPORARY_PREFIX):
            continue
        elif path.name not in (SPACE_NAME, INDEX_NAME) or not path.is_file():
            yield _finding(root, FOREIGN_FILE, path, "does not belong to a space")
    for path in abandoned(folder):
        yield _stale(root, path)
    if not _there(folder / SPACE_NAME) and not shards:
        yield _finding(root, STALE_TEMPORARY, folder, "no shard was committed to it")
        return
    try:
        read_card(folder)
    except (OSError, ValueError) as error:
        yield _finding(root, BAD_CARD, folder / SPACE_NAME, _first_line(error))
    with ThreadPoolExecutor(READERS) as pool:
        checked = list(pool.map(lambda path: _check_shard(root, path, on_shard), shards))
    yield from (found for found in checked if isinstance(found, Finding))
    sound = {
        path.stem: rows
        for path, rows in zip(shards, checked, strict=True)
        if isinstance(rows, ShardRows)
    }
    yield from _verify_index(root, folder, sound, {path.stem for path in shards})


def _check_shard(root: Place, path: Place, on_shard: OnShard) -> ShardRows | Finding | None:
    """The rows of a sound shard; what is wrong with another; None: gone meanwhile."""
    try:
        shard = Shard(path, at_source=True)
        spec, rows = shard.spec(), shard.rows()
        if spec.fingerprint != path.parent.name:
            detail = f"holds vectors of the space {spec.fingerprint}"
            return _finding(root, MISPLACED_SHARD, path, detail)
        if len(shard.vectors(spec.bytes_per_vector)) != rows.lengths.sum():
            return _finding(root, CORRUPT_SHARD, path, "vectors and lengths do not agree")
    except FileNotFoundError:
        return None
    except CorruptShardError as error:
        detail = str(error).split(str(path))[-1].split(";")[0].strip()
        return _finding(root, CORRUPT_SHARD, path, detail)
    finally:
        on_shard()
    return rows


def _verify_index(
    root: Place, folder: Place, sound: dict[str, ShardRows], present: set[str]
) -> Iterator[Finding]:
    """The saved index against the shards that are sound, and against those that it names."""
    path = folder / INDEX_NAME
    try:
        index = Index.from_bytes(path.read_bytes())
    except FileNotFoundError:
        if sound:
            yield _finding(root, STALE_INDEX, path, "there is none: a run was cut short")
        return
    except (OSError, ValueError, LookupError) as error:
        yield _finding(root, BAD_INDEX, path, _first_line(error))
        return
    if index is None:
        yield _finding(root, BAD_INDEX, path, "does not match the digest that it begins with")
        return
    whole = Index.of(sorted(sound.items()))
    for number, name in enumerate(index.shards):
        if name not in present:
            keys = index.keys[index.shard == number]
            lost = int((whole.find(keys) < 0).sum())
            if lost:
                gone = folder / f"{name}{SUFFIX}"
                yield _finding(root, DELETED_SHARD, gone, f"{lost} texts stood only there")
            else:
                yield _finding(root, STALE_INDEX, path, f"names {name}, which was joined")
    unnamed = sorted(set(sound) - set(index.shards))
    if unnamed:
        yield _finding(root, STALE_INDEX, path, f"does not know {len(unnamed)} shards")
    wrong = [name for name in sound if name in index.shards and not _agrees(index, name, sound)]
    if wrong:
        yield _finding(root, BAD_INDEX, path, f"disagrees with {len(wrong)} shards")


def _agrees(index: Index, name: str, sound: dict[str, ShardRows]) -> bool:
    """Whether all that the index says of a shard is what the shard says."""
    number, rows = index.shards.index(name), sound[name]
    own = np.flatnonzero(index.shard == number)
    alone = Index.of([(name, rows)])
    place = alone.find(index.keys[own])
    if index.texts[number] != len(rows.keys) or (place < 0).any():
        return False
    if (index.find(rows.keys) < 0).any():
        return False
    return all(
        np.array_equal(getattr(index, column)[own], getattr(alone, column)[place])
        for column in ("start", "length", "tokens")
    )


def _mend_space(root: Place, folder: Place) -> list[Place]:
    """Write the card and the index of a space anew; move one that says nothing any more."""
    sweep(folder)
    spec = _spec_of(folder)
    if spec is None and not any(folder.iterdir()):
        folder.rmdir()
        return []
    if spec is None:
        return _quarantine(root, Path(folder.name))
    try:
        read_card(folder)
    except (OSError, ValueError):
        put(folder, SPACE_NAME, SpaceCard(spec).to_bytes())
    (folder / INDEX_NAME).unlink(missing_ok=True)
    FeatureStore(root).space(spec).save_index()
    return []


def _spec_of(folder: Place) -> FeatureSpec | None:
    """The spec of a space whose bad shards were moved away: its card's, or any shard's."""
    try:
        return read_card(folder).spec
    except (OSError, ValueError):
        shards = [
            path
            for path in _entries(folder)
            if path.suffix == SUFFIX and NAME.fullmatch(path.stem)
        ]
        return Shard(shards[0], at_source=True).spec() if shards else None


def _quarantine(root: Place, path: Path) -> list[Place]:
    """Move a file or folder, named relative to the cache, under ``CACHE/quarantine``."""
    source, target = root / path, root / QUARANTINE / path
    if not _there(source):
        return []
    make_folder(target.parent)
    free, number = target, 1
    while _there(free):
        number += 1
        free = target.with_name(f"{target.name}.{number}")
    source.replace(free)  # type: ignore[arg-type]  # both are of the cache's kind
    sync_folder(source.parent)
    return [free]


def _entries(folder: Place) -> list[Place]:
    try:
        with reading(folder):
            return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _there(path: Place) -> bool:
    return path.is_symlink() or path.exists()


def _is_lock(path: Place) -> bool:
    """The lock of those who tidy; on object storage the marks of a lease."""
    if isinstance(path, RemotePath):
        return path.name.startswith(f"{LOCK_NAME}-")
    return path.name == LOCK_NAME


def _finding(root: Place, kind: str, path: Place, detail: str) -> Finding:
    return Finding(kind, Path(*path.parts[len(root.parts) :]), detail)


def _stale(root: Place, path: Place) -> Finding:
    return _finding(root, STALE_TEMPORARY, path, "its writer is gone")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
