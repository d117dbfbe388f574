"""The project's one error tree.

    ManyheadsError                 every error that this project raises on purpose
    ├── InputError                 the user's input is wrong: one line, exit code 2
    │   ├── CorpusError            a data file: missing, unreadable, a bad row or value
    │   ├── SplitError             the rows cannot be split into train, validation, test
    │   ├── SettingError           an unknown or out-of-range setting, head or layout
    │   ├── ArrayError             unusable vectors or labels, passed from Python
    │   ├── EncoderError           an encoder that is not available, or not what it claims to be
    │   ├── ModuleError            a module of the user's own that cannot be built or run
    │   ├── CacheError             a cache or run folder that cannot be written or read
    │   │   └── DamagedFileError   a file of a run or model folder that breaks its format
    │   ├── OutputError            a file or stream for results that cannot be written
    │   ├── RemoteError            object storage that cannot be reached, or refuses
    │   ├── DiskSpaceError         what is planned does not fit on the disk
    │   └── DeviceMemoryError      a text or an encoder does not fit in the memory
    └── FaultError                 a fault that the user did not cause: exit code 1
        ├── CorruptShardError      stored bytes that do not match their digest
        ├── BadVectorError         an encoder gave NaN, infinite or all-zero vectors
        ├── WorkerError            a process that encoded died, and its texts are missing
        └── DivergedError          training whose loss became NaN or infinite

A message is one line with the rule, the offending value, its location and the remedy.
"""

from __future__ import annotations

from pathlib import Path


class ManyheadsError(Exception):
    """Root of the tree. ``exit_code`` is the exit code of a command that it ends."""

    exit_code = 1


class InputError(ManyheadsError):
    """The user's input is wrong."""

    exit_code = 2


class CorpusError(InputError):
    """A data file that is missing, unreadable or holds a bad row or value."""


class SplitError(InputError):
    """Rows that cannot be split into train, validation and test."""


class SettingError(InputError):
    """An unknown or out-of-range setting, head or layout."""


class ArrayError(InputError, ValueError):
    """Unusable vectors or labels. A ``ValueError`` too, as scikit-learn expects."""


class EncoderError(InputError):
    """An encoder that is not available, or not what it claims to be."""


class ModuleError(InputError):
    """A module of the user's own that cannot be built, or does not run."""


class CacheError(InputError):
    """A cache or run folder that cannot be written or read."""


class DamagedFileError(CacheError):
    """A file of a run or model folder that does not hold what it must.

    Args:
        path: the file.
        reason: which rule it breaks, and where.
        remedy: what to do.
    """

    def __init__(self, path: Path, reason: object, remedy: str) -> None:
        super().__init__(f"{path} is damaged ({' '.join(str(reason).split())}): {remedy}")


class OutputError(InputError):
    """A file or stream for results that cannot be written."""


class RemoteError(InputError):
    """Object storage that cannot be reached, or refuses what is asked of it."""


class DiskSpaceError(InputError):
    """What is planned does not fit on the disk."""


class DeviceMemoryError(InputError):
    """A text, or an encoder, that does not fit in the memory of the device by itself."""


class FaultError(ManyheadsError):
    """A fault that the user did not cause."""


class CorruptShardError(FaultError):
    """Stored bytes that do not match the digest in their name."""


class BadVectorError(FaultError):
    """An encoder gave vectors that must not be stored: NaN, infinite or all zero."""


class WorkerError(FaultError):
    """A process that encoded died before it had committed its texts."""


class DivergedError(FaultError):
    """Training whose loss became NaN or infinite."""
