"""Quarantine: the folder to which damaged files of a space are moved.

    CACHE/<fingerprint>/<file>  -->  CACHE/quarantine/<fingerprint>/<file>

Nothing is deleted. To the cache a moved file is missing, so the next run encodes its texts
again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from features.errors import CorruptShardError
from features.storage.location import Location
from features.storage.storage import storage_of
from features.store.manifest import SPACE_NAME, SpaceManifest, read_manifest, use_marks
from features.store.shards.shard import NAME, SUFFIX, Shard
from features.store.space import INDEX_NAME
from features.store.store import FeatureStore
from features.vectors.spec import FeatureSpec

QUARANTINE = "quarantine"


def mend_space(root: Location, folder: Location) -> list[Location]:
    """Rewrite the manifest and the index of a space, and remove its folder if it is empty.

    Returns:
        Where the files that were moved are now.

    Raises:
        CacheError, DiskSpaceError: the space cannot be written.
    """
    storage = storage_of(folder)
    storage.sweep()
    moved: list[Location] = []
    spec = _spec_of(folder)
    if spec is None:
        (folder / INDEX_NAME).unlink(missing_ok=True)
        moved += quarantine(root, Path(folder.name) / SPACE_NAME)
        storage.remove([mark.name for mark in use_marks(folder)])
        with suppress(OSError):  # something is in it that is not ours, or was put just now
            storage.remove_folder()
        return moved
    try:
        read_manifest(folder)
    except (OSError, ValueError):
        if (folder / SPACE_NAME).is_dir():
            moved += quarantine(root, Path(folder.name) / SPACE_NAME)
        storage.put(SPACE_NAME, SpaceManifest(spec).to_bytes())
    space = FeatureStore(root).space(spec)
    if (folder / INDEX_NAME).is_file():
        space.drop_index()
    space.save_index(required=True)
    return moved


def _spec_of(folder: Location) -> FeatureSpec | None:
    """Return the spec of a space from its manifest or from any shard; None if there is none."""
    with suppress(OSError, ValueError):
        return read_manifest(folder).spec
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(CorruptShardError, FileNotFoundError):
            spec = Shard(path, at_source=True).spec()
            if spec.fingerprint == folder.name:
                return spec
    return None


def quarantine(root: Location, path: Path) -> list[Location]:
    """Move a file, named relative to the cache, to the quarantine.

    A folder is not moved, unless it has the name of one of our files and is in its way.

    Returns:
        Where it is now; empty if it was not moved.
    """
    source, target = root / path, QUARANTINE / path
    folder = source.is_dir() and not source.is_symlink()
    if not there(source) or (folder and not _name_of_ours(path.name)):
        return []
    free, number = target, 1
    while there(root / free):
        number += 1
        free = target.with_name(f"{target.name}.{number}")
    storage_of(root).move(path.as_posix(), free.as_posix())
    return [root / free]


def _name_of_ours(name: str) -> bool:
    """Return whether a name in a space's folder can only be that of one of our files."""
    shard = name.endswith(SUFFIX) and NAME.fullmatch(name.removesuffix(SUFFIX))
    return name in (SPACE_NAME, INDEX_NAME) or bool(shard)


def there(path: Location) -> bool:
    """Return whether a name exists, be it a dangling link."""
    return path.is_symlink() or path.exists()
