"""Neighbours as explanation: the training texts nearest to a text, with their labels.

A run folder keeps the key, label and beginning of every training text; the vectors come
from the feature store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrow import column
from features.corpus.corpus import Corpus
from features.errors import CacheError
from features.store.space import Space
from features.text.keys import text_keys
from features.vectors.neighbors import nearest, unit
from pipeline.runs.files.arrow import numbers, strings
from pipeline.runs.files.tables import read_table, with_schema

TRAINING = "training.parquet"

LONGEST_TEXT = 300
"""Characters of a training text that a run keeps."""

SCHEMA = pa.schema(
    {"row": pa.int64(), "text": pa.string(), "label": pa.string(), "key": pa.binary(16)}
)
REMEDY = "train the run again"


@dataclass(frozen=True)
class Neighbor:
    """A training text near to another text.

    Attributes:
        row: its data row in the file trained on, from 1.
        text: its beginning.
        label: its label.
        similarity: cosine of the two pooled vectors, in [-1, 1].
    """

    row: int
    text: str
    label: str
    similarity: float


@dataclass(frozen=True, eq=False)
class TrainingTexts:
    """The n texts that a run was trained on: data rows, beginnings, labels, ``S16`` keys."""

    rows: Sequence[int]
    texts: Sequence[str]
    labels: Sequence[str]
    keys: np.ndarray

    @classmethod
    def of(cls, corpus: Corpus, train: np.ndarray) -> TrainingTexts:
        """Return the texts of a corpus at some positions."""
        labels = corpus.labels or ()
        rows = train.tolist()
        return cls(
            [corpus.rows[i] for i in rows],
            [corpus.texts[i][:LONGEST_TEXT] for i in rows],
            [labels[i] for i in rows],
            text_keys(corpus.texts[i] for i in rows),
        )

    def neighbors(
        self, queries: np.ndarray, vectors: np.ndarray, k: int
    ) -> list[tuple[Neighbor, ...]]:
        """Return the ``k`` training texts nearest to each query, nearest first.

        Args:
            queries: (Q, D) pooled vectors.
            vectors: (n, D) pooled vectors of the training texts, in their order.
        """
        if len(queries) == 0:
            return []
        similarity, found = nearest(unit(queries), unit(vectors), k)
        return [
            tuple(
                Neighbor(self.rows[i], self.texts[i], self.labels[i], round(float(s), 4))
                for i, s in zip(indices.tolist(), values.tolist(), strict=True)
            )
            for indices, values in zip(found, similarity, strict=True)
        ]


def write_training(path: Path, training: TrainingTexts) -> None:
    """Write the training texts of a run as Parquet."""
    columns = [
        numbers(np.array(training.rows, np.int64)),
        strings(training.texts),
        strings(training.labels),
        column(training.keys.astype("S16")),
    ]
    pq.write_table(pa.table(columns, schema=SCHEMA), path)


def read_training(path: Path) -> TrainingTexts:
    """Return the training texts of a run. Raises ``DamagedFileError`` if it has none."""
    table = with_schema(path, read_table(path, REMEDY), SCHEMA, REMEDY)
    rows, texts, labels = (table.column(name).to_pylist() for name in ("row", "text", "label"))
    return TrainingTexts(rows, texts, labels, np.array(table.column("key").to_pylist(), "S16"))


def training_vectors(training: TrainingTexts, space: Space) -> np.ndarray:
    """Return (n, D) pooled vectors of the training texts, from the store.

    Raises:
        CacheError: the store lacks some.
    """
    lacking = int(space.missing(training.keys).sum())
    if lacking:
        raise CacheError(
            f"{space.folder} lacks {lacking:,} of {len(training.keys):,} training texts; pass "
            "the cache that the run was trained with as --cache, or encode its data again "
            "with: manyheads features"
        )
    return space.table(training.keys).values
