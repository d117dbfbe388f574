"""Columns of Arrow over the memory of NumPy arrays, and the other way round.

``pa.array`` and ``to_numpy`` import pandas wherever that is installed, 0.3 s.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def column(values: np.ndarray) -> pa.Array:
    """Return a column without nulls, not copied: numbers, or fixed-size binary of bytes.

    Args:
        values: (n,) integers, floats, ``S`` or void.
    """
    own = np.ascontiguousarray(values)
    numbers = np.issubdtype(own.dtype, np.number)
    kind = pa.from_numpy_dtype(own.dtype) if numbers else pa.binary(own.itemsize)
    return pa.Array.from_buffers(kind, len(own), [None, pa.py_buffer(own.view(np.uint8))])


def values_of(column: pa.Array) -> np.ndarray:
    """Return the (n,) integers or floats of a column, not copied.

    Raises:
        ValueError: some are missing, or it holds something else.
    """
    if column.null_count:
        raise ValueError("a column lacks numbers")
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise ValueError(f"a column holds {column.type} instead of numbers")
    dtype = np.dtype(column.type.to_pandas_dtype())
    if not len(column):  # it may have no buffer
        return np.empty(0, dtype)
    start = column.offset * dtype.itemsize
    return np.frombuffer(column.buffers()[1], dtype, count=len(column), offset=start)
