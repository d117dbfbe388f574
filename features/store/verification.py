"""Verification: check every file of a cache against what it claims to be.

    verify_cache(root)                  returns all faults
    repair(root, findings)              moves bad files to CACHE/quarantine

Other processes may read, write and maintain the cache meanwhile. So every fault is checked
again a moment later, and reported only if it is still there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.errors import CacheError, CorruptShardError
from features.storage.files import LOCK_NAME, OWN_TEMPORARY, TEMPORARY, reading, writing
from features.storage.location import Location
from features.storage.results import RESULTS
from features.storage.storage import exclusive, storage_of
from features.store.index import Index
from features.store.manifest import FINGERPRINT, SPACE_NAME, USED_NAME, is_cache, read_manifest
from features.store.quarantine import QUARANTINE, mend_space, quarantine, there
from features.store.shards.shard import NAME, SUFFIX, Shard, ShardRows
from features.store.space import INDEX_NAME, READERS

PAUSES = (0.02, 0.1)
"""Seconds before the second and the third look; by then a process that was, for example,
between two renames has finished them.
"""

CORRUPT_SHARD = "corrupt shard"
MISPLACED_SHARD = "misplaced shard"
DELETED_SHARD = "deleted shard"
BAD_INDEX = "bad index"
STALE_INDEX = "stale index"
BAD_MANIFEST = "bad space.json"
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
    BAD_MANIFEST: "--fix writes it anew from a shard, or moves it away where there is none",
    FOREIGN_FILE: "it is not part of the cache; --fix moves a file of a space away, and leaves "
    "folders and what lies beside the spaces to you",
    STALE_TEMPORARY: "a writer died; --fix or the next run removes it",
    CHANGED_MODEL: "its texts are encoded again with the present encoder, into a new space",
    OTHER_VECTORS: "the encoder gives other vectors than are stored; delete that space if the "
    "present ones are right",
}
"""Kind of fault -> remedy."""


@dataclass(frozen=True)
class Fault:
    """One fault of a cache.

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


def verify_cache(root: Location, on_shard: OnShard = lambda: None) -> list[Fault]:
    """Read every file of a cache and return all faults.

    Shards are checked against their digest, their format and the space of their folder, the
    index against the shards, and ``space.json`` against the name of its folder. Whether the
    vectors are those of the encoder is checked by ``compare_sample``.

    Args:
        root: the cache.
        on_shard: called after every shard.

    Raises:
        CacheError: the cache folder cannot be read.
    """
    verifier = _Verifier(root)
    findings = verifier.look(on_shard)
    for pause in PAUSES:
        if not findings:
            break
        time.sleep(pause)
        before = {(finding.kind, finding.path) for finding in findings}
        folders = {finding.path.parts[0] for finding in findings}
        again = verifier.look(among=folders)
        findings = [found for found in again if (found.kind, found.path) in before]
    return findings


def repair(root: Location, findings: Sequence[Fault]) -> list[Location]:
    """Move bad files to the quarantine, and rewrite manifests and indices.

    Faults about the encoder, and files beside the spaces, are left to the user.

    Returns:
        Where the files that were moved are now.

    Raises:
        CacheError: the folder is not a cache, another process holds the maintenance lock, or
            the cache cannot be written.
    """
    if not is_cache(root):
        raise CacheError(
            f"{root} is no cache: no folder in it is a space, so nothing was touched; name the "
            "cache with --cache"
        )
    moved = []
    with exclusive(root), writing(root):
        inside = [finding for finding in findings if not _beside(finding)]
        for finding in inside:
            if finding.kind in (CORRUPT_SHARD, MISPLACED_SHARD, FOREIGN_FILE, BAD_INDEX):
                moved += quarantine(root, finding.path)
        folders = {finding.path.parts[0] for finding in inside}
        for folder in sorted(root / name for name in folders if FINGERPRINT.fullmatch(name)):
            if folder.is_dir():
                moved += mend_space(root, folder)
        storage_of(root).sweep(OWN_TEMPORARY.fullmatch)
    return moved


def _beside(finding: Fault) -> bool:
    """Return whether a fault is about a foreign file or folder beside the spaces."""
    return finding.kind == FOREIGN_FILE and len(finding.path.parts) == 1


