"""Trials: train candidates, without refit and reports, and score them on validation.

All trials of a process share the texts, the split, and the vectors of each encoder, read once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import cached_duplicates
from features.encoders.description.model import EncoderModel
from features.encoders.description.names import split_names
from features.encoders.protocol import Encoder
from features.errors import DeviceMemoryError, DivergedError
from features.splits.split import Split
from features.tables import Features, FeatureTables, as_tables, parse_layout
from features.vectors.table import POOLED
from features.words.counting import count_words
from features.words.table import WORDS
from heads.evaluation.metrics import log_loss
from heads.problem import EpochRecord
from heads.registry import device_of, make_settings
from heads.settings import TrainingSettings
from heads.trained import fit
from pipeline.config import DataConfig, VectorConfig
from pipeline.encoding.vectors import Vectors, ensure_vectors
from pipeline.evaluation import baselines
from pipeline.search.candidate import BASELINES, MAJORITY, Candidate, Job, Outcome, packed
from pipeline.search.halving import IsBehind, StoppedEarly
from pipeline.search.space import Arm
from pipeline.training.partition import inner_folds, split_corpus
from pipeline.training.trainings import on_split

Place = tuple[str, str | None]
"""Encoder, or several joined by commas, and layers."""


@dataclass(eq=False)
class Materials:
    """What the trials of one process read.

    Attributes:
        config: of the vectors; each candidate says which encoder and layers.
        corpus: the labelled texts.
        split: the same for all encoders; the winner's run is on it.
        sides: what the trials are trained and chosen on: the split, or its inner folds.
        models: the encoders by what a candidate names, one or several.
        vectors: the cached vectors, by a single encoder and layers.
        tables: those that a trial has read, by encoder, layers and layout.
    """

    config: VectorConfig
    corpus: Corpus
    split: Split
    sides: tuple[Split, ...]
    models: dict[str, tuple[EncoderModel, ...]]
    vectors: dict[Place, Vectors]
    tables: dict[tuple[Place, str], Features | FeatureTables] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.labels = [side.label_ids(self.corpus.labels or ()) for side in self.sides]

    @property
    def texts(self) -> int:
        """Return how many texts validate; with inner folds, in all of them."""
        return sum(len(side.validation) for side in self.sides)

    def table(self, candidate: Candidate) -> FeatureTables:
        """Return the vectors, words or both that a candidate is trained on."""
        place = candidate.encoder, candidate.layers
        key = place, candidate.layout
        if key not in self.tables:
            name, words = parse_layout(candidate.layout)
            own = [(each, candidate.layers) for each in split_names(candidate.encoder)]
            parts = [] if name is None else [self._part(each, name) for each in own]
            parts += [self._part(("", None), WORDS)] if words else []
            self.tables[key] = FeatureTables(tuple(parts))
        return as_tables(self.tables[key])

    def _part(self, place: Place, layout: str) -> Features:
        """Return one table: read, or counted, once."""
        key = place, f"only {layout}"
        if key not in self.tables:
            if layout == WORDS:
                self.tables[key] = count_words(self.corpus.texts)
            else:
                self.tables[key] = self.vectors[place].table(layout)
        found = self.tables[key]
        assert not isinstance(found, FeatureTables)
        return found


def gather(
    corpus: Corpus,
    data: DataConfig,
    config: VectorConfig,
    models: dict[str, tuple[EncoderModel, ...]],
    arms: Sequence[Arm],
    load: Callable[[EncoderModel], Encoder] | None = None,
    folds: int = 0,
) -> Materials:
    """Cache the vectors of every arm, and split the texts.

    Near-duplicates are found by the vectors of the first encoder.

    Args:
        models: the encoders by what an arm names, one or several.
        folds: inner folds that choose; 0: one validation side does.

    Raises:
        InputError, BadVectorError: as ``ensure_vectors``.
        SplitError: near-duplicates and groups leave too little to split.
    """
    layouts: dict[Place, list[str]] = {}
    single: dict[str, EncoderModel] = {}
    for arm in arms:
        names = split_names(arm.encoder)
        single |= dict(zip(names, models[arm.encoder], strict=True))
        layout, _ = parse_layout(arm.layout)
        for encoder in names:
            own = layouts.setdefault((encoder, arm.layers), [POOLED])
            if layout is not None and layout not in own:
                own.append(layout)
    vectors = {
        (name, layers): ensure_vectors(
            corpus.texts,
            replace(config, encoder=name, layers=layers),
            wanted,
            model=single[name],
            load=load,
        )
        for (name, layers), wanted in layouts.items()
    }
    place, first = next(iter(vectors.items()))
    pooled = first.table(POOLED)
    duplicates = cached_duplicates(config.cache, corpus.texts, pooled.values)
    split = split_corpus(corpus, data, duplicates)
    sides = inner_folds(corpus, data, duplicates, split, folds) if folds else (split,)
    known: dict[tuple[Place, str], Features | FeatureTables] = {
        (place, f"only {POOLED}"): pooled
    }
    return Materials(config, corpus, split, sides, models, vectors, known)


def train(
    materials: Materials, job: Job, device: str, is_behind: IsBehind | None = None
) -> Outcome:
    """Train a candidate with each of its seeds.

    Args:
        is_behind: stops a training of the first seed; None: none is stopped.
    """
    start = time.perf_counter()
    if job.candidate.head in BASELINES:
        right = _baseline(materials, job.candidate.head)
        return _outcome(start, accuracy=float(right.mean()), right=(packed(right),))
    found = []
    curve: list[float] = []
    for seed in job.seeds:
        watched: list[float] = []
        try:
            found.append(
                _train_sides(materials, job.candidate, seed, device, watched, is_behind)
            )
        except StoppedEarly:
            best = max(watched)
            return _outcome(start, accuracy=best, curve=tuple(watched), stopped=True)
        except (DivergedError, DeviceMemoryError) as error:
            return _outcome(start, failed=str(error), curve=tuple(watched))
        curve = curve or watched
    return _outcome(
        start,
        accuracy=float(np.mean([each.right.mean() for each in found])),
        loss=float(np.mean([each.loss for each in found])),
        epochs=len(curve),
        parameters=found[0].parameters,
        curve=tuple(curve),
        right=tuple(packed(each.right) for each in found),
    )


def _outcome(start: float, **values: object) -> Outcome:
    seconds = round(time.perf_counter() - start, 4)
    return Outcome(seconds=seconds, ended=time.time(), **values)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class _Scored:
    """One training: (n,) bool answers on validation, their loss, and the head's parameters."""

    right: np.ndarray
    loss: float
    parameters: int


