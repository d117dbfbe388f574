"""File signatures: what is no text, or text in UTF-16 or UTF-32, by the first bytes."""

from __future__ import annotations

import unicodedata
from collections import Counter

HEAD_BYTES = 4096
"""Bytes at the beginning of a file that are examined."""

UNPACK = "it is packed with {}: unpack it first"

SIGNATURES = {
    b"\x1f\x8b": "it is gzip data: add .gz to its name",
    b"PK\x03\x04": "it is a spreadsheet or a zip archive: name it .xlsx or .zip",
    b"\xd0\xcf\x11\xe0": "it is a spreadsheet of old Excel: save it as .xlsx or CSV",
    b"PAR1": "it is Parquet: name it .parquet",
    b"ARROW1": "it is an Arrow file: write it as Parquet",
    b"BZh91AY": UNPACK.format("bzip2"),
    b"\xfd7zXZ\x00": UNPACK.format("xz"),
    b"\x28\xb5\x2f\xfd": UNPACK.format("zstandard"),
    b"7z\xbc\xaf": UNPACK.format("7-Zip"),
    b"%PDF-": "it is a PDF: extract its texts first",
    b"SQLite format 3\x00": "it is an SQLite database: export its table as CSV",
    b"version https://git-lfs": "it is a pointer of Git LFS, not the file: run git lfs pull",
}
"""First bytes -> what the file is, and the remedy."""

WEB_PAGES = (b"<!doctype html", b"<html", b"<?xml", b"<!--")
MAX_ZERO_BYTES = 0.2
"""Maximum share of zero bytes in UTF-8 text."""

MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""Byte-order marks -> the encoding."""

UNMARKED = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
MAX_ODD = 0.02
"""Maximum share of control and unassigned characters if the encoding is the right one."""


def foreign(head: bytes) -> str:
    """Return what a file is and the remedy, if it is not text; "" if it may be.

    Args:
        head: its first bytes, at most ``HEAD_BYTES``.
    """
    if wide_encoding(head):
        return ""
    for signature, meaning in SIGNATURES.items():
        if head.startswith(signature):
            return meaning
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(WEB_PAGES):
        return "it is a web page or XML, as a failed download leaves it: fetch the file itself"
    if head.count(0) <= MAX_ZERO_BYTES * len(head):
        return ""
    if not any(head):
        return "it holds zero bytes only: download or write it again"
    return "it is no text: name a CSV, TSV, JSON Lines or Parquet file"


def wide_encoding(head: bytes) -> str:
    """Return UTF-16 or UTF-32 by its mark or its zero bytes; "" if a file is in neither."""
    for mark, encoding in MARKS.items():
        if head.startswith(mark):
            return encoding
    if head.count(0) <= MAX_ZERO_BYTES * len(head):
        return ""
    found = {name: _plausible(head, name) for name in UNMARKED}
    best = max(UNMARKED, key=lambda name: found[name])
    return best if found[best] else ""


def _plausible(head: bytes, encoding: str) -> int:
    """Return how many ASCII characters, which every data file has, an encoding gives.

    0 if the bytes do not decode or give many characters that do not occur in texts.
    """
    try:
        text = head[: len(head) // 4 * 4].decode(encoding)
    except UnicodeDecodeError as error:
        if error.end < len(head) // 4 * 4:  # not merely cut at the end
            return 0
        text = head[: error.start].decode(encoding)
    kinds = Counter(unicodedata.category(char) for char in text if char not in "\t\r\n")
    odd = kinds["Cc"] + kinds["Cn"] + kinds["Co"]
    return sum(char.isascii() for char in text) if odd <= MAX_ODD * len(text) else 0
