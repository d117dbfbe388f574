"""File signatures: recognising by its first bytes a file that is not UTF-8 text."""

from __future__ import annotations

import unicodedata
from collections import Counter

HEAD_BYTES = 4096
"""Bytes at the beginning of a file that are examined."""

ICONV = "convert it with iconv -f {} -t UTF-8"
UNPACK = "it is packed with {}: unpack it first"

SIGNATURES = {
    b"\x1f\x8b": "it is gzip data: add .gz to its name",
    b"PK\x03\x04": "it is a zip archive or a spreadsheet: unpack it, or save it as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "it is a spreadsheet of old Excel: save it as CSV (UTF-8)",
    b"PAR1": "it is Parquet: name it .parquet",
    b"ARROW1": "it is an Arrow file: write it as Parquet",
    b"BZh91AY": UNPACK.format("bzip2"),
    b"\xfd7zXZ\x00": UNPACK.format("xz"),
    b"\x28\xb5\x2f\xfd": UNPACK.format("zstandard"),
    b"7z\xbc\xaf": UNPACK.format("7-Zip"),
    b"%PDF-": "it is a PDF: extract its texts first",
    b"SQLite format 3\x00": "it is an SQLite database: export its table as CSV",
    b"version https://git-lfs": "it is a pointer of Git LFS, not the file: run git lfs pull",
    # UTF-32 first: its mark begins with that of UTF-16.
    b"\xff\xfe\x00\x00": "it looks like UTF-32: " + ICONV.format("UTF-32"),
    b"\x00\x00\xfe\xff": "it looks like UTF-32: " + ICONV.format("UTF-32"),
    b"\xff\xfe": "it looks like UTF-16: " + ICONV.format("UTF-16"),
    b"\xfe\xff": "it looks like UTF-16: " + ICONV.format("UTF-16"),
}
"""First bytes -> what the file is, and the remedy."""

WEB_PAGES = (b"<!doctype html", b"<html", b"<?xml", b"<!--")
MAX_ZERO_BYTES = 0.2
"""Maximum share of zero bytes in UTF-8 text."""

UNMARKED = ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE")
MAX_ODD = 0.02
"""Maximum share of control and unassigned characters if the encoding is the right one."""


def foreign(head: bytes) -> str:
    """Return what a file is and the remedy, if it is not UTF-8 text; "" if it may be.

    Args:
        head: its first bytes, at most ``HEAD_BYTES``.
    """
    for signature, meaning in SIGNATURES.items():
        if head.startswith(signature):
            return meaning
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(WEB_PAGES):
        return "it is a web page or XML, as a failed download leaves it: fetch the file itself"
    if head.count(0) <= MAX_ZERO_BYTES * len(head):
        return ""
    if not any(head):
        return "it holds zero bytes only: download or write it again"
    return unmarked_utf(head) or "it is no text: name a CSV, TSV, JSON Lines or Parquet file"


def unmarked_utf(head: bytes) -> str:
    """Return a message if a file looks like UTF-16 or UTF-32 without a mark; "" otherwise."""
    found = {name: _plausible(head, name) for name in UNMARKED}
    best = max(UNMARKED, key=lambda name: found[name])
    if not found[best]:
        return ""
    return f"it looks like {best} without a byte-order mark: {ICONV.format(best)}"


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
