"""Which words decided: each is left out of what the heads read, and they are asked again.

    tokens   a text without the vectors of the word's tokens
    pooled   the mean, or the maximum, of the other tokens' last hidden states
    words    a text counted again without the word; a head over words alone has exact weights

No text passes through the encoder again, so what the encoder saw of a word while it made the
vectors of the others stays in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.token_spans import TokenSpans
from features.errors import SettingError
from features.text.spans import Span, at_most, merged_spans, word_spans
from features.vectors.ragged import slices_by_size
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES, FeatureTable
from features.words.counting import count_words
from features.words.places import find_places
from features.words.table import WordTable
from pipeline.models.opening import OpenedModel
from pipeline.prediction.explain import LOGIT, PROBABILITY, WordWeights
from pipeline.runs.files.explained_word import ExplainedWord

MOST_WORDS = 256
"""Words of a text that are weighed one by one; of a longer one, neighbours are joined."""

MOST_VECTORS = 1 << 16
"""Vectors that stand in memory at once, about."""

POOLINGS = ("mean", "max")
"""Poolings whose vector can be made again without some of the tokens."""


Place = tuple[int, int]
"""A part of a model, and one of the sources of its vectors, each from 0."""

Probabilities = Callable[[int, Sequence[FeatureTable], WordTable | None], np.ndarray]
"""Gives (N, C) probabilities of a part of a model from what it reads."""


def words_refusal(opened: OpenedModel) -> str:
    """Return why a model cannot tell which words decided; "" if it can."""
    for part in opened.parts:
        if not part.reads_vectors:
            continue
        specs = [source.spec for source in part.sources]
        odd = [s.pooling for s in specs if s.layout == POOLED and s.pooling not in POOLINGS]
        if specs[0].layout == SENTENCES:
            how = "has one vector per sentence"
        elif odd:
            how = f"has one vector per text, made by the pooling {odd[0]!r}"
        else:
            continue
        return (
            f"the run {how}, from which no single word can be taken; train a head over tokens "
            "(--layout tokens) or words (--layout words)"
        )
    return ""


@dataclass(frozen=True, eq=False)
class WordExplainer:
    """Weighs the words of texts for one model.

    Attributes:
        opened: the model.
        encoders: of each part that reads vectors, by source.
        probabilities: asks the heads.
    """

    opened: OpenedModel
    encoders: Mapping[Place, EncoderModel]
    probabilities: Probabilities

    @cached_property
    def _spans(self) -> dict[Place, TokenSpans]:
        """Raises ``EncoderError``."""
        loaded = {model: TokenSpans(model) for model in set(self.encoders.values())}
        return {place: loaded[model] for place, model in self.encoders.items()}

    def load(self) -> None:
        """Load the tokenizers. Raises ``EncoderError``."""
        _ = self._spans

    def weigh(
        self, texts: Sequence[str], labels: np.ndarray, tokens: Mapping[Place, FeatureTable]
    ) -> WordWeights:
        """Return the words of texts with their part in the label.

        Args:
            texts: N texts.
            labels: (N,) int64, the class of each that is to be explained.
            tokens: token vectors of the texts, by source; the last hidden states where pooled
                ones are read.

        Raises:
            SettingError: the model cannot tell.
            EncoderError: its tokenizer cannot.
        """
        if refusal := words_refusal(self.opened):
            raise SettingError(f"--explain words: {refusal}")
        only = self.opened.parts[0]
        if not only.reads_vectors and len(self.opened.parts) == 1:
            pairs = zip(texts, labels.tolist(), strict=True)
            return WordWeights(tuple(self._exact(*pair) for pair in pairs), LOGIT)
        places = {
            place: spans.of(texts, self._spec(place).prompt, tokens[place].lengths)
            for place, spans in self._spans.items()
        }
        asked = [
            _Occlusion.of(
                text,
                {place: tokens[place].sequence(row) for place in places},
                {place: own[row] for place, own in places.items()},
                any(part.reads_words for part in self.opened.parts),
            )
            for row, text in enumerate(texts)
        ]
        found: list[tuple[ExplainedWord, ...]] = []
        sizes = np.array([each.size for each in asked], np.int64)
        for some in slices_by_size(sizes, len(asked), MOST_VECTORS):
            found += self._weighed(asked[some], labels[some])
        return WordWeights(tuple(found), PROBABILITY)

    def _weighed(
        self, asked: Sequence[_Occlusion], labels: np.ndarray
    ) -> list[tuple[ExplainedWord, ...]]:
        """Return the words of some texts: all their variants are labelled together."""
        every = []
        variants = [text for each in asked for text in each.texts]
        for index, own in enumerate(self.opened.parts):
            words = count_words(variants) if own.reads_words else None
            places = [place for place in self.encoders if place[0] == index]
            tables = [self._table(place, asked) for place in sorted(places)]
            every.append(self.probabilities(index, tables, words))
        merged = self.opened.merged(every)
        found, start = [], 0
        for each, label in zip(asked, labels.tolist(), strict=True):
            shares = merged[start : start + len(each.texts), label]
            found.append(_words(each.text, each.spans, shares[0] - shares[1:]))
            start += len(each.texts)
        return found

    def _spec(self, place: Place) -> FeatureSpec:
        """The spec of the vectors that a part reads of a source."""
        return self.opened.parts[place[0]].sources[place[1]].spec

    def _table(self, place: Place, asked: Sequence[_Occlusion]) -> FeatureTable:
        """What a part reads of a source, of all variants of some texts."""
        spec = self._spec(place)
        sequences = [one for each in asked for one in each.vectors(place, spec)]
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in sequences])])
        return FeatureTable(np.concatenate(sequences), offsets.astype(np.int64), spec.layout)

    def _exact(self, text: str, label: int) -> tuple[ExplainedWord, ...]:
        """Return the words of a text with their exact weights in a head over words alone."""
        head = self.opened.parts[0].head
        assert head.words is not None
        table, places = count_words([text]), find_places(text)
        ids, logits = head.words.contributions(table, 0)
        own = (logits[:, label] - logits.mean(axis=1)) / head.temperature
        each = np.zeros(len(table.ids))
        each[np.searchsorted(table.ids, ids)] = own
        each /= np.maximum(table.counts, 1)
        weights = each[np.searchsorted(table.ids, places.ids)]
        letters = np.concatenate([[0], np.cumsum(places.shared(weights, len(text)))])
        spans = at_most(word_spans(text), MOST_WORDS)
        sums = np.array([letters[end] - letters[start] for start, end in spans])
        return _words(text, spans, sums)


@dataclass(frozen=True, eq=False)
class _Occlusion:
    """The variants of one text: as it is, and without each of its words.

    Attributes:
        text: the text.
        spans: its m words.
        sequences: (T, D) token vectors, by source.
        kept: (m, T) bool, by source: which of them stay without each word.
    """

    text: str
    spans: list[Span]
    sequences: Mapping[Place, np.ndarray]
    kept: Mapping[Place, np.ndarray]

    @classmethod
    def of(
        cls,
        text: str,
        sequences: Mapping[Place, np.ndarray],
        places: Mapping[Place, np.ndarray | None],
        counted: bool,
    ) -> _Occlusion:
        """Return the variants of a text.

        Args:
            places: (T, 2) spans of the tokens, by source; None where they cannot be told.
            counted: whether the words of the text are read, also those that no token covers.
        """
        known = {place: own for place, own in places.items() if own is not None}
        if len(known) < len(places):
            none = {place: np.ones((0, len(own)), bool) for place, own in sequences.items()}
            return cls(text, [], sequences, none)
        spans = word_spans(text)
        for own in known.values():
            spans = merged_spans(spans, [(a, b) for a, b in own.tolist() if a < b])
        if not counted:
            ends = max((int(own[:, 1].max()) for own in known.values()), default=0)
            spans = [span for span in spans if span[0] < ends]
        longest = max((len(sequence) for sequence in sequences.values()), default=1)
        spans = at_most(spans, max(1, min(MOST_WORDS, MOST_VECTORS // longest)))
        kept = {place: _kept(own, spans) for place, own in known.items()}
        left = np.array(
            [all(own[word].any() for own in kept.values()) for word in range(len(spans))], bool
        )
        spans = [span for span, some in zip(spans, left.tolist(), strict=True) if some]
        return cls(text, spans, sequences, {place: own[left] for place, own in kept.items()})

    @property
    def size(self) -> int:
        """Vectors of all variants."""
        longest = max((len(sequence) for sequence in self.sequences.values()), default=1)
        return longest * (1 + len(self.spans))

    @property
    def texts(self) -> list[str]:
        """The text, and the text without each word."""
        cut = [f"{self.text[:start]} {self.text[end:]}" for start, end in self.spans]
        return [self.text, *cut]

    def vectors(self, place: Place, spec: FeatureSpec) -> list[np.ndarray]:
        """Return what a part reads of a source, of each variant, (t, D) each."""
        sequence, kept = self.sequences[place], self.kept[place]
        if spec.layout != POOLED:
            return [sequence, *(sequence[own] for own in kept)]
        whole = np.concatenate([np.ones((1, len(sequence)), bool), kept])
        wide = sequence.astype(np.float32)
        if spec.pooling == "mean":
            pooled = (whole @ wide) / whole.sum(axis=1, keepdims=True)
        else:
            pooled = np.stack([wide[own].max(axis=0) for own in whole])
        if spec.normalize:
            pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        return [*pooled.astype(sequence.dtype)[:, None]]


def _kept(places: np.ndarray, spans: Sequence[Span]) -> np.ndarray:
    """Return (m, T) bool: which tokens do not touch each word."""
    words = np.array(spans, np.int64).reshape(-1, 2)
    starts, ends = places[None, :, 0], places[None, :, 1]
    touching = (starts < words[:, 1:]) & (ends > words[:, :1])
    kept: np.ndarray = ~touching
    return kept


def _words(text: str, spans: Sequence[Span], weights: np.ndarray) -> tuple[ExplainedWord, ...]:
    """Return the words of a text with their weights, to six digits."""
    return tuple(
        ExplainedWord(text[start:end], start, end, round(float(weight), 6))
        for (start, end), weight in zip(spans, weights, strict=True)
    )
