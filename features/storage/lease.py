"""Lease: the maintenance lock of a cache on object storage.

Object storage has no locks, but a listing shows every object that was put before it. So each
process puts a mark and then lists the marks: of two processes, the later one sees the mark of
the other and removes its own. Both may give up, but two can never hold the lease. The holder
renews its mark. An old mark, by the server's clock, is that of a dead process and is ignored.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from features.errors import RemoteError
from features.storage.remote import RemotePath

RENEW_SECONDS = 60.0
"""Seconds between renewals of a mark."""

EXPIRE_SECONDS = 600.0
"""Age in seconds from which a mark is ignored."""


@contextmanager
def lease(
    root: RemotePath, prefix: str, renew_seconds: float = RENEW_SECONDS
) -> Iterator[bool]:
    """Yield True if the lease was acquired; release it on exit.

    Args:
        root: the folder of the marks.
        prefix: prefix of the marks' names.
        renew_seconds: seconds between renewals of the mark.

    Raises:
        RemoteError: the folder cannot be written or listed. A failed renewal is tried again,
            and a mark that cannot be removed expires.
    """
    mark = root / f"{prefix}-{secrets.token_hex(8)}"
    done = threading.Event()
    renewing = threading.Thread(target=_renew, args=(mark, done, renew_seconds), daemon=True)
    mark.write_bytes(b"")
    renewing.start()
    try:
        yield _alone(mark, prefix)
    finally:
        done.set()
        renewing.join()
        with suppress(OSError, RemoteError):  # it expires
            mark.unlink(missing_ok=True)


def _alone(mark: RemotePath, prefix: str) -> bool:
    """Remove expired marks, and return whether no other mark is left."""
    marks = {path.name: path for path in mark.parent.glob(f"{prefix}-*")}
    now = marks.pop(mark.name).stat().st_mtime
    alive = [path for path in marks.values() if now - path.stat().st_mtime < EXPIRE_SECONDS]
    for path in set(marks.values()) - set(alive):
        path.unlink(missing_ok=True)
    return not alive


def _renew(mark: RemotePath, done: threading.Event, seconds: float) -> None:
    while not done.wait(seconds):
        with suppress(OSError, RemoteError):  # the next renewal may succeed in time
            mark.write_bytes(b"")
