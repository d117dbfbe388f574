"""RemotePath: a file or folder on object storage, with the methods of pathlib used here.

A missing file raises ``FileNotFoundError``, as with a ``Path``. Any other failure raises
``RemoteError``, so that a failing server is never mistaken for a missing file. Connecting and
importing pyarrow wait for the first method that needs them.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import IO, Any, cast

from features.storage.bucket import filesystem, readable_error

BLOCK_BYTES = 8 * 2**20
"""Minimum bytes per request of a stream, since every request costs a round trip."""


@dataclass(frozen=True)
class Stat:
    """Size in bytes, and time of the last change in seconds since 1970 by the server."""

    st_size: int
    st_mtime: float


@dataclass(frozen=True, order=True)
class RemotePath:
    """A file or folder on object storage, named as pyarrow's file systems name it.

    Attributes:
        scheme: such as ``s3``.
        path: ``bucket/folder/file``, no slash at either end.
        query: settings of the connection, from behind the ``?`` of the name.
        known: the facts from a listing, if any, which save a request.
    """

    scheme: str
    path: str
    query: str = ""
    known: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}" + (f"?{self.query}" if self.query else "")

    def __truediv__(self, name: str | os.PathLike[str]) -> RemotePath:
        return replace(self, path=f"{self.path}/{os.fspath(name)}", known=None)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> RemotePath:
        """The folder above; a bucket is its own parent."""
        above = self.path.rpartition("/")[0]
        return replace(self, path=above or self.path, known=None)

    @property
    def bucket(self) -> RemotePath:
        """The outermost folder."""
        return replace(self, path=self.path.partition("/")[0], known=None)

    def with_name(self, name: str) -> RemotePath:
        return self.parent / name

    @property
    def parts(self) -> tuple[str, ...]:
        """Bucket, folders and name."""
        return tuple(self.path.split("/"))

    def expanduser(self) -> RemotePath:
        return self

    def absolute(self) -> RemotePath:
        return self

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Do nothing: a folder exists as soon as there is a file in it."""

    def rmdir(self) -> None:
        """Check that the folder is empty; an empty folder does not exist anyway.

        A server may keep a marker object for the folder. It is left alone: removing it would
        also remove files that other processes put there at the same moment.

        Raises:
            OSError: there is a file in the folder.
        """
        if any(self.files()):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(self))

    def exists(self) -> bool:
        return self._kind() != "NotFound"

    def is_file(self) -> bool:
        return self._kind() == "File"

    def is_dir(self) -> bool:
        """Return whether there is a file in it: object storage has no empty folders."""
        return self._kind() == "Directory"

    def is_symlink(self) -> bool:
        return False

    def stat(self) -> Stat:
        """Return size and time of change. Raises ``FileNotFoundError``."""
        info = self._info()
        if info.type.name == "NotFound":
            raise FileNotFoundError(errno.ENOENT, "no such object", str(self))
        return Stat(info.size or 0, (info.mtime_ns or 0) / 1e9)

    def iterdir(self) -> Iterator[RemotePath]:
        """Yield the entries by name. Raises ``FileNotFoundError`` if there are none."""
        yield from self._listing(recursive=False)

    def files(self) -> Iterator[RemotePath]:
        """Yield all files below the folder; none if there is no such folder."""
        try:
            found = self._listing(recursive=True)
        except FileNotFoundError:
            return
        yield from (path for path in found if path.is_file())

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """Yield the entries whose name matches; none if there is no such folder."""
        try:
            found = self._listing(recursive=False)
        except FileNotFoundError:
            return
        yield from (path for path in found if PurePosixPath(path.name).match(pattern))

    def open(self, mode: str = "rb") -> IO[bytes]:
        """Return a seekable stream of the bytes; ``mode`` is ``rb``."""
        with self.translated():
            raw = self._filesystem().open_input_file(self.path)
        return cast(IO[bytes], io.BufferedReader(_Raw(self, raw)))

    @contextmanager
    def ranges(self) -> Iterator[Any]:
        """Open the object for partial reads, with ``size()`` and ``read_at(count, offset)``."""
        with self.translated(), self._filesystem().open_input_file(self.path) as file:
            yield file

    def read_bytes(self) -> bytes:
        with self.translated(), self._filesystem().open_input_file(self.path) as file:
            return bytes(file.read())

    def write_bytes(self, data: bytes | memoryview) -> int:
        """Write the object atomically and durably, replacing one of the same name."""
        # In a single write: the client sends all or nothing, whatever happens to this process,
        # and the server shows an object only when it is complete.
        with (
            self.translated(),
            self._filesystem().open_output_stream(self.path) as stream,
        ):
            stream.write(data)
        return len(data)

    def unlink(self, missing_ok: bool = False) -> None:
        try:
            with self.translated():
                self._filesystem().delete_file(self.path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def replace(self, target: RemotePath) -> None:
        """Move a file, or all files of a folder, by copying and removing."""
        for source in list(self.files()) if self.is_dir() else [self]:
            with self.translated():
                end = target.path + source.path.removeprefix(self.path)
                self._filesystem().move(source.path, end)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what pyarrow raises into ``FileNotFoundError`` or ``RemoteError``."""
        try:
            yield
        except FileNotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, "no such object", str(self)) from error
        except Exception as error:
            import pyarrow as pa  # imported already, since pyarrow raised the error

            if isinstance(error, (OSError, pa.ArrowException)):
                raise readable_error(error, str(self)) from error
            raise

    def _listing(self, recursive: bool) -> list[RemotePath]:
        from pyarrow.fs import FileSelector

        with self.translated():
            selector = FileSelector(self.path, recursive=recursive)
            found = self._filesystem().get_file_info(selector)
        return sorted(replace(self, path=info.path.strip("/"), known=info) for info in found)

    def _kind(self) -> str:
        return str(self._info().type.name)

    def _info(self) -> Any:
        if self.known is not None:
            return self.known
        with self.translated():
            return self._filesystem().get_file_info([self.path])[0]

    def _filesystem(self) -> Any:
        return filesystem(self.scheme, self.bucket.path, self.query)


class _Raw(io.RawIOBase):
    """A stream of an object's bytes, read in requests of some megabytes."""

    def __init__(self, path: RemotePath, file: Any) -> None:
        self._path = path
        self._file = file
        self._size = int(file.size())
        self._position = 0
        self._block = memoryview(b"")
        self._start = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        within = self._position - self._start
        if not 0 <= within < len(self._block):
            wanted = min(max(len(buffer), BLOCK_BYTES), self._size - self._position)
            with self._path.translated():
                data = self._file.read_at(max(0, wanted), self._position)
            self._block, self._start, within = memoryview(data), self._position, 0
        part = self._block[within : within + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
