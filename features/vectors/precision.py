"""Stored precision: how a vector of D numbers stands as bytes, and back.

    float32   D x 4 bytes, little-endian
    float16   D x 2 bytes, little-endian
    int8      a float32 scale, then D signed bytes: value = scale x byte

With int8 the scale is the largest absolute value of that vector / 127, so the error of a
value is at most half a scale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MIN_COSINE = {"float32": 0.9999, "bfloat16": 0.999}
"""Smallest cosine of two encodings of one text, by the precision of the matrix products.

Rounding depends on the batch and on the back end: measured with the embedded encoder, float32
stays above 0.99999 and bfloat16 above 0.9999. Vectors of another text, token or model are far
below.
"""


MIN_COSINE_INT8 = 0.99
"""With int8, whose own rounding goes down to 0.9988 for single tokens of that encoder."""


Empty = Callable[[tuple[int, ...], str], np.ndarray]
"""(shape, dtype) -> a new array."""

STORED_DTYPES = ("float16", "float32", "int8")
SCALE = np.dtype("<f4")
STEPS = 127

LARGEST = {
    "float16": float(np.finfo(np.float16).max),
    "float32": float(np.finfo(np.float32).max),
    # Read back as float16, whose steps are finer than int8's everywhere.
    "int8": float(np.finfo(np.float16).max),
}
"""Largest absolute value that each stored type can give back."""


def vector_bytes(dtype: str, width: int) -> int:
    """Stored bytes of one vector of ``width`` numbers."""
    if dtype == "int8":
        return SCALE.itemsize + width
    return width * np.dtype(dtype).itemsize


def encoder_dtype(dtype: str) -> str:
    """The NumPy type in which an encoder hands vectors over that are stored as ``dtype``."""
    return "float32" if dtype == "int8" else dtype


def table_dtype(dtype: str) -> str:
    """The NumPy type in which vectors stored as ``dtype`` are read."""
    return "float16" if dtype == "int8" else dtype


def pack(values: np.ndarray, dtype: str) -> np.ndarray:
    """(n, D) numbers -> (n,) void, each item the stored bytes of one vector."""
    count, width = values.shape
    if dtype != "int8":
        stored = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<"))
        flat: np.ndarray = stored.reshape(-1).view(f"V{vector_bytes(dtype, width)}")
        return flat
    packed = np.empty(count, [("scale", SCALE), ("values", np.int8, (width,))])
    scale = np.abs(values).max(axis=1).astype(SCALE) / np.float32(STEPS)
    packed["scale"] = scale
    divisor = np.where(scale > 0, scale, np.float32(1))[:, None]
    packed["values"] = np.clip(np.rint(values / divisor), -STEPS, STEPS)
    raw: np.ndarray = packed.view(f"V{vector_bytes(dtype, width)}")
    return raw


def unpack(raw: np.ndarray, dtype: str, width: int, empty: Empty = np.empty) -> np.ndarray:
    """(n,) void of stored bytes -> (n, D) of ``table_dtype``; without a copy unless int8.

    Args:
        empty: gives the new array for int8.
    """
    if dtype != "int8":
        values: np.ndarray = raw.view(np.dtype(dtype).newbyteorder("<")).reshape(-1, width)
        return values
    packed = raw.view([("scale", SCALE), ("values", np.int8, (width,))])
    out = empty((len(raw), width), table_dtype(dtype))
    # In slices: the product passes through float32, which must not double the table's memory.
    for start in range(0, len(raw), 4096):
        part = packed[start : start + 4096]
        out[start : start + 4096] = part["scale"][:, None] * part["values"]
    return out
