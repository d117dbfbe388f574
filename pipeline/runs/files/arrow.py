"""Columns of the Parquet files of a run folder, to and from the bytes that Arrow holds.

``pa.array`` and ``to_numpy`` import pandas: that takes longer than to write all files of a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa

from features.arrow import column, values_of

MAX_BYTES = 2**31 - 1
"""Maximum bytes of all texts of a column of Arrow's type ``string``."""


def numbers(values: np.ndarray) -> pa.Array:
    """Return (n,) integers, floats or bools as a column of the same type."""
    if values.dtype == np.bool_:
        bits = pa.py_buffer(np.packbits(values, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, bits])
    return column(values)


def strings(values: Sequence[str]) -> pa.Array:
    """Return texts as a column of type ``string``.

    Raises:
        ArrowInvalid: they are longer than 2 GB together.
    """
    cells = [value.encode() for value in values]
    ends = np.fromiter(accumulate(map(len, cells), initial=0), np.int64, len(cells) + 1)
    if ends[-1] > MAX_BYTES:
        raise pa.ArrowInvalid(f"a column holds at most 2 GB of text, not {ends[-1]:,} bytes")
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(cells))]
    return pa.Array.from_buffers(pa.string(), len(cells), buffers)


def named(ids: np.ndarray, names: Sequence[str]) -> pa.Array:
    """Return (n,) ids from 0 as a column of type ``dictionary(int32, string)``."""
    codes = numbers(ids.astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, strings(names))


def numbers_of(table: pa.Table, name: str) -> np.ndarray:
    """Return the (n,) numbers or bools of a column of a table without empty cells."""
    cells = table.column(name).combine_chunks()
    if pa.types.is_boolean(cells.type):
        return values_of(cells.cast(pa.uint8())).view(bool)
    return values_of(cells)
