"""Kept results: what was computed once from the same content is read, not computed again.

    CACHE/results/<digest of all that decides it>    SHA-256 of what follows, arrays by name

A result is named by the digest of its inputs, of the code and of the packages that made it,
so it is never stale; one that is damaged, or cannot be kept, is computed again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from features.errors import ManyheadsError
from features.storage.files import make_folder, put, read_file, sweep
from features.storage.location import Location
from features.storage.remote import RemotePath

RESULTS = "results"
"""The folder of a cache that holds them."""

DIGEST = 32
"""Bytes of a SHA-256."""

WORTH_SECONDS = 0.2
"""What took less is computed again: a file would only be in the way."""

KEPT_SECONDS = 90 * 24 * 3600.0
"""Age since the last use from which a result is removed."""

Arrays = dict[str, np.ndarray]
Part = str | np.ndarray | Sequence[str]


def recall(
    root: Location,
    parts: Sequence[Part],
    code: Sequence[str],
    packages: Sequence[str],
    compute: Callable[[], Arrays],
) -> Arrays:
    """Return the result kept in a cache, or compute it and keep it.

    Nothing is kept on object storage, nor where nothing can be written.

    Args:
        root: the cache.
        parts: what decides the result: texts, lists of texts, arrays.
        code: the modules that compute it, such as ``features.duplicates.duplicates``.
        packages: the distributions whose versions decide it.
        compute: gives the arrays by name.
    """
    if isinstance(root, RemotePath):
        return compute()
    path = root / RESULTS / _name(parts, code, packages)
    kept = _read(path)
    if kept is not None:
        return kept
    started = time.perf_counter()
    made = compute()
    if time.perf_counter() - started >= WORTH_SECONDS:
        with suppress(ManyheadsError, OSError):
            _write(path, made)
    return made


def _read(path: Path) -> Arrays | None:
    """Return the arrays of a sound file; None of another, or where there is none."""
    try:
        data = read_file(path)
    except (OSError, ValueError):
        return None
    if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        return None
    with suppress(OSError):
        os.utime(path)
    return load(data[DIGEST:])


def _write(path: Path, arrays: Arrays) -> None:
    data = save({name: np.array(array, order="C") for name, array in arrays.items()})
    make_folder(path.parent)
    sweep(path.parent)
    put(path.parent, path.name, hashlib.sha256(data).digest() + data)
    oldest = time.time() - KEPT_SECONDS
    for other in path.parent.iterdir():
        with suppress(OSError):
            if other.stat().st_mtime < oldest:
                other.unlink()


def _name(parts: Sequence[Part], code: Sequence[str], packages: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{platform.python_version()};".encode())
    for name in packages:
        digest.update(f"{name} {importlib.metadata.version(name)};".encode())
    above = Path(__file__).parents[2]
    files = [(above / name.replace(".", "/")).with_suffix(".py") for name in code]
    for data in (*(path.read_bytes() for path in files), *map(_bytes, parts)):
        digest.update(b"%d;" % len(data))
        digest.update(data)
    return digest.hexdigest()[:DIGEST]


def _bytes(part: Part) -> bytes:
    """Return the content of a part; no two parts of different content have the same."""
    if isinstance(part, str):
        return b"text;" + part.encode()
    if isinstance(part, np.ndarray):
        kind = f"array {part.dtype.str} {part.shape};".encode()
        return kind + np.ascontiguousarray(part).tobytes()
    return b"list;" + b"".join(_framed(part))


def _framed(texts: Sequence[str]) -> Iterator[bytes]:
    for text in texts:
        data = text.encode()
        yield b"%d;" % len(data)
        yield data
