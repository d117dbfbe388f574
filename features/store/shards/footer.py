"""Footer: the positions of a shard's columns in its bytes, from the end of the file.

A shard has one physical layout (docs/cache.md): one row group, and per column one uncompressed
data page of version 1 with PLAIN values and no nulls. So the values of a column are the last
bytes of its page and can be used without decoding. Any other layout that Parquet allows is
refused, so that nothing is misread.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from features.errors import SettingError
from features.store.shards.thrift import Struct, read_struct
from features.text.keys import KEY_BYTES
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED

MAGIC = b"PAR1"
ENDING = 8
"""Bytes after the footer: its size, little-endian, and the magic number."""

SPEC_METADATA = b"manyheads.spec"
ROWS_METADATA = b"manyheads.rows"
NAMES = (b"key", b"tokens", b"length", b"vectors")

DATA_PAGE, PLAIN, RLE, UNCOMPRESSED = 0, 0, 3, 0
INT32, FIXED_BYTES = 1, 7
REQUIRED, REPEATED = 0, 2
"""Numbers of Parquet's page types, encodings, codecs, types and repetitions."""

MOST_HEADER = 2**16
"""Maximum bytes of a page's header; it usually has fewer than a hundred."""


@dataclass(frozen=True)
class Column:
    """One column: a single page between two offsets of the file.

    Attributes:
        name: name of the column.
        start: offset of its page, which begins with a header.
        stop: offset of the end of its page, which ends with the last value.
        count: number of values, none of them null.
        width: bytes per value.
        levels: number of level runs before the values.
    """

    name: str
    start: int
    stop: int
    count: int
    width: int
    levels: int

    def values(self, data: memoryview) -> int:
        """Return the offset of the first value.

        Args:
            data: the file from its beginning, at least up to the page's levels.

        Raises:
            ValueError: the page has another layout.
        """
        if not self.count:
            return self.start
        try:
            header = memoryview(data)[self.start : min(self.stop, self.start + MOST_HEADER)]
            page, size = read_struct(header)
            at, facts = self.start + size, page[5]
            kinds = [page[1], *(facts[field] for field in (2, 3, 4))]
            if kinds != [DATA_PAGE, PLAIN, RLE, RLE] or facts[1] != self.count:
                raise _other(f"the column {self.name} is not one PLAIN page")
            if page[2] != page[3] or at + page[3] != self.stop:
                raise _other(f"the column {self.name} has several pages")
        except (LookupError, TypeError) as error:
            raise _other(f"the column {self.name} has no data page") from error
        for _ in range(self.levels):
            at += 4 + int.from_bytes(data[at : at + 4], "little")
        if at + self.count * self.width != self.stop:
            raise _other(f"the column {self.name} has nulls or empty lists")
        return at


@dataclass(frozen=True)
class Footer:
    """The content of a shard's footer.

    Attributes:
        spec: what determines its vectors.
        rows_digest: digest of keys, tokens and lengths; '' in shards of older versions.
        columns: key, tokens, length and vectors, in the order of the file.
    """

    spec: FeatureSpec
    rows_digest: str
    columns: Sequence[Column]

    @classmethod
    def of(cls, tail: memoryview, size: int) -> Footer:
        """Parse the footer of a file.

        Args:
            tail: the last bytes of the file, at least ``footer_size`` of them.
            size: bytes of the file.

        Raises:
            ValueError: the file is not a shard, or has another physical layout. The message is
                a clause that begins with a verb.
        """
        own = footer_size(tail)
        if own > len(tail):
            raise ValueError("is no Parquet file")
        try:
            facts, _ = read_struct(tail[len(tail) - own : len(tail) - ENDING])
            named = {pair[1]: pair.get(2, b"") for pair in facts.get(5, [])}
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError("is no Parquet file") from error
        try:
            spec = FeatureSpec.from_dict(json.loads(named[SPEC_METADATA]))
            widths = (KEY_BYTES, 4, 4, spec.bytes_per_vector)
        except (LookupError, ValueError, TypeError, RecursionError, SettingError) as error:
            raise ValueError("holds no feature spec") from error
        try:
            columns = _columns(facts, spec.layout, widths, size - own)
        except (LookupError, TypeError, AttributeError) as error:
            raise _other("a footer that lacks something") from error
        return cls(spec, named.get(ROWS_METADATA, b"").decode("ascii", "replace"), columns)


def footer_size(tail: memoryview) -> int:
    """Return the bytes of the footer and its ending, from the last bytes of a file.

    Args:
        tail: the last ``ENDING`` bytes of the file, or more.

    Raises:
        ValueError: the file is not Parquet.
    """
    if len(tail) < ENDING or tail[-len(MAGIC) :] != MAGIC:
        raise ValueError("is no Parquet file")
    return ENDING + int.from_bytes(tail[-ENDING : -len(MAGIC)], "little")


def _columns(facts: Struct, layout: str, widths: Sequence[int], end: int) -> Sequence[Column]:
    """Return the four columns, which fill the file from the magic number to ``end``."""
    if len(facts[4]) != 1:
        raise _other(f"{len(facts[4])} row groups, not one")
    leaves = _leaves(facts[2])
    if [name for name, *_ in leaves] != list(NAMES):
        raise _other("other columns than key, tokens, length and vectors")
    columns = []
    start = len(MAGIC)
    for leaf, width, chunk in zip(leaves, widths, facts[4][0][1], strict=True):
        name, element, optional, repeated = leaf
        column, label = chunk[3], name.decode("ascii")
        fixed = (INT32, None) if name in (b"tokens", b"length") else (FIXED_BYTES, width)
        if (element[1], element.get(2) if fixed[1] else None) != fixed:
            raise _other(f"the column {label} is of another type or width")
        if repeated != (name == b"vectors" and layout != POOLED):
            raise _other(f"the column {label} is a list where none belongs, or the reverse")
        if column[4] != UNCOMPRESSED or 11 in column:
            raise _other(f"the column {label} is compressed or has a dictionary")
        if not set(column[2]) <= {PLAIN, RLE}:
            raise _other(f"the column {label} is not PLAIN")
        if column[7] < 0 or column[5] < 0 or (column[5] and column[9] != start):
            raise _other(f"the column {label} does not stand behind the one before")
        stop = start + column[7]
        levels = int(repeated) + int(optional)
        columns.append(Column(label, start, stop, column[5], width, levels))
        start = stop
    if start > end:
        raise _other("columns that reach into the footer")
    return columns


def _leaves(elements: list[Struct]) -> list[tuple[bytes, Struct, bool, bool]]:
    """Return the columns of a schema: outermost name, element, is optional, is a list.

    Args:
        elements: the schema's tree, depth first; a group has a count of its children.
    """
    leaves = []
    name, optional, repeated, groups = b"", False, False, 0
    for element in elements[1:]:
        if not groups:
            name, optional, repeated = element[4], False, False
        optional |= element.get(3, REQUIRED) != REQUIRED
        repeated |= element.get(3, REQUIRED) == REPEATED
        groups = element.get(5, 0)
        if groups > 1:
            raise _other("a column of several parts")
        if not groups:
            leaves.append((name, element, optional, repeated))
    return leaves


def _other(what: str) -> ValueError:
    return ValueError(f"has another physical layout than a shard ({what})")
