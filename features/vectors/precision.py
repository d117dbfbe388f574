"""Stored precision: packing a vector of D numbers into bytes, and unpacking it.

    float32   D x 4 bytes, little-endian
    float16   D x 2 bytes, little-endian
    int8      a float32 scale, then D signed bytes: value = scale x byte

With int8 the scale is the vector's largest absolute value / 127, so the error of a value is at
most half the scale.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MIN_COSINE = {"float32": 0.9999, "bfloat16": 0.999}
"""Minimum cosine of two encodings of one text, by the precision of the matrix products.

Rounding depends on the batch and the back end. Measured with the embedded encoder, float32
stays above 0.99999 and bfloat16 above 0.9999. The vectors of another text, token or model give
far less.
"""


MIN_COSINE_INT8 = 0.99
"""Minimum cosine for int8, whose rounding alone gives 0.9988 for single tokens (measured)."""


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
"""Stored type -> largest absolute value that it can represent."""


def vector_bytes(dtype: str, width: int) -> int:
    """Return the stored size of one vector of ``width`` numbers, in bytes."""
    if dtype == "int8":
        return SCALE.itemsize + width
    return width * np.dtype(dtype).itemsize


def encoder_dtype(dtype: str) -> str:
    """Return the NumPy type that an encoder returns for vectors to be stored as ``dtype``."""
    return "float32" if dtype == "int8" else dtype


def table_dtype(dtype: str) -> str:
    """Return the NumPy type in which vectors stored as ``dtype`` are read."""
    return "float16" if dtype == "int8" else dtype


def pack(values: np.ndarray, dtype: str) -> np.ndarray:
    """Pack (n, D) numbers into (n,) void, each item the stored bytes of one vector."""
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
    """Unpack (n,) void of stored bytes into (n, D) numbers of ``table_dtype``.

    Args:
        empty: allocates the new array for int8; other types are not copied.
    """
    if dtype != "int8":
        values: np.ndarray = raw.view(np.dtype(dtype).newbyteorder("<")).reshape(-1, width)
        return values
    packed = raw.view([("scale", SCALE), ("values", np.int8, (width,))])
    out = empty((len(raw), width), table_dtype(dtype))
    # In slices: the product is float32 for a moment, which would need twice the memory.
    for start in range(0, len(raw), 4096):
        part = packed[start : start + 4096]
        out[start : start + 4096] = part["scale"][:, None] * part["values"]
    return out