class _Verifier:
    """Looks for faults in a cache, once or several times.

    Args:
        root: the cache.
    """

    def __init__(self, root: Location) -> None:
        self.root = root
        self._sound: dict[Location, ShardRows] = {}  # shards never change: one check is enough

    def look(
        self, on_shard: OnShard = lambda: None, among: set[str] | None = None
    ) -> list[Fault]:
        """Return all faults there are now.

        Args:
            on_shard: called after every shard that was read.
            among: names of the files and folders in the cache to look at; None: all.
        """
        findings: list[Fault] = []
        for path in _entries(self.root):
            if among is not None and path.name not in among:
                continue
            if FINGERPRINT.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                findings += self._space(path, on_shard)
            elif OWN_TEMPORARY.fullmatch(path.name) or path.name in (QUARANTINE, RESULTS):
                continue
            elif not _is_lock(path) and there(path):
                findings.append(self._finding(FOREIGN_FILE, path, "does not belong to a cache"))
        left = storage_of(self.root).abandoned(OWN_TEMPORARY.fullmatch)
        return findings + [self._stale(self.root / name) for name in left]

    def _space(self, folder: Location, on_shard: OnShard) -> Iterator[Fault]:
        index = self._index(folder)  # before the shards, so that those it names exist
        shards, foreign, found_manifest = [], [], False
        for path in _entries(folder):
            if path.suffix == SUFFIX and NAME.fullmatch(path.stem) and path.is_file():
                shards.append(path)
            elif path.name in (SPACE_NAME, INDEX_NAME) and path.is_file():
                found_manifest |= path.name == SPACE_NAME
            elif USED_NAME.fullmatch(path.name) and path.is_file():
                continue
            elif not TEMPORARY.fullmatch(path.name) and there(path):
                foreign.append(path)
        left = [folder / name for name in storage_of(folder).abandoned()]
        if not found_manifest and not shards and index is None:
            yield from self._spaceless(folder, bool(foreign), left)
            return
        for path in foreign:
            yield self._finding(FOREIGN_FILE, path, "does not belong to a space")
        yield from map(self._stale, left)
        if not found_manifest and not shards and not isinstance(index, Fault):
            return
        try:
            read_manifest(folder)
        except (OSError, ValueError) as error:
            yield self._finding(BAD_MANIFEST, folder / SPACE_NAME, _first_line(error))
        new = [path for path in shards if path not in self._sound]
        with ThreadPoolExecutor(READERS) as pool:
            checked = list(pool.map(lambda path: self._check_shard(path, on_shard), new))
        yield from (found for found in checked if isinstance(found, Fault))
        self._sound |= {
            path: rows
            for path, rows in zip(new, checked, strict=True)
            if isinstance(rows, ShardRows)
        }
        sound = {path.stem: self._sound[path] for path in shards if path in self._sound}
        yield from self._verify_index(folder, index, sound, {path.stem for path in shards})

    def _spaceless(
        self, folder: Location, foreign: bool, left: list[Location]
    ) -> Iterator[Fault]:
        """Yield the fault of a folder that has the name of a space but no file of one."""
        if foreign:
            yield self._finding(FOREIGN_FILE, folder, "does not belong to a cache")
        elif storage_of(folder).empty_folders and len(_entries(folder)) == len(left):
            yield self._finding(STALE_TEMPORARY, folder, "no shard was committed to it")

    def _check_shard(self, path: Location, on_shard: OnShard) -> ShardRows | Fault | None:
        """Return the rows of a sound shard, or its fault; None if it was removed meanwhile."""
        try:
            shard = Shard(path, at_source=True)
            spec, rows = shard.spec(), shard.rows()
            if spec.fingerprint != path.parent.name:
                detail = f"holds vectors of the space {spec.fingerprint}"
                return self._finding(MISPLACED_SHARD, path, detail)
            shard.check_lists()
        except FileNotFoundError:
            return None
        except CorruptShardError as error:
            detail = str(error).split(str(path))[-1].split(";")[0].strip()
            return self._finding(CORRUPT_SHARD, path, detail)
        finally:
            on_shard()
        return rows

    def _index(self, folder: Location) -> Index | Fault | None:
        """Return the saved index of a space, or its fault; None if there is none."""
        path = folder / INDEX_NAME
        try:
            index = Index.from_bytes(storage_of(folder).read(INDEX_NAME), folder.name)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            return self._finding(BAD_INDEX, path, _first_line(error))
        return index or self._finding(
            BAD_INDEX, path, "is damaged, or that of another space or version"
        )

    def _verify_index(
        self,
        folder: Location,
        index: Index | Fault | None,
        sound: dict[str, ShardRows],
        present: set[str],
    ) -> Iterator[Fault]:
        """Yield the faults of an index, compared with the sound and the existing shards."""
        path = folder / INDEX_NAME
        if index is None:
            if sound:
                yield self._finding(STALE_INDEX, path, "there is none: a run was cut short")
            return
        if isinstance(index, Fault):
            yield index
            return
        whole = Index.of(sorted(sound.items()))
        if index.alike(whole):  # as it should be; what follows tells what is wrong
            return
        rows_of = dict(zip(index.shards, index.rows_by_shard(), strict=True))
        for name in sorted(set(rows_of) - present):
            lost = int((whole.find(index.keys[rows_of[name]]) < 0).sum())
            if lost:
                gone = folder / f"{name}{SUFFIX}"
                yield self._finding(DELETED_SHARD, gone, f"{lost} texts stood only there")
            else:
                yield self._finding(STALE_INDEX, path, f"names {name}, which was joined")
        unnamed = len(set(sound) - set(rows_of))
        if unnamed:
            yield self._finding(STALE_INDEX, path, f"does not know {unnamed} shards")
        texts = dict(zip(index.shards, index.texts, strict=True))
        wrong = [
            name
            for name in rows_of.keys() & sound.keys()
            if texts[name] != len(sound[name].keys)
            or not _agrees(index, rows_of[name], sound[name])
        ]
        if wrong:
            yield self._finding(BAD_INDEX, path, f"disagrees with {len(wrong)} shards")

    def _finding(self, kind: str, path: Location, detail: str) -> Fault:
        return Fault(kind, Path(*path.parts[len(self.root.parts) :]), detail)

    def _stale(self, path: Location) -> Fault:
        return self._finding(STALE_TEMPORARY, path, "its writer is gone")


def _agrees(index: Index, own: np.ndarray, rows: ShardRows) -> bool:
    """Return whether the index and a shard agree on every text of the shard.

    Args:
        own: positions in the index of the texts that it finds in the shard.
    """
    alone = Index.of([("", rows)])
    positions = alone.find(index.keys[own])
    if (positions < 0).any() or (index.find(rows.keys) < 0).any():
        return False
    return all(
        np.array_equal(getattr(index, column)[own], getattr(alone, column)[positions])
        for column in ("start", "length", "tokens")
    )


def _entries(folder: Location) -> list[Location]:
    try:
        with reading(folder):
            return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _is_lock(path: Location) -> bool:
    """Return whether a path is the maintenance lock, or a mark of it on object storage."""
    return path.name == LOCK_NAME or path.name.startswith(f"{LOCK_NAME}-")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
