"""The tables of a layout: cached vectors, and words counted on the spot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.tables import Features, FeatureTables, parse_layout
from features.vectors.table import POOLED
from features.words.counting import count_words
from pipeline.config import VectorConfig
from pipeline.encoding.vectors import Vectors, ensure_vectors, with_pooled


def make_tables(
    texts: Sequence[str],
    layout: str,
    config: VectorConfig,
    models: Sequence[EncoderModel],
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> tuple[FeatureTables, tuple[Vectors, ...]]:
    """Return the tables of texts, and their cached vectors by encoder, of which pooled ones
    are always there: near-duplicates are found by them.

    Args:
        texts: N texts.
        layout: such as ``pooled,words``.
        config: of the vectors.
        models: its encoders, in their order.
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        InputError: as ``ensure_vectors``.
    """
    name, words = parse_layout(layout)
    layouts = with_pooled(name or POOLED)
    vectors = tuple(
        ensure_vectors(texts, each, layouts, model=model, load=load)
        for each, model in zip(config.each, models, strict=True)
    )
    tables: list[Features] = [each.table(name) for each in vectors] if name else []
    if words:
        tables.append(count_words(texts))  # 2 to 6 million letters a second: not cached
    return FeatureTables(tuple(tables)), vectors
