"""A run that is served: it answers batches of texts, and keeps none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.errors import ManyheadsError
from features.probe.probe import prepare
from features.store.space import Space
from features.store.store import FeatureStore
from features.vectors.neighbors import unit
from features.vectors.table import POOLED, FeatureTable
from features.words.counting import count_words
from pipeline.console import print_note
from pipeline.encoding.direct_vectors import DirectVectors, encode_directly
from pipeline.prediction.predictions import rounded
from pipeline.prediction.predictor import Predictor
from pipeline.prediction.uncertainty import SURE, Uncertainty
from pipeline.runs.files.training_texts import Neighbor, training_vectors

Place = tuple[int, int]
"""A part, and which of its encoders."""


@dataclass(frozen=True, eq=False)
class TextAnswer:
    """What a run says of one text.

    Attributes:
        run: name of the run.
        label: the most probable label; None where the run is not sure enough.
        classes: C labels.
        probabilities: (C,) float32.
        truncated: whether the text is longer than the run sees.
        unusual: whether it is less like any training text than held-out texts were; None of a
            run that cannot tell.
        labels: its set of labels; None without sets.
        neighbors: the nearest training texts, if asked for.
    """

    run: str
    label: str | None
    classes: tuple[str, ...]
    probabilities: np.ndarray
    truncated: bool
    unusual: bool | None
    labels: tuple[str, ...] | None = None
    neighbors: tuple[Neighbor, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what the service answers."""
        shares = map(rounded, self.probabilities.tolist())
        near = self.neighbors
        return {
            "label": self.label,
            "confidence": rounded(float(self.probabilities.max())),
            "abstained": self.label is None,
            "probabilities": dict(zip(self.classes, shares, strict=True)),
            **({} if self.labels is None else {"labels": list(self.labels)}),
            "truncated": self.truncated,
            "unusual": self.unusual,
            **({} if near is None else {"neighbors": [asdict(each) for each in near]}),
            "run": self.run,
        }


