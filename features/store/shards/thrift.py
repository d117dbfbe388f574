"""Parser of Thrift's compact protocol, in which Parquet's headers and footers are written.

It is plain Python, so that damaged bytes raise an exception; a library in another language
might end the process.
"""

from __future__ import annotations

from typing import Any

TRUE, FALSE, BYTE, DOUBLE, TEXT, LIST, SET, STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
NUMBERS = (4, 5, 6)
"""Type codes of whole numbers of 16, 32 and 64 bits."""

MOST_BITS = 70

Struct = dict[int, Any]
"""Field number -> value: int, bool, bytes, a list or another struct."""


def read_struct(data: memoryview, at: int = 0) -> tuple[Struct, int]:
    """Parse a struct; return it and the offset of its end.

    Args:
        data: bytes with a struct.
        at: offset of the struct.

    Raises:
        ValueError: the struct does not end, or is not valid.
    """
    try:
        return _struct(data, at)
    except (LookupError, RecursionError) as error:
        raise ValueError("no struct of Thrift") from error


def _struct(data: memoryview, at: int) -> tuple[Struct, int]:
    values: Struct = {}
    field = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            field += head >> 4
        else:
            field, at = _number(data, at)
        kind = head & 15
        if kind in (TRUE, FALSE):  # a field's type is its value
            values[field] = kind == TRUE
        else:
            values[field], at = _value(data, at, kind)
    return values, at + 1


def _value(data: memoryview, at: int, kind: int) -> tuple[Any, int]:
    if kind in NUMBERS:
        return _number(data, at)
    if kind == STRUCT:
        return _struct(data, at)
    if kind == TEXT:
        size, at = _varint(data, at)
        if at + size > len(data):
            raise IndexError
        return bytes(data[at : at + size]), at + size
    if kind in (LIST, SET):
        return _list(data, at)
    if kind in (TRUE, FALSE, BYTE):  # an item of a list
        return data[at], at + 1
    if kind == DOUBLE:
        return bytes(data[at : at + 8]), at + 8
    raise ValueError(f"no value of Thrift: type {kind}")


def _list(data: memoryview, at: int) -> tuple[list[Any], int]:
    head = data[at]
    count, at = (head >> 4, at + 1) if head >> 4 < 15 else _varint(data, at + 1)
    items = []
    for _ in range(count):
        item, at = _value(data, at, head & 15)
        items.append(item)
    return items, at


def _number(data: memoryview, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, MOST_BITS, 7):
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise ValueError("no number of Thrift: it is too long")
