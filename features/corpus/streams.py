"""Data files as byte and text streams: checked, opened, unpacked, decoded.

Files may be local or on object storage (``location.Location``). Whatever keeps a file from
being read becomes one CorpusError here, with the place and the remedy.
"""

from __future__ import annotations

import codecs
import difflib
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from features.corpus.recognition.dialect import Reading
from features.corpus.recognition.encodings import UTF8, UTF8_SIGNED, is_utf8, recognise, shown
from features.corpus.recognition.signatures import HEAD_BYTES, foreign, wide_encoding
from features.errors import CorpusError
from features.messages import listed
from features.storage.location import Location, on_disk
from features.storage.storage import storage_of

GZIP_SUFFIX, ZIP_SUFFIX = ".gz", ".zip"
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
DATA = (*TABLES, ".json", ".xlsx")
SUFFIXES = (*DATA, ZIP_SUFFIX)
SAMPLE_BYTES = 1 << 20
"""Bytes from which an encoding is recognised."""

BUFFER_BYTES = 1 << 17
NAME_IT = "name its encoding with --encoding, such as windows-1252"
PACK_AGAIN = "download or pack the file again"
KINDS = {
    (".xls", ".xlsm", ".xlsb", ".ods", ".numbers"): "save it as .xlsx or CSV",
    (".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz", ".rar"): "unpack it first",
    (".txt", ".dat", ".tab"): "name it .csv if that is what it holds",
    (".arrow", ".feather", ".ipc", ".orc", ".avro", ".db", ".sqlite"): "write it as Parquet",
    (".pkl", ".pickle", ".npy", ".npz", ".sav", ".dta", ".rds", ".rdata", ".xml", ".html"): (
        "write its rows as CSV or Parquet"
    ),
}
"""Suffixes of other formats, and the remedy."""

BEYOND_ASCII = re.compile(rb"[\x80-\xff]")

MAX_COMPARED = 2000
"""Maximum names compared for "did you mean", so that a huge folder does not delay an error."""


def suffix_of(path: Location) -> str:
    """Return the lower-case suffix of a data file, without ``.gz``."""
    return Path(path.name.lower().removesuffix(GZIP_SUFFIX)).suffix


def check_file(path: Location) -> None:
    """Raise a CorpusError unless ``path`` is an existing file with a known suffix."""
    try:
        if path.is_dir():
            raise CorpusError(f"{path} is a folder; name one file{_neighbours(path)}")
        if suffix_of(path) not in SUFFIXES:
            _refuse_suffix(path)
        if path.is_file():
            return
        if path.exists():
            raise CorpusError(
                f"{path}: is no regular file but a pipe or a device; texts are read more than "
                "once, so write them to a file first"
            )
        reason = storage_of(path.parent).why_missing(path.name)
        if reason:
            raise CorpusError(f"{path}: {reason}")
        folder_exists = path.parent.is_dir()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        what = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"{path}: cannot be read: {what}; check the path") from error
    if not folder_exists:
        raise CorpusError(f"{path}: no such file, and no folder {path.parent}; check the path")
    raise CorpusError(f"{path}: no such file{_neighbours(path.parent, path.name)}")


def _refuse_suffix(path: Location) -> NoReturn:
    shown = f"unknown suffix {suffix_of(path)!r}" if suffix_of(path) else "no suffix"
    known = f"{listed(DATA)}, each also with {GZIP_SUFFIX} or in {ZIP_SUFFIX}"
    helps = next((f"; {what}" for kinds, what in KINDS.items() if suffix_of(path) in kinds), "")
    raise CorpusError(f"{path}: {shown}; data files end in {known}{helps}")