def _train_sides(
    materials: Materials,
    candidate: Candidate,
    seed: int,
    device: str,
    watched: list[float],
    is_behind: IsBehind | None,
) -> _Scored:
    """Train on each of the sides; the first one alone is watched, and may be stopped."""
    found = [_train_once(materials, 0, candidate, seed, device, watched, is_behind)]
    found += [
        _train_once(materials, side, candidate, seed, device, [], None)
        for side in range(1, len(materials.sides))
    ]
    sizes = [len(each.right) for each in found]
    return _Scored(
        np.concatenate([each.right for each in found]),
        float(np.average([each.loss for each in found], weights=sizes)),
        found[0].parameters,
    )


def _train_once(
    materials: Materials,
    side: int,
    candidate: Candidate,
    seed: int,
    device: str,
    watched: list[float],
    is_behind: IsBehind | None,
) -> _Scored:
    split, labels = materials.sides[side], materials.labels[side]
    table = materials.table(candidate)
    settings = on_split(make_settings(candidate.head, candidate.settings), split)
    by_steps = isinstance(settings, TrainingSettings)

    def on_epoch(record: EpochRecord) -> None:
        watched.append(round(record.validation_accuracy, 6))
        if by_steps and is_behind and is_behind(record.epoch, max(watched)):
            raise StoppedEarly

    own = device_of(candidate.head, device)
    trained = fit(
        candidate.head,
        settings,
        table,
        labels,
        split.train,
        split.validation,
        split.classes,
        seed,
        on_epoch,
        own,
    )
    logits = trained.logits(table, split.validation, own)
    truth = labels[split.validation]
    right = logits.argmax(axis=1) == truth
    return _Scored(right, log_loss(truth, logits), trained.parameters)


def _baseline(materials: Materials, name: str) -> np.ndarray:
    """Return (n,) bool: which validation texts a baseline labels rightly."""
    root, texts = materials.config.cache, materials.corpus.texts
    found = []
    for split, ids in zip(materials.sides, materials.labels, strict=True):
        rows = split.train, split.validation
        if name == MAJORITY:
            predicted = baselines.majority(ids, *rows)
        else:
            predicted = baselines.cached_tfidf_logistic(root, texts, ids, *rows)
        found.append(predicted == ids[split.validation])
    return np.concatenate(found)
