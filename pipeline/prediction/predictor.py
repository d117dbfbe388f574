"""Prediction: a trained run labels texts, through the same cache as training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.options import VectorOptions
from features.encoders.protocol import Encoder
from features.errors import CacheError, SettingError
from features.storage.location import Location
from features.store.space import Space
from features.tables import FeatureTables
from features.vectors.table import POOLED, SENTENCES, TOKENS, FeatureTable
from features.words.counting import count_words
from features.words.table import WordTable
from heads.device import AUTO, find_device
from heads.registry import device_of
from pipeline.config import VectorConfig
from pipeline.console import print_note
from pipeline.encoding.vectors import (
    Vectors,
    ensure_vectors,
    load_encoder,
    open_spaces,
    with_pooled,
)
from pipeline.models.opening import OpenedModel, open_model
from pipeline.prediction.encoder_check import check_encoder
from pipeline.prediction.encoders import LoadedOnce, find_encoders, find_recorded
from pipeline.prediction.explain import NOTHING, Explain, WordWeights
from pipeline.prediction.languages import learned_languages, unlearned_language
from pipeline.prediction.predictions import Predictions
from pipeline.prediction.provenance import Provenance
from pipeline.prediction.uncertainty import SURE, Uncertainty
from pipeline.prediction.word_weights import Place, WordExplainer, words_refusal
from pipeline.runs.files.training_texts import (
    TRAINING,
    Neighbor,
    TrainingTexts,
    read_training,
    training_vectors,
)
from pipeline.runs.reference import REFERENCE, Reference, read_reference


@dataclass(eq=False)
class _Reading:
    """What the parts of a model find in N texts, filled part by part."""

    probabilities: np.ndarray
    truncated: np.ndarray
    neighbors: Sequence[tuple[Neighbor, ...]] = ()
    tokens: dict[Place, FeatureTable] = field(default_factory=dict)
    unusual: np.ndarray | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Predictor:
    """A run that was opened once and labels texts as often as wanted.

    The heads are read and the encoders found, hashed and checked in :meth:`load`; an encoder
    is loaded when it is first needed and stays in memory.

    Attributes:
        opened: the heads.
        encoders: by head, the encoder of each of its sources; none of one that reads words
            alone.
        cache: the feature store; new texts are added to it.
        memory: GB that the vectors of one call may take; None: half of what is available.
        provenance: what the run was trained on, and when.
        reference: what its training texts look like; None of a run that does not say.
        load_encoder: gives an encoder when texts are missing from the store.
        device: what the heads predict on, as ``ExperimentConfig.device``.
    """

    opened: OpenedModel
    encoders: tuple[tuple[EncoderModel, ...], ...]
    cache: Location
    memory: float | None
    provenance: Provenance
    reference: Reference | None
    load_encoder: Callable[[EncoderModel], Encoder]
    device: str = AUTO

    @classmethod
    def load(
        cls,
        run: str,
        runs: Path,
        cache: Location,
        *,
        encoders: Sequence[str] = (),
        trust_remote_code: bool = False,
        memory: float | None = None,
        load: Callable[[EncoderModel], Encoder] | None = None,
        device: str = AUTO,
    ) -> Predictor:
        """Open a finished run.

        Args:
            run: a run folder, its name, ``latest``, or a model folder; of a blend too.
            runs: the folder of runs.
            cache: the feature store.
            encoders: where its encoder is now, of a blend, or a head over several, several;
                without any, where it was when the run was trained.
            trust_remote_code: run the Python code that comes with it; a run cannot ask for
                that.
            memory: as the attribute.
            load: gives an encoder, and is called once for each; None loads the model itself.
            device: as the attribute.

        Raises:
            SettingError: this machine does not have the device.
            CacheError: no such run, or a damaged one.
            EncoderError: the encoder is gone, or is not the one that the run was trained on.
        """
        find_device(device)
        opened = open_model(run, runs)
        models = find_encoders(opened, encoders, trust_remote_code)
        reference = read_reference(opened.folders[opened.order[0]] / REFERENCE)
        return cls(
            opened,
            tuple(models),
            cache,
            memory,
            Provenance.of(opened),
            reference,
            LoadedOnce(load or load_encoder),
            device,
        )

    @cached_property
    def training(self) -> TrainingTexts:
        """The texts that the run was trained on. Raises ``CacheError`` where it kept none."""
        return read_training(self.opened.folder / TRAINING)

    @cached_property
    def _languages(self) -> frozenset[str] | None:
        """Those of the training texts; None where the run kept none, or they show none."""
        try:
            return learned_languages(self.training.texts)
        except CacheError:
            return None

    @cached_property
    def words(self) -> WordExplainer:
        """What weighs the words of texts. Raises as ``model`` does."""
        models = {
            (index, number): self.model(index, number)
            for index, part in enumerate(self.opened.parts)
            for number in range(len(part.sources) if part.reads_vectors else 0)
        }
        return WordExplainer(self.opened, models, self.probabilities)

    def predict(
        self,
        texts: Sequence[str],
        explain: Explain = NOTHING,
        uncertainty: Uncertainty = SURE,
    ) -> Predictions:
        """Label texts. What makes the labels doubtful is said on stderr, and is in the result.

        Args:
            texts: N texts, none empty.
            explain: what to give for each text: the nearest training texts, its words.
            uncertainty: by which rules texts get no label, or several.

        Raises:
            CacheError: there is nothing to explain by, or the store cannot be used.
            EncoderError: the encoder cannot be loaded.
            SettingError: the words of a text cannot be weighed with this run.
        """
        if explain.words and (refusal := words_refusal(self.opened)):
            raise SettingError(f"--explain words: {refusal}")
        found = self._read(texts, explain)
        warnings = [*dict.fromkeys(found.warnings), *unlearned_language(self._languages, texts)]
        for warning in warnings:
            print_note(f"warning: {warning}")
        weights = None
        if explain.words:
            classes = found.probabilities.argmax(axis=1)
            weights = self.words.weigh(texts, classes, found.tokens)
            print_note(f"note: {weights.note}")
        return Predictions(
            self.opened.folder,
            texts,
            self.opened.labels,
            found.probabilities,
            found.truncated,
            found.neighbors,
            words=weights,
            unusual=found.unusual,
            provenance=self.provenance,
            warnings=tuple(warnings),
            uncertainty=uncertainty,
        )

    def weigh(self, texts: Sequence[str]) -> tuple[list[str], WordWeights]:
        """Return the labels of N texts, and what each of their words decides.

        Raises:
            SettingError: the words of a text cannot be weighed with this run.
        """
        found = self._read(texts, Explain(words=True))
        classes = found.probabilities.argmax(axis=1)
        labels = [self.opened.labels[i] for i in classes.tolist()]
        return labels, self.words.weigh(texts, classes, found.tokens)

    def _read(self, texts: Sequence[str], explain: Explain) -> _Reading:
        """Return what all parts find in N texts."""
        parts, order = self.opened.parts, self.opened.order
        probabilities: dict[int, np.ndarray] = {}
        found = _Reading(np.empty(0), np.zeros(len(texts), bool))
        words = count_words(texts) if any(part.reads_words for part in parts) else None
        for index in order:
            explained = explain.neighbors > 0 and index == order[0]
            if not (parts[index].reads_vectors or explained):
                probabilities[index] = self.probabilities(index, (), words)
                continue
            sources = parts[index].sources
            numbers = range(len(sources))
            encoded = [self.vectors(index, texts, explained, i, explain.words) for i in numbers]
            tables = [encoded[i].table(sources[i].spec.layout) for i in numbers]
            probabilities[index] = self.probabilities(index, tables, words)
            if parts[index].reads_vectors:
                for i in numbers:
                    found.warnings += self._unseen(index, i, encoded[i], tables[i])
                    found.truncated |= encoded[i].truncated
                    if explain.words:
                        found.tokens[index, i] = encoded[i].table(TOKENS)
            if index == order[0]:
                found.unusual = self._unusual(encoded[0], tables[0])
                found.warnings += self._foreign(found.unusual, explained)
            if explained:
                found.neighbors = self._neighbors(encoded[0], explain.neighbors)
        merged = [probabilities[index] for index in range(len(parts))]
        found.probabilities = self.opened.merged(merged)
        return found

    def layouts(
        self, index: int, explained: bool, number: int = 0, words: bool = False
    ) -> tuple[str, ...]:
        """Return the layouts of a part's vectors, with pooled where that costs nothing.

        Args:
            index: of the part.
            explained: whether pooled vectors are needed, of the first source.
            number: of the source among those of the part, from 0, here and below.
            words: whether token vectors are needed too, to weigh words, here and below.
        """
        layout = self.opened.parts[index].sources[number].spec.layout
        if words and layout == POOLED:
            return with_pooled(TOKENS)
        if number:
            return (layout,)
        # Pooled vectors cost nothing beside tokens, but a forward pass beside sentences.
        alone = layout == SENTENCES and not explained
        return (layout,) if alone else with_pooled(layout)

    def spaces(
        self, index: int, explained: bool, number: int = 0, words: bool = False
    ) -> tuple[Space, ...]:
        """Return where the vectors of a part are cached, in its ``layouts``."""
        model = self.model(index, number)
        layouts = self.layouts(index, explained, number, words)
        return open_spaces(self._config(index, number, model), layouts, model)

    def vectors(
        self,
        index: int,
        texts: Sequence[str],
        explained: bool,
        number: int = 0,
        words: bool = False,
    ) -> Vectors:
        """Return the vectors of texts for a part, encoding what is not cached."""
        model = self.model(index, number)
        return ensure_vectors(
            texts,
            self._config(index, number, model),
            self.layouts(index, explained, number, words),
            model=model,
            load=self.load_encoder,
        )

    def model(self, index: int, number: int = 0) -> EncoderModel:
        """Return the encoder of a part, of one that reads words alone too.

        Raises:
            EncoderError: it is gone, or is another one.
        """
        source, models = self.opened.parts[index].sources[number], self.encoders[index]
        if models:
            return models[number]
        # The neighbours of a text are found by vectors all the same.
        model = find_recorded(source.name(), False)
        check_encoder(model, source.spec, self.opened.folder)
        return model

    def _config(self, index: int, number: int, model: EncoderModel) -> VectorConfig:
        """The configuration that gives the vectors of a part."""
        spec = self.opened.parts[index].sources[number].spec
        return VectorConfig(
            encoder=model.name,
            # Of pooled ones the last layer: where words are weighed, their tokens are pooled.
            layers=",".join(map(str, spec.layers)),
            cache=self.cache,
            memory=self.memory,
            **vars(VectorOptions.of_spec(spec)),
        )

    def probabilities(
        self, index: int, vectors: Sequence[FeatureTable], words: WordTable | None
    ) -> np.ndarray:
        """Return (N, C) probabilities of a part from what it reads.

        Args:
            vectors: one table per source; none for a head that reads words alone.
            words: of the same texts.
        """
        head = self.opened.parts[index].head
        tables = FeatureTables((*vectors, *(() if words is None else (words,))))
        device = device_of(head.head, self.device)
        return head.predict_proba(tables, np.arange(len(tables)), device)

    def _unseen(
        self, index: int, number: int, vectors: Vectors, table: FeatureTable
    ) -> list[str]:
        """What of the texts a part does not see."""
        several = self.opened.temperature is not None
        whose = f"part {index + 1} of this run" if several else "this run"
        if number:
            whose = f"encoder {number + 1} of {whose}"
        part = self.opened.parts[index]
        most = part.head.modules[number].max_vectors
        return _unseen(part.sources[number].spec.limit, most, vectors, table, whose)

    def _unusual(self, vectors: Vectors, table: FeatureTable) -> np.ndarray | None:
        """Which texts are less like those of the training than held-out texts were."""
        pooled = {space.spec.layout for space in vectors.spaces} & {POOLED}
        if self.reference is None or not pooled or not len(table):
            return None
        values = table.values if table.layout == POOLED else vectors.table(POOLED).values
        return self.reference.unusual(values)

    def _foreign(self, unusual: np.ndarray | None, explained: bool) -> list[str]:
        """A line where more texts are unusual than chance allows."""
        if self.reference is None or unusual is None or not self.reference.foreign(unusual):
            return []
        hits = int(unusual.sum())
        which = f"{hits:,} of {len(unusual):,} texts {'is' if hits == 1 else 'are'}"
        return [
            f"{'this text is' if len(unusual) == 1 else which} less like any training text "
            f"than {1 - self.reference.rate:.0%} of the run's held-out texts: labels may "
            f"not fit{'' if explained else '; --explain shows the nearest training texts'}"
        ]

    def _neighbors(self, vectors: Vectors, k: int) -> Sequence[tuple[Neighbor, ...]]:
        base = training_vectors(self.training, vectors.space(POOLED))
        queries = vectors.table(POOLED).values
        return self.training.neighbors(queries, base, min(k, len(base)))


def _unseen(
    limit: int, most: int, vectors: Vectors, table: FeatureTable, whose: str
) -> list[str]:
    """Return lines about what of the texts is not seen.

    Args:
        limit: tokens of a text that are encoded.
        most: vectors of a text that the head reads; 0: all.
    """
    lines = []
    truncated, texts = int(vectors.truncated.sum()), len(table)
    if truncated:
        lines.append(
            f"{truncated:,} of {texts:,} texts are longer than the "
            f"{limit} tokens that {whose} sees; the rest of each is not seen"
        )
    longer = int((table.lengths > most).sum()) if most else 0
    if longer:
        lines.append(
            f"{longer:,} of {texts:,} texts have more than the {most:,} vectors "
            f"that the head of {whose} reads (max_vectors); the rest of each is not read"
        )
    return lines
