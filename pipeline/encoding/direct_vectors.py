"""Vectors that are not cached: texts to tables in memory, as the store would give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.encoders.protocol import Encoder
from features.encoding.bad_vectors import sound_texts
from features.errors import BadVectorError
from features.vectors.precision import pack, unpack
from features.vectors.spec import FeatureSpec
from features.vectors.table import SENTENCES, FeatureTable


@dataclass(frozen=True, eq=False)
class DirectVectors:
    """The vectors of N texts in some layouts.

    Attributes:
        tables: by layout.
        truncated: (N,) bool, texts longer than the encoder sees.
    """

    tables: Mapping[str, FeatureTable]
    truncated: np.ndarray


def encode_directly(
    encoder: Encoder, texts: Sequence[str], specs: Sequence[FeatureSpec]
) -> DirectVectors:
    """Encode texts without a store. The vectors are rounded as those that are stored.

    Args:
        encoder: one that ``probe.prepare`` has set up for these specs.
        texts: N texts, N at least 1.
        specs: one per layout; they share precision and prompt.

    Raises:
        BadVectorError: a vector that must not be used: NaN, infinite or all zero.
        DeviceMemoryError: a text does not fit in memory.
    """
    tables = {}
    truncated = np.zeros(len(texts), bool)
    blocks = encoder.encode(texts, specs, lambda count, tokens: None)
    for spec, block in zip(specs, blocks, strict=True):
        if not sound_texts(block, spec).all():
            raise BadVectorError(
                "the encoder gave no usable vector for a text; leave that text out"
            )
        values = unpack(pack(block.values, spec.dtype), spec.dtype, block.values.shape[1])
        offsets = np.concatenate([[0], np.cumsum(block.lengths, dtype=np.int64)])
        tables[spec.layout] = FeatureTable(values, offsets, spec.layout)
        if SENTENCES not in {each.layout for each in specs}:
            truncated |= block.tokens > spec.limit
    return DirectVectors(tables, truncated)
