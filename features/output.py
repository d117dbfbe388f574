"""Outputs: files and folders that commands write for people and other tools.

    .tmp-<name>-<token>/<name>  --write, fsync-->  --rename-->  <name>  --fsync of the folder

Each appears whole or not at all, whatever ends the work. The folder around it is locked
meanwhile, and has a random name, so no run touches what another is writing; what a killed run
left is removed by the next one that writes beside it. Nothing that a command reads is written
over.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.corpus.source import HubName, Source
from features.errors import OutputError, SettingError
from features.storage.files import sweep, sync_folder, temporary_folder
from features.storage.remote import RemotePath

LEFTOVER = re.compile(
    r"\.tmp-(?P<whole>.+)-[0-9a-f]{6}|\..+\.(?:npy|arrow|parquet)\.[0-9a-f]{8}\.tmp"
)
"""Temporary names of outputs: of the folder that holds one, and of files of older versions."""

LONGEST = 200
"""Bytes of a name that the temporary folder is named by; by a digest, where it is longer."""


@contextmanager
def appearing(path: Path, option: str, folder: bool = False) -> Iterator[Path]:
    """A temporary path, or an empty folder, that takes the place of ``path``.

    It does so once the block has ended well; otherwise it goes. A link is followed: the file
    that it leads to is replaced. Modes follow the umask.

    Args:
        path: the file, or a folder that is empty or not there.
        option: that named it, for messages.

    Raises:
        OutputError: in place of an ``OSError`` of the block, too.
    """
    with _translated(path, option):
        target = _target(path)
        with _temporary(target) as temporary:
            if folder:
                temporary.mkdir()
            yield temporary
            _sync(temporary)
            temporary.replace(target)
        with suppress(PermissionError):  # a folder that may be written but not listed
            sync_folder(target.parent)


def check_output(path: Path, option: str, reads: Iterable[Source | str] = ()) -> None:
    """Refuse, before any work, a file that cannot be written or that the command reads.

    Args:
        path: the file, or a folder that is not there.
        option: that named it, for messages.
        reads: files and folders that the command reads; an encoder may be a name.

    Raises:
        SettingError: no folder to write to, no regular file, or a file that is read.
        OutputError: the system refuses to write there.
    """
    with _translated(path, option):
        target = _target(path)
        if not target.parent.is_dir():
            raise SettingError(
                f"{option} {path}: there is no folder {path.parent}; make it first"
            )
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            kind = "a folder" if target.is_dir() else "no regular file"
            raise SettingError(f"{option} {path} is {kind}; name a file")
        for each in reads:
            read = _local(each)
            if read is not None and _would_change(target, read):
                raise SettingError(
                    f"{option} {path} would write over what this command reads, {each}; name "
                    "another"
                )
        with _temporary(target) as temporary:
            temporary.touch()


def _target(path: Path) -> Path:
    """Return where ``path`` leads, links followed."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # no name holds a NUL byte
        raise OSError(None, str(error)) from error


def _local(read: Source | str) -> Path | None:
    """Return a file or folder of this machine that is read, if there is one."""
    if isinstance(read, RemotePath):
        return None
    path = Path(read.repo if isinstance(read, HubName) else read)
    with suppress(RuntimeError):  # no such user: the name stands for itself
        path = path.expanduser()
    try:
        return path if path.exists() else None
    except (OSError, ValueError):
        return None


def _would_change(target: Path, read: Path) -> bool:
    """Return whether to write a file would change what is read: itself, a link to it, in a
    folder."""
    if target.exists() and target.samefile(read):
        return True
    return read.is_dir() and target.is_relative_to(read.resolve())


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A path of the target's own name in a new folder beside it, which goes in the end."""
    name = target.name
    if len(os.fsencode(name)) > LONGEST:
        name = hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()
    with suppress(PermissionError):  # a folder that may be written but not listed
        sweep(target.parent, lambda found: _left(target, name, found))
    with temporary_folder(target.parent, name) as folder:
        try:
            yield folder / target.name
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _left(target: Path, name: str, found: str) -> bool:
    """Return whether a name beside an output is, by its form, that of one that was under
    way."""
    leftover = LEFTOVER.fullmatch(found)
    if not leftover:
        return bool(re.fullmatch(rf"\.{re.escape(target.name)}(\.[0-9a-f]{{8}})?\.tmp", found))
    whole = leftover["whole"]
    if whole is None:
        return True
    with suppress(OSError):
        held = set(os.listdir(target.with_name(found)))
        return held <= {target.name if whole == name else whole}
    return False


def _sync(path: Path) -> None:
    """Make a file, or a folder with all that is in it, durable."""
    if path.is_dir():
        for each in path.iterdir():
            _sync(each)
        sync_folder(path)
    else:
        with path.open("rb+") as file:
            os.fsync(file.fileno())


@contextmanager
def _translated(path: Path, option: str) -> Iterator[None]:
    """Turn what the system raises into one line that names the option."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{option} {path} cannot be written ({error.strerror or error}); choose another "
            f"place with {option}"
        ) from error
