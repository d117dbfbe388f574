"""Outputs: files and folders that commands write for people and other tools.

    .tmp-<name>-<token>/<name>  --write, fsync-->  --rename-->  <name>  --fsync of the folder

An output appears complete or not at all, however the command ends. Its temporary folder is
locked and has a random name, so no run touches the output of another; what a killed run left is
removed by the next run that writes beside it. A file that the command reads is never
overwritten.
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
from features.storage.location import on_disk

LEFTOVER = re.compile(
    r"\.tmp-(?P<whole>.+)-[0-9a-f]{6}|\..+\.(?:npy|arrow|parquet)\.[0-9a-f]{8}\.tmp"
)
"""Temporary names of outputs: of the folder around one, and of files of older versions."""

LONGEST = 200
"""Maximum bytes of an output's name in that of its temporary folder; longer ones are hashed."""


@contextmanager
def appearing(path: Path, option: str, folder: bool = False) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` if the block succeeds; otherwise remove it.

    A link is followed, and the file that it leads to is replaced. Modes follow the umask.

    Args:
        path: the file, or a folder that is empty or does not exist.
        option: the option that named it, for messages.
        folder: whether to make a folder.

    Raises:
        OutputError: in place of an ``OSError``, also one of the block.
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
    """Raise an error, before any work, if a file cannot be written or is read by the command.

    Args:
        path: the file, or a folder that does not exist.
        option: the option that named it, for messages.
        reads: files and folders that the command reads; an encoder may be a name.

    Raises:
        SettingError: there is no folder to write to, the path is not a regular file, or the
            command reads it.
        OutputError: the system refuses to write there.
    """
    with _translated(path, option):
        target = _target(path)
        if not target.parent.is_dir():
            lacking = target.parent if path.is_symlink() else path.parent
            raise SettingError(f"{option} {path}: there is no folder {lacking}; make it first")
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
    """Return the path with links followed."""
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # no name holds a NUL byte
        raise OSError(None, str(error)) from error


def _local(read: Source | str) -> Path | None:
    """Return the local file or folder that is read; None if there is none."""
    named = read.repo if isinstance(read, HubName) else read
    path = Path(named) if isinstance(named, str) else on_disk(named)
    if path is None:
        return None
    with suppress(RuntimeError):  # no such user: the name stands for itself
        path = path.expanduser()
    try:
        return path if path.exists() else None
    except (OSError, ValueError):
        return None


def _would_change(target: Path, read: Path) -> bool:
    """Return whether writing a file changes what is read: that file, or one in that folder."""
    if target.exists() and target.samefile(read):
        return True
    return read.is_dir() and target.is_relative_to(read.resolve())


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """Yield a path of the target's name in a new folder beside it; remove the folder at the
    end.
    """
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
    """Return whether a name beside an output is that of a leftover of the same output."""
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
    """Make a file, or a folder with all its contents, durable."""
    if path.is_dir():
        for each in path.iterdir():
            _sync(each)
        sync_folder(path)
    else:
        with path.open("rb+") as file:
            os.fsync(file.fileno())


@contextmanager
def _translated(path: Path, option: str) -> Iterator[None]:
    """Turn an ``OSError`` into an OutputError that names the option."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{option} {path} cannot be written ({error.strerror or error}); choose another "
            f"place with {option}"
        ) from error