def _neighbours(folder: Location, name: str = "") -> str:
    """Return the end of a message that suggests the data files with names like ``name``."""
    try:
        names = sorted(entry.name for entry in folder.iterdir() if suffix_of(entry) in SUFFIXES)
    except OSError:
        return ""
    if not names:
        return "; its folder has no data file"
    near = difflib.get_close_matches(name, names[:MAX_COMPARED], n=3)
    return f"; did you mean {listed(near)}?" if near else f"; its folder has {listed(names, 5)}"


def is_packed(path: Location) -> bool:
    """Return whether the name of ``path`` ends in ``.gz`` or ``.zip``."""
    return path.name.lower().endswith((GZIP_SUFFIX, ZIP_SUFFIX))


def kind_of(path: Location) -> str:
    """Return the suffix that says how ``path`` is read: for a zip archive, that of its file."""
    suffix = suffix_of(path)
    if suffix != ZIP_SUFFIX:
        return suffix
    with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        return Path(_member(path, archive).lower()).suffix


def open_bytes(path: Location) -> IO[bytes]:
    """Return the bytes of ``path``, unpacked."""
    if suffix_of(path) == ZIP_SUFFIX:
        # The member keeps the archive's file open until it is closed itself.
        with zipfile.ZipFile(path if isinstance(path, Path) else path.open("rb")) as archive:
            return archive.open(_member(path, archive))
    if not is_packed(path):
        return path.open("rb")
    return cast(IO[bytes], gzip.open(on_disk(path) or path.open("rb")))


def _member(path: Location, archive: zipfile.ZipFile) -> str:
    """Return the name of the one data file in an archive. Raises a CorpusError without one."""
    names = [
        name
        for name in archive.namelist()
        if Path(name.lower()).suffix in DATA
        and not name.startswith("__MACOSX/")
        and not Path(name).name.startswith(".")
    ]
    if len(names) == 1:
        return names[0]
    holds = f"holds {listed(names)}" if names else "holds no data file"
    raise CorpusError(
        f"{path}: the archive {holds}; an archive of one data file is read: unpack it, and "
        "name the file"
    )