class ServedModel:
    """A predictor with everything at hand that a batch needs.

    Args:
        predictor: the run.
        uncertainty: by which rules texts get no label, or several.
        keep_vectors: whether the vectors of served texts go to the cache.

    Raises:
        EncoderError: an encoder cannot be loaded, or gives other vectors than it should.
        CacheError: the cache cannot be used.

    Attributes:
        name: of the run.
        token_limit: tokens that the run sees of a text.
        explains: why the nearest training texts cannot be given; "" if they can.
    """

    def __init__(
        self,
        predictor: Predictor,
        uncertainty: Uncertainty = SURE,
        keep_vectors: bool = False,
    ) -> None:
        self.predictor, self.uncertainty = predictor, uncertainty
        self.keep_vectors = keep_vectors
        opened = predictor.opened
        self.name = opened.folder.name
        self.token_limit = max(part.limit for part in opened.parts)
        self._first = opened.order[0]
        FeatureStore(predictor.cache).prepare()
        self._spaces: dict[Place, tuple[Space, ...]] = {}
        self._encoders: dict[Place, Encoder] = {}
        self.explains = ""
        for index, part in enumerate(opened.parts):
            for number in range(len(part.sources)) if part.reads_vectors else ():
                self._load((index, number))
        try:
            if (self._first, 0) not in self._encoders:  # neighbours are found by vectors
                self._load((self._first, 0))
            self._base = self._unit_vectors()
        except ManyheadsError as error:
            self.explains = str(error)

    def _load(self, place: Place) -> None:
        """Load an encoder of a part, and check it as a filled cache would."""
        index, number = place
        encoder = self.predictor.load_encoder(self.predictor.model(index, number))
        spaces = self.predictor.spaces(index, True, number)
        prepare(encoder, spaces, print_note)
        self._spaces[place], self._encoders[place] = spaces, encoder

    @property
    def models(self) -> list[EncoderModel]:
        """Return the encoders that are loaded."""
        return [self.predictor.model(*place) for place in self._encoders]

    def answer(self, texts: Sequence[str], explain: Sequence[int]) -> list[TextAnswer]:
        """Return an answer per text.

        Args:
            texts: N texts, none empty.
            explain: how many of the nearest training texts each gets; 0: none.

        Raises:
            ManyheadsError: a text cannot be encoded.
        """
        opened = self.predictor.opened
        parts = opened.parts
        probabilities: dict[int, np.ndarray] = {}
        words = count_words(texts) if any(part.reads_words for part in parts) else None
        truncated = np.zeros(len(texts), bool)
        pooled: FeatureTable | None = None
        for index in opened.order:
            explained = index == self._first and any(explain)
            if not (parts[index].reads_vectors or explained):
                probabilities[index] = self.predictor.probabilities(index, (), words)
                continue
            sources = parts[index].sources
            encoded = [
                self._vectors((index, number), texts, explained)
                for number in range(len(sources))
            ]
            tables = [
                each.tables[source.spec.layout]
                for each, source in zip(encoded, sources, strict=True)
            ]
            probabilities[index] = self.predictor.probabilities(index, tables, words)
            if parts[index].reads_vectors:
                most = parts[index].head.module.max_vectors
                for vectors, table in zip(encoded, tables, strict=True):
                    truncated |= vectors.truncated
                    if most:
                        truncated |= table.lengths > most
            if index == self._first:
                pooled = encoded[0].tables.get(POOLED)
        merged = opened.merged([probabilities[index] for index in range(len(parts))])
        reference = self.predictor.reference
        unusual: np.ndarray | None = None
        if reference is not None and pooled is not None:
            unusual = reference.unusual(pooled.values)
        near: list[tuple[Neighbor, ...] | None] = [None] * len(texts)
        for i, count in enumerate(explain):
            if count and pooled is not None:
                near[i] = self._neighbors(pooled.values[i], count)
        labels = [opened.labels[i] for i in merged.argmax(axis=1).tolist()]
        none = self.uncertainty.abstained(merged)
        sets = self.uncertainty.label_sets(merged, opened.labels)
        return [
            TextAnswer(
                self.name,
                None if none is not None and none[i] else labels[i],
                opened.labels,
                merged[i],
                bool(truncated[i]),
                None if unusual is None else bool(unusual[i]),
                sets[i] if sets else None,
                near[i],
            )
            for i in range(len(texts))
        ]

    def _vectors(self, place: Place, texts: Sequence[str], explained: bool) -> DirectVectors:
        """The vectors of texts that a part takes, and pooled ones where that costs nothing."""
        index, number = place
        if self.keep_vectors:
            found = self.predictor.vectors(index, texts, explained, number)
            names = [space.spec.layout for space in found.spaces]
            return DirectVectors({name: found.table(name) for name in names}, found.truncated)
        layouts = self.predictor.layouts(index, explained, number)
        specs = [space.spec for space in self._spaces[place] if space.spec.layout in layouts]
        return encode_directly(self._encoders[place], texts, specs)

    def _unit_vectors(self) -> np.ndarray:
        """(n, D) unit vectors of the training texts."""
        space: Space = next(
            space for space in self._spaces[self._first, 0] if space.spec.layout == POOLED
        )
        return unit(training_vectors(self.predictor.training, space))

    def _neighbors(self, vector: np.ndarray, count: int) -> tuple[Neighbor, ...]:
        """The training texts nearest to a pooled vector, nearest first."""
        similarity = self._base @ unit(vector[None])[0]
        count = min(count, len(similarity))
        best = np.argpartition(-similarity, count - 1)[:count]
        best = best[np.argsort(-similarity[best], kind="stable")]
        own = self.predictor.training
        return tuple(
            Neighbor(own.rows[i], own.texts[i], own.labels[i], round(float(similarity[i]), 4))
            for i in best.tolist()
        )
