"""Stored results: what was computed from the same inputs before is read, not computed again.

    CACHE/results/<digest of inputs, code and packages>    SHA-256 of the rest, then the arrays

A result is named by the digest of its inputs and of the code and packages that computed it, so
it is never stale. A damaged result is computed again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from features.errors import ManyheadsError
from features.machine.packages import version
from features.storage.files import make_folder, put, read_file, sweep
from features.storage.location import Location, on_disk

RESULTS = "results"
"""Name of the folder of results in a cache."""

DIGEST = 32
"""Bytes of a SHA-256."""

MIN_SECONDS = 0.2
"""Minimum seconds that a computation takes for its result to be stored."""

UNUSED_SECONDS = 90 * 24 * 3600.0
"""Seconds since the last use after which a result is removed."""

Arrays = dict[str, np.ndarray]
"""Arrays by name."""

Part = str | np.ndarray | Sequence[str]
"""One input of a computation: a text, an array, or a list of texts."""


def recall(
    root: Location,
    parts: Sequence[Part],
    code: Sequence[str],
    packages: Sequence[str],
    compute: Callable[[], Arrays],
    min_seconds: float | None = None,
) -> Arrays:
    """Return a result from the cache, or compute and store it.

    Nothing is stored on object storage, or if the cache cannot be written.

    Args:
        root: the cache.
        parts: the inputs of the computation.
        code: names of the modules that compute it, such as
            ``features.duplicates.duplicates``.
        packages: names of the distributions whose versions may change the result.
        compute: computes the arrays.
        min_seconds: minimum seconds of a computation whose result is stored; None:
            ``MIN_SECONDS``.

    Returns:
        The arrays by name.
    """
    folder = on_disk(root)
    if folder is None:
        return compute()
    path = path_of(folder, parts, code, packages)
    stored = read(path)
    if stored is not None:
        return stored
    started = time.perf_counter()
    made = compute()
    if time.perf_counter() - started >= (MIN_SECONDS if min_seconds is None else min_seconds):
        write(path, made)
    return made


def keep(
    root: Location,
    parts: Sequence[Part],
    code: Sequence[str],
    packages: Sequence[str],
    made: Arrays,
) -> None:
    """Store a result in place of an earlier one; arguments as for :func:`recall`.

    Nothing is stored on object storage, or if the cache cannot be written.
    """
    folder = on_disk(root)
    if folder is not None:
        write(path_of(folder, parts, code, packages), made)


def find(
    root: Location, parts: Sequence[Part], code: Sequence[str], packages: Sequence[str]
) -> Arrays | None:
    """Return a stored result, None if there is none; arguments as for :func:`recall`."""
    folder = on_disk(root)
    return None if folder is None else read(path_of(folder, parts, code, packages))


def path_of(
    root: Path, parts: Sequence[Part], code: Sequence[str], packages: Sequence[str]
) -> Path:
    """Return the file of a result, whether it is stored or not; arguments as ``recall``."""
    return root / RESULTS / _name(parts, code, packages)


def installed(packages: Sequence[str]) -> list[str]:
    """Return the distributions that are installed, of those named."""
    found = []
    for name in packages:
        with suppress(PackageNotFoundError):
            version(name)
            found.append(name)
    return found


def read(path: Path) -> Arrays | None:
    """Return the arrays of a result; None if it is missing or damaged."""
    try:
        data = read_file(path)
    except (OSError, ValueError):
        return None
    if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        return None
    with suppress(OSError):
        os.utime(path)
    return load(data[DIGEST:])


def write(path: Path, arrays: Arrays) -> None:
    """Store the arrays of a result, if the folder can be written, and remove unused ones."""
    with suppress(ManyheadsError, OSError):
        _write(path, arrays)


def _write(path: Path, arrays: Arrays) -> None:
    data = save({name: np.array(array, order="C") for name, array in arrays.items()})
    make_folder(path.parent)
    sweep(path.parent)
    put(path.parent, path.name, hashlib.sha256(data).digest() + data)
    oldest = time.time() - UNUSED_SECONDS
    for other in path.parent.iterdir():
        with suppress(OSError):
            if other.stat().st_mtime < oldest:
                other.unlink()


def _name(parts: Sequence[Part], code: Sequence[str], packages: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{platform.python_version()};".encode())
    for name in packages:
        digest.update(f"{name} {version(name)};".encode())
    above = Path(__file__).parents[2]
    files = [(above / name.replace(".", "/")).with_suffix(".py") for name in code]
    for data in (*(path.read_bytes() for path in files), *map(_bytes, parts)):
        digest.update(b"%d;" % len(data))
        digest.update(data)
    return digest.hexdigest()[:DIGEST]


def _bytes(part: Part) -> bytes:
    """Serialize an input; different inputs give different bytes."""
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