class _Joined(io.RawIOBase):
    """A stream of bytes behind its beginning, which was read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self.head, self.rest = memoryview(head), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.head:
            data = self.rest.read(len(buffer))
        else:
            data, self.head = bytes(self.head[: len(buffer)]), self.head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def open_lines(
    path: Location, reading: Reading, newline: str = ""
) -> Iterator[io.TextIOWrapper]:
    """Open ``path`` as lines of text, with their line ends and without a byte-order mark.

    The encoding is the one that ``reading`` asks for, or recognised in the first bytes.

    Raises:
        CorpusError: the first bytes are those of another kind of file.
    """
    with open_bytes(path) as stream:
        head = stream.read(SAMPLE_BYTES)
        given = reading.dialect.encoding
        encoding = given or _encoding_of(path, head)
        if encoding.lower() in ("utf-8", "utf8"):
            encoding = UTF8_SIGNED
        if given is None:
            reading.opened(encoding, head.decode(encoding, "ignore"))
        joined = io.BufferedReader(_Joined(head, stream), BUFFER_BYTES)
        with io.TextIOWrapper(joined, encoding, newline=newline) as lines:
            yield lines


def _encoding_of(path: Location, head: bytes) -> str:
    """Return the encoding of a text file by its first bytes; UTF-8 where none explains them.

    Raises:
        CorpusError: they are those of another kind of file.
    """
    meaning = foreign(head[:HEAD_BYTES])
    if meaning:
        raise CorpusError(f"{path}: {meaning}")
    wide = wide_encoding(head[:HEAD_BYTES])
    if wide:
        return wide
    marked = head.startswith(codecs.BOM_UTF8)
    return UTF8_SIGNED if marked or is_utf8(head) else recognise(head) or UTF8_SIGNED


def late_encoding(path: Location) -> str:
    """Return the encoding of a file that is ASCII as far as ``SAMPLE_BYTES``, recognised behind
    that; "" if it is UTF-8 or none explains it.

    Reads as far as the first characters beyond ASCII.
    """
    with open_bytes(path) as stream:
        while chunk := stream.read(SAMPLE_BYTES):
            found = BEYOND_ASCII.search(chunk)
            if found and found.start() == 0 and chunk.startswith(codecs.BOM_UTF8):
                return ""
            if found:
                start = chunk.rfind(b"\n", 0, found.start()) + 1
                sample = chunk[start:] + stream.read(SAMPLE_BYTES)
                return "" if is_utf8(sample) else recognise(sample)
    return ""


@contextmanager
def readable(path: Location) -> Iterator[None]:
    """Turn errors of the system, gzip and the decoder on ``path`` into a CorpusError."""
    try:
        yield
    except gzip.BadGzipFile as error:
        raise CorpusError(
            f"{path}: corrupt or no gzip data ({error}); {PACK_AGAIN}, "
            f"or drop {GZIP_SUFFIX} from its name if it is not packed"
        ) from error
    except EOFError as error:
        raise CorpusError(f"{path}: the gzip data is truncated; {PACK_AGAIN}") from error
    except (zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise CorpusError(f"{path}: corrupt packed data ({error}); {PACK_AGAIN}") from error
    except UnicodeDecodeError as error:
        with readable(path):  # reading it again may raise another error
            raise CorpusError(_undecodable(path, error)) from error
    except OSError as error:
        what = error.strerror or str(error)
        raise CorpusError(f"{path}: cannot be read: {what}; check the file") from error


def _undecodable(path: Location, error: UnicodeDecodeError) -> str:
    """Return a message about bytes that do not decode, and the remedy."""
    if error.encoding.lower().replace("_", "-") == UTF8:
        return _bad_utf8(path)
    bad = error.object[error.start]
    return (
        f"{path}: not valid {shown(error.encoding)}: byte 0x{bad:02x} ({error.reason}); "
        f"{NAME_IT}"
    )


def _bad_utf8(path: Location) -> str:
    """Return a message with the line, byte and offset where UTF-8 ends, and the remedy."""
    offset, wider = 0, False
    # Lines end as they do for the readers. A character that does not encode is a bad byte.
    with (
        open_bytes(path) as stream,
        io.TextIOWrapper(stream, UTF8, "surrogateescape", newline="") as lines,
    ):
        for number, line in enumerate(lines, 1):
            try:
                offset += len(line.encode())
                wider = wider or not line.removeprefix("\ufeff").isascii()
            except UnicodeEncodeError as bad:
                before, rest = line[: bad.start], line[bad.start :]
                offset += len(before.encode())
                wider = wider or not before.removeprefix("\ufeff").isascii()
                cut = next(lines, None) is None and _cut_short(rest, wider)
                where = f"byte 0x{ord(rest[0]) - 0xDC00:02x} at offset {offset}"
                remedy = _utf8_remedy(wider, cut)
                return f"{path}:{number}: not valid UTF-8: {where}; {remedy}"
    return f"{path}: not valid UTF-8; {NAME_IT}"


def _cut_short(rest: str, wider: bool) -> bool:
    """Return whether a file ends within a character, given its last bytes, escaped.

    If no multi-byte character comes before, a single byte is taken for a letter of another
    encoding.
    """
    try:
        codecs.getincrementaldecoder(UTF8)().decode(rest.encode(UTF8, "surrogateescape"))
    except UnicodeDecodeError:
        return False
    return wider or len(rest) > 1


def _utf8_remedy(wider: bool, cut: bool) -> str:
    """Return the remedy for a byte that is not UTF-8.

    Args:
        wider: whether valid characters beyond ASCII come before it.
        cut: whether the file ends within a character.
    """
    if cut:
        return "the file ends within a character: download or write it again"
    if wider:
        return (
            "what stands before it is UTF-8, so mend that place, or write the file again; "
            "--encoding reads it in another encoding"
        )
    return NAME_IT
