"""A run that is served: it answers batches of texts, and keeps none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.errors import ManyheadsError
from features.probe.probe import prepare
from features.store.space import Space
from features.store.store import FeatureStore
from features.vectors.neighbors import unit as as_unit
from features.vectors.table import POOLED, TOKENS, FeatureTable
from features.words.counting import count_words
from pipeline.console import print_note
from pipeline.encoding.direct_vectors import DirectVectors, encode_directly
from pipeline.models.hub import shown_name
from pipeline.prediction.explain import Explain
from pipeline.prediction.predictions import rounded
from pipeline.prediction.predictor import Predictor
from pipeline.prediction.uncertainty import SURE, Uncertainty
from pipeline.prediction.word_weights import Place, words_refusal
from pipeline.runs.files.explained_word import ExplainedWord
from pipeline.runs.files.training_texts import Neighbor, training_vectors


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
        words: its words with their part in the label, if asked for.
        unit: of their weights.
    """

    run: str
    label: str | None
    classes: tuple[str, ...]
    probabilities: np.ndarray
    truncated: bool = False
    unusual: bool | None = None
    labels: tuple[str, ...] | None = None
    neighbors: tuple[Neighbor, ...] | None = None
    words: tuple[ExplainedWord, ...] | None = None
    unit: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what the service answers."""
        shares = [rounded(each) for each in self.probabilities.tolist()]
        near, words = self.neighbors, self.words
        told = {} if words is None else {"words": [asdict(each) for each in words]}
        return {
            "label": self.label,
            "confidence": max(shares),
            "abstained": self.label is None,
            "probabilities": dict(zip(self.classes, shares, strict=True)),
            **({} if self.labels is None else {"labels": list(self.labels)}),
            "truncated": self.truncated,
            "unusual": self.unusual,
            **({} if near is None else {"neighbors": [asdict(each) for each in near]}),
            **({**told, "word_weights": self.unit} if told else {}),
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
        no_neighbors: why the nearest training texts cannot be given; "" if they can.
        no_words: why words cannot be weighed; "" if they can.
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
        self.name = shown_name(opened.folder)
        self.token_limit = max(part.limit for part in opened.parts)
        self._first = opened.order[0]
        FeatureStore(predictor.cache).prepare()
        self._spaces: dict[Place, tuple[Space, ...]] = {}
        self._encoders: dict[Place, Encoder] = {}
        self.no_neighbors, self.no_words = "", words_refusal(opened)
        for index, part in enumerate(opened.parts):
            for number in range(len(part.sources)) if part.reads_vectors else ():
                self._load((index, number))
        try:
            if (self._first, 0) not in self._encoders:  # neighbours are found by vectors
                self._load((self._first, 0))
            self._base = self._unit_vectors()
        except ManyheadsError as error:
            self.no_neighbors = str(error)
        if not self.no_words:
            try:
                predictor.words.load()
            except ManyheadsError as error:
                self.no_words = str(error)

    def _load(self, place: Place) -> None:
        """Load an encoder of a part, and check it as a filled cache would."""
        index, number = place
        encoder = self.predictor.load_encoder(self.predictor.model(index, number))
        weighs = not self.no_words and self.predictor.opened.parts[index].reads_vectors
        spaces = self.predictor.spaces(index, True, number, weighs)
        prepare(encoder, spaces, print_note)
        self._spaces[place], self._encoders[place] = spaces, encoder

    @property
    def models(self) -> list[EncoderModel]:
        """Return the encoders that are loaded."""
        return [self.predictor.model(*place) for place in self._encoders]

    def answer(self, texts: Sequence[str], explain: Sequence[Explain]) -> list[TextAnswer]:
        """Return an answer per text.

        Args:
            texts: N texts, none empty.
            explain: what else each gets; what the run cannot give is left out.

        Raises:
            ManyheadsError: a text cannot be encoded.
        """
        opened = self.predictor.opened
        parts = opened.parts
        asked = [
            Explain(
                0 if self.no_neighbors else each.neighbors, each.words and not self.no_words
            )
            for each in explain
        ]
        weighed = [i for i, each in enumerate(asked) if each.words]
        probabilities: dict[int, np.ndarray] = {}
        words = count_words(texts) if any(part.reads_words for part in parts) else None
        truncated = np.zeros(len(texts), bool)
        pooled: FeatureTable | None = None
        tokens: dict[Place, FeatureTable] = {}
        for index in opened.order:
            explained = index == self._first and any(each.neighbors for each in asked)
            if not (parts[index].reads_vectors or explained):
                probabilities[index] = self.predictor.probabilities(index, (), words)
                continue
            sources = parts[index].sources
            encoded = [
                self._vectors((index, number), texts, explained, bool(weighed))
                for number in range(len(sources))
            ]
            tables = [
                each.tables[source.spec.layout]
                for each, source in zip(encoded, sources, strict=True)
            ]
            probabilities[index] = self.predictor.probabilities(index, tables, words)
            if parts[index].reads_vectors:
                truncated |= self._truncated(index, encoded, tables)
                if weighed:
                    for number, each in enumerate(encoded):
                        tokens[index, number] = each.tables[TOKENS]
            if index == self._first:
                pooled = encoded[0].tables.get(POOLED)
        merged = opened.merged([probabilities[index] for index in range(len(parts))])
        told = self._weighed(texts, weighed, merged, tokens)
        return [
            replace(each, neighbors=near, truncated=bool(cut), unusual=odd, **told.get(i, {}))
            for i, (each, near, cut, odd) in enumerate(
                zip(
                    self._labelled(merged),
                    self._near(pooled, asked),
                    truncated,
                    self._unusual(pooled, len(texts)),
                    strict=True,
                )
            )
        ]

    def _truncated(
        self,
        index: int,
        encoded: Sequence[DirectVectors],
        tables: Sequence[FeatureTable],
    ) -> np.ndarray:
        """(n,) bool: which texts are longer than a part sees."""
        most = self.predictor.opened.parts[index].head.module.max_vectors
        cut = np.zeros(len(tables[0]), bool)
        for vectors, table in zip(encoded, tables, strict=True):
            cut |= vectors.truncated
            if most:
                cut |= table.lengths > most
        return cut

    def _labelled(self, probabilities: np.ndarray) -> list[TextAnswer]:
        """Return answers with nothing but what follows from (N, C) probabilities."""
        labels = self.predictor.opened.labels
        none = self.uncertainty.abstained(probabilities)
        sets = self.uncertainty.label_sets(probabilities, labels)
        return [
            TextAnswer(
                self.name,
                None if none is not None and none[i] else labels[best],
                labels,
                probabilities[i],
                labels=sets[i] if sets else None,
            )
            for i, best in enumerate(probabilities.argmax(axis=1).tolist())
        ]

    def _unusual(self, pooled: FeatureTable | None, count: int) -> list[bool | None]:
        """Whether each text is less like any training text than held-out texts were."""
        reference = self.predictor.reference
        if reference is None or pooled is None:
            return [None] * count
        found: list[bool | None] = reference.unusual(pooled.values).tolist()
        return found

    def _near(
        self, pooled: FeatureTable | None, asked: Sequence[Explain]
    ) -> list[tuple[Neighbor, ...] | None]:
        """The nearest training texts of those that asked for them."""
        return [
            self._neighbors(pooled.values[i], each.neighbors)
            if each.neighbors and pooled is not None
            else None
            for i, each in enumerate(asked)
        ]

    def _weighed(
        self,
        texts: Sequence[str],
        chosen: Sequence[int],
        probabilities: np.ndarray,
        tokens: Mapping[Place, FeatureTable],
    ) -> dict[int, dict[str, Any]]:
        """The words of some texts, as keywords of their answers."""
        if not chosen:
            return {}
        rows = np.array(chosen)
        own = {place: _rows(table, rows) for place, table in tokens.items()}
        best = probabilities[rows].argmax(axis=1)
        found = self.predictor.words.weigh([texts[i] for i in chosen], best, own)
        pairs = zip(chosen, found.texts, strict=True)
        return {i: {"words": words, "unit": found.unit} for i, words in pairs}

    def _vectors(
        self, place: Place, texts: Sequence[str], explained: bool, words: bool
    ) -> DirectVectors:
        """The vectors of texts that a part takes, and pooled ones where that costs nothing."""
        index, number = place
        if self.keep_vectors:
            found = self.predictor.vectors(index, texts, explained, number, words)
            names = [space.spec.layout for space in found.spaces]
            return DirectVectors({name: found.table(name) for name in names}, found.truncated)
        layouts = self.predictor.layouts(index, explained, number, words)
        specs = [space.spec for space in self._spaces[place] if space.spec.layout in layouts]
        return encode_directly(self._encoders[place], texts, specs)

    def _unit_vectors(self) -> np.ndarray:
        """(n, D) unit vectors of the training texts."""
        space: Space = next(
            space for space in self._spaces[self._first, 0] if space.spec.layout == POOLED
        )
        return as_unit(training_vectors(self.predictor.training, space))

    def _neighbors(self, vector: np.ndarray, count: int) -> tuple[Neighbor, ...]:
        """The training texts nearest to a pooled vector, nearest first."""
        similarity = self._base @ as_unit(vector[None])[0]
        count = min(count, len(similarity))
        best = np.argpartition(-similarity, count - 1)[:count]
        best = best[np.argsort(-similarity[best], kind="stable")]
        own = self.predictor.training
        return tuple(
            Neighbor(own.rows[i], own.texts[i], own.labels[i], round(float(similarity[i]), 4))
            for i in best.tolist()
        )


def _rows(table: FeatureTable, rows: np.ndarray) -> FeatureTable:
    """Return the table of some of its texts."""
    chosen = table[rows]
    assert isinstance(chosen, FeatureTable)
    return chosen
