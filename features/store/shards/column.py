"""A column of Arrow over the memory of a NumPy array, and the other way round.

``pa.array`` and ``to_numpy`` import pandas wherever that is installed, 0.3 s.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def column(values: np.ndarray) -> pa.Array:
    """Return a column without nulls, not copied: integers, or fixed-size binary of bytes.

    Args:
        values: (n,) integers, ``S`` or void.
    """
    own = np.ascontiguousarray(values)
    integers = np.issubdtype(own.dtype, np.integer)
    kind = pa.from_numpy_dtype(own.dtype) if integers else pa.binary(own.itemsize)
    return pa.Array.from_buffers(kind, len(own), [None, pa.py_buffer(own.view(np.uint8))])


def values_of(column: pa.Array) -> np.ndarray:
    """Return the (n,) numbers of a column, not copied.

    Raises:
        ValueError: some are missing, or it holds no numbers.
    """
    if column.null_count:
        raise ValueError("a column lacks numbers")
    dtype = np.dtype(column.type.to_pandas_dtype())
    start = column.offset * dtype.itemsize
    return np.frombuffer(column.buffers()[1], dtype, count=len(column), offset=start)
