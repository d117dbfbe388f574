"""What all trials of a study share: texts, split, and the vectors of each encoder, read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import cached_duplicates
from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.splits.split import Split
from features.vectors.table import POOLED, FeatureTable
from pipeline.config import DataConfig, VectorConfig
from pipeline.encoding.vectors import Vectors, ensure_vectors
from pipeline.search.candidate import Candidate
from pipeline.search.space import Arm
from pipeline.training.partition import split_corpus

Place = tuple[str, str | None]
"""Encoder and layers."""


@dataclass(eq=False)
class Materials:
    """What the trials of one process read.

    Attributes:
        config: of the vectors; each candidate says which encoder and layers.
        corpus: the labelled texts.
        split: the same for all encoders.
        models: the encoders, by name.
        vectors: the cached vectors, by encoder and layers.
        tables: those that a trial has read, by encoder, layers and layout.
    """

    config: VectorConfig
    corpus: Corpus
    split: Split
    models: dict[str, EncoderModel]
    vectors: dict[Place, Vectors]
    tables: dict[tuple[Place, str], FeatureTable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.labels = self.split.label_ids(self.corpus.labels or ())

    @property
    def truth(self) -> np.ndarray:
        """Return (n,) int64: the class ids of the validation texts."""
        ids: np.ndarray = self.labels[self.split.validation]
        return ids

    def table(self, candidate: Candidate) -> FeatureTable:
        """Return the vectors that a candidate is trained on."""
        place = candidate.encoder, candidate.layers
        key = place, candidate.layout
        if key not in self.tables:
            self.tables[key] = self.vectors[place].table(candidate.layout)
        return self.tables[key]


def gather(
    corpus: Corpus,
    data: DataConfig,
    config: VectorConfig,
    models: dict[str, EncoderModel],
    arms: Sequence[Arm],
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> Materials:
    """Cache the vectors of every arm, and split the texts.

    Near-duplicates are found by the vectors of the first encoder.

    Raises:
        InputError, BadVectorError: as ``ensure_vectors``.
        SplitError: near-duplicates and groups leave too little to split.
    """
    layouts: dict[Place, list[str]] = {}
    for arm in arms:
        own = layouts.setdefault((arm.encoder, arm.layers), [POOLED])
        if arm.layout not in own:
            own.append(arm.layout)
    vectors = {
        (name, layers): ensure_vectors(
            corpus.texts,
            replace(config, encoder=name, layers=layers),
            wanted,
            model=models[name],
            load=load,
        )
        for (name, layers), wanted in layouts.items()
    }
    place, first = next(iter(vectors.items()))
    pooled = first.table(POOLED)
    duplicates = cached_duplicates(config.cache, corpus.texts, pooled.values)
    split = split_corpus(corpus, data, duplicates)
    return Materials(config, corpus, split, models, vectors, {(place, POOLED): pooled})
