"""Encodes with the counting encoder into a cache; a test kills it, or runs two of it.

python -m tests.support.drivers.s3_driver CACHE
"""

from __future__ import annotations

import sys

from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.store.store import FeatureStore
from tests.support.encoders import CountingEncoder, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(24)]
SPECS = [spec("pooled"), spec("tokens")]
UNIT_TEXTS = 4


def fill(root: str) -> CountingEncoder:
    """Encode what is missing, a few texts a shard."""
    encoder = CountingEncoder()
    spaces = [FeatureStore(root).space(one, "fake") for one in SPECS]
    plan = plan_encoding(TEXTS, spaces)
    encode(plan, TEXTS, spaces, lambda: encoder, unit_texts=UNIT_TEXTS)
    return encoder


if __name__ == "__main__":
    fill(sys.argv[1])
