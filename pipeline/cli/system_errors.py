"""Errors of the operating system that no place of ours translated, as one line.

A name that is too long, a full disk or a folder that may not be written is no fault of ours,
wherever it comes up; what is left of ``OSError`` may be one, and keeps its traceback.
"""

from __future__ import annotations

import errno
import os

USERS = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENAMETOOLONG,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.EPERM,
        errno.EROFS,
        errno.ESTALE,
    }
)
"""What the user, or who runs the machine, can put right."""

NO_FOLDER = "No usable temporary directory"


def system_error(error: BaseException) -> str | None:
    """One line about an error that the system caused; None where it may be a fault of ours.

    Libraries raise errors of their own because of those of the system: these count too.
    """
    found: BaseException | None = error
    while found is not None:
        if NO_FOLDER in str(found):
            return (
                "no folder for temporary files can be written: make room, or set TMPDIR to "
                "one that can"
            )
        if isinstance(found, OSError) and found.errno in USERS:
            reason = found.strerror or os.strerror(found.errno)
            names = [os.fsdecode(name) for name in _names(found)]
            return f"{reason}: {' and '.join(names)}" if names else f"the system says: {reason}"
        if isinstance(found, MemoryError):
            return "this machine has too little free memory for that; end other programs first"
        found = found.__cause__
    return None


def _names(error: OSError) -> list[str | bytes]:
    """The files that an error is about, if it says so."""
    names = (error.filename, error.filename2)
    return [name for name in names if isinstance(name, (str, bytes))]
