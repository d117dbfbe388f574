"""Lease: the one place of those who remove files in a cache on object storage.

There are no locks there, but whoever lists sees every object that was put before. So each puts
a mark of its own and then lists: of two, the later sees the other's mark, and draws its own
back. Both may draw back; never do both hold the place. The holder renews its mark, so a mark
that is old, by the server's own clock, is that of a dead process, and bars nobody.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from features.errors import RemoteError
from features.storage.remote import RemotePath

RENEW_SECONDS = 60.0
EXPIRE_SECONDS = 600.0


@contextmanager
def lease(root: RemotePath, prefix: str) -> Iterator[bool]:
    """Whether the place was got; held until the block ends.

    Args:
        root: the folder of the marks.
        prefix: what the name of every mark begins with.

    Raises:
        RemoteError: the folder cannot be written or listed. A renewal that fails is tried
            again, and a mark that cannot be removed expires.
    """
    mark = root / f"{prefix}-{secrets.token_hex(8)}"
    done = threading.Event()
    renewing = threading.Thread(target=_renew, args=(mark, done), daemon=True)
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
    """Whether there is no other mark that is alive; those of the dead are removed."""
    marks = {path.name: path for path in mark.parent.glob(f"{prefix}-*")}
    now = marks.pop(mark.name).stat().st_mtime
    alive = [path for path in marks.values() if now - path.stat().st_mtime < EXPIRE_SECONDS]
    for path in set(marks.values()) - set(alive):
        path.unlink(missing_ok=True)
    return not alive


def _renew(mark: RemotePath, done: threading.Event) -> None:
    while not done.wait(RENEW_SECONDS):
        with suppress(OSError, RemoteError):  # the next may succeed before it expires
            mark.write_bytes(b"")
