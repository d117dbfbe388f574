"""Data files as byte and text streams: checked, opened, unpacked, decoded.

Files may be local or on object storage (``location.Location``). Whatever keeps a file from
being read becomes one CorpusError here, with the place and the remedy.
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

from features.corpus.signatures import HEAD_BYTES, ICONV, foreign, unmarked_utf
from features.errors import CorpusError
from features.messages import listed
from features.storage.location import Location, on_disk
from features.storage.storage import storage_of

GZIP_SUFFIX = ".gz"
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
WESTERN = "WINDOWS-1252"
"""The usual encoding of Western European files that are not UTF-8; a superset of Latin-1."""

PACK_AGAIN = "download or pack the file again"
KINDS = {
    (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"): "save the sheet as CSV (UTF-8)",
    (".zip", ".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz", ".rar"): "unpack it first",
    (".json",): "write one JSON object per line, named .jsonl",
    (".txt", ".dat", ".tab"): "name it .csv or .tsv if that is what it holds",
    (".arrow", ".feather", ".ipc", ".orc", ".avro", ".db", ".sqlite"): "write it as Parquet",
    (".pkl", ".pickle", ".npy", ".npz", ".sav", ".dta", ".rds", ".rdata", ".xml", ".html"): (
        "write its rows as CSV or Parquet"
    ),
}
"""Suffixes of other formats, and the remedy."""

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
    known = f"{listed(SUFFIXES)}, each also with {GZIP_SUFFIX}"
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


def is_gzipped(path: Location) -> bool:
    """Return whether the name of ``path`` ends in ``.gz``."""
    return path.name.lower().endswith(GZIP_SUFFIX)


def open_bytes(path: Location) -> IO[bytes]:
    """Return the bytes of ``path``, unpacked."""
    if not is_gzipped(path):
        return path.open("rb")
    return cast(IO[bytes], gzip.open(on_disk(path) or path.open("rb")))


@contextmanager
def open_lines(
    path: Location, newline: str = "", encoding: str = "utf-8-sig", errors: str = "strict"
) -> Iterator[io.TextIOWrapper]:
    """Open ``path`` as lines of text, with their line ends and without a byte-order mark.

    Raises:
        CorpusError: its first bytes are those of another kind of file.
    """
    with open_bytes(path) as stream:
        refuse_foreign(path, stream)
        with io.TextIOWrapper(stream, encoding, errors, newline=newline) as lines:
            yield lines


def refuse_foreign(path: Location, stream: IO[bytes]) -> None:
    """Raise a CorpusError if a stream, at its beginning, is not that of a text file."""
    meaning = foreign(cast(io.BufferedReader, stream).peek(HEAD_BYTES)[:HEAD_BYTES])
    if meaning:
        raise CorpusError(f"{path}: {meaning}")


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
    except zlib.error as error:
        raise CorpusError(f"{path}: corrupt gzip data ({error}); {PACK_AGAIN}") from error
    except UnicodeDecodeError as error:
        with readable(path):  # reading it again may raise another error
            raise CorpusError(_bad_utf8(path)) from error
    except OSError as error:
        what = error.strerror or str(error)
        raise CorpusError(f"{path}: cannot be read: {what}; check the file") from error


def _bad_utf8(path: Location) -> str:
    """Return a message with the line, byte and offset where UTF-8 ends, and the remedy."""
    offset, wider = 0, False
    # Lines end as they do for the readers. A character that does not encode is a bad byte.
    with open_lines(path, encoding="utf-8", errors="surrogateescape") as lines:
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
                remedy = _utf8_remedy(path, wider, cut)
                return f"{path}:{number}: not valid UTF-8: {where}; {remedy}"
    return f"{path}: not valid UTF-8; {ICONV.format(WESTERN)}"


def _cut_short(rest: str, wider: bool) -> bool:
    """Return whether a file ends within a character, given its last bytes, escaped.

    If no multi-byte character comes before, a single byte is taken for a letter of another
    encoding.
    """
    try:
        codecs.getincrementaldecoder("utf-8")().decode(rest.encode("utf-8", "surrogateescape"))
    except UnicodeDecodeError:
        return False
    return wider or len(rest) > 1


def _utf8_remedy(path: Location, wider: bool, cut: bool) -> str:
    """Return the remedy for a byte that is not UTF-8.

    Args:
        wider: whether valid characters beyond ASCII come before it.
        cut: whether the file ends within a character.
    """
    with open_bytes(path) as stream:
        head = cast(io.BufferedReader, stream).peek(HEAD_BYTES)[:HEAD_BYTES]
    if 0 in head and (meaning := unmarked_utf(head)):
        return meaning
    if cut:
        return "the file ends within a character: download or write it again"
    if wider:
        return "what stands before it is UTF-8, so mend that place, or write the file again"
    return ICONV.format(WESTERN) + ", or from whatever it is in"
