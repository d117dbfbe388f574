"""Data files as byte and text streams: found, opened, unpacked, decoded.

They lie here or on object storage (``place.Place``). Every way in which a file
cannot be read ends here as one CorpusError that says where and what to do.
"""

from __future__ import annotations

import codecs
import difflib
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn, cast

from features.errors import CorpusError, listed
from features.place import Place
from features.remote import RemotePath

GZIP_SUFFIX = ".gz"
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
PACK_AGAIN = "download or pack the file again"
ICONV = "convert it with iconv -f {} -t UTF-8"
# Starts of files that are no UTF-8 text at all, whatever their name says.
FOREIGN_STARTS = {
    b"\x1f\x8b": f"it is gzip data: add {GZIP_SUFFIX} to its name",
    b"PK\x03\x04": "it is a zip archive or a spreadsheet: save it as CSV",
    b"PAR1": "it is Parquet: name it .parquet",
    codecs.BOM_UTF16_LE: "it looks like UTF-16: " + ICONV.format("UTF-16"),
    codecs.BOM_UTF16_BE: "it looks like UTF-16: " + ICONV.format("UTF-16"),
}
# Similarity costs time a name: a folder of a million files must not stall an error.
NAMES_COMPARED = 2000


def suffix_of(path: Place) -> str:
    """The lower-case suffix of a data file, ``.gz`` set aside."""
    return Path(path.name.lower().removesuffix(GZIP_SUFFIX)).suffix


def check_file(path: Place) -> None:
    """Raise a CorpusError unless ``path`` is an existing file with a known suffix."""
    try:
        if path.is_dir():
            raise CorpusError(f"{path} is a folder; name one file{_neighbours(path)}")
        if suffix_of(path) not in SUFFIXES:
            _refuse_suffix(path)
        if path.exists():
            return
        if isinstance(path, RemotePath) and not path.bucket.exists():
            raise CorpusError(f"{path}: no such bucket {path.bucket.name!r}; check the name")
        folder_exists = path.parent.is_dir()
    except OSError as error:
        what = error.strerror or str(error)
        raise CorpusError(f"{path}: cannot be read: {what}; check the path") from error
    if not folder_exists:
        raise CorpusError(f"{path}: no such file, and no folder {path.parent}; check the path")
    raise CorpusError(f"{path}: no such file{_neighbours(path.parent, path.name)}")


def _refuse_suffix(path: Place) -> NoReturn:
    shown = f"unknown suffix {suffix_of(path)!r}" if suffix_of(path) else "no suffix"
    known = f"{listed(SUFFIXES)}, each also with {GZIP_SUFFIX}"
    raise CorpusError(f"{path}: {shown}; data files end in {known}")


def _neighbours(folder: Place, name: str = "") -> str:
    """What a user may have meant: the data files of ``folder`` nearest to ``name``."""
    try:
        names = sorted(entry.name for entry in folder.iterdir() if suffix_of(entry) in SUFFIXES)
    except OSError:
        return ""
    if not names:
        return "; its folder has no data file"
    near = difflib.get_close_matches(name, names[:NAMES_COMPARED], n=3)
    return f"; did you mean {listed(near)}?" if near else f"; its folder has {listed(names, 5)}"


def is_gzipped(path: Place) -> bool:
    """Whether the name of ``path`` says that it is packed with gzip."""
    return path.name.lower().endswith(GZIP_SUFFIX)


def open_bytes(path: Place) -> IO[bytes]:
    """The bytes of ``path``, unpacked."""
    if not is_gzipped(path):
        return path.open("rb")
    packed = path.open("rb") if isinstance(path, RemotePath) else path
    return cast(IO[bytes], gzip.open(packed))


@contextmanager
def open_lines(
    path: Place, newline: str = "", encoding: str = "utf-8-sig", errors: str = "strict"
) -> Iterator[io.TextIOWrapper]:
    """Text lines of ``path`` with their line ends; a byte-order mark is dropped."""
    with (
        open_bytes(path) as stream,
        io.TextIOWrapper(stream, encoding, errors, newline=newline) as lines,
    ):
        yield lines


@contextmanager
def readable(path: Place) -> Iterator[None]:
    """Turn what the system, gzip and the decoder raise over ``path`` into a CorpusError."""
    try:
        yield
    except gzip.BadGzipFile as error:
        raise CorpusError(
            f"{path}: corrupt or no gzip data ({error}); {PACK_AGAIN}, "
            f"or drop {GZIP_SUFFIX} from its name if it is not packed"
        ) from error
    except EOFError as error:
        raise CorpusError(f"{path}: the gzip data is truncated; {PACK_AGAIN}") from error
    except zlib.error as error:
        raise CorpusError(f"{path}: corrupt gzip data ({error}); {PACK_AGAIN}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(_bad_utf8(path)) from error
    except OSError as error:
        what = error.strerror or str(error)
        raise CorpusError(f"{path}: cannot be read: {what}; check the file") from error


def _bad_utf8(path: Place) -> str:
    """Where ``path`` stops being UTF-8: line, byte, offset; and the remedy."""
    with open_bytes(path) as stream:
        start = stream.read(4)
    hints = [hint for magic, hint in FOREIGN_STARTS.items() if start.startswith(magic)]
    remedy = hints[0] if hints else ICONV.format("LATIN1") + ", or from whatever it is in"
    offset = 0
    # The line rules of the readers; an escaped byte is exactly one that does not encode.
    with open_lines(path, encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            try:
                offset += len(line.encode())
            except UnicodeEncodeError as bad:
                offset += len(line[: bad.start].encode())
                byte = ord(line[bad.start]) - 0xDC00
                where = f"byte 0x{byte:02x} at offset {offset}"
                return f"{path}:{number}: not valid UTF-8: {where}; {remedy}"
    return f"{path}: not valid UTF-8; {remedy}"
