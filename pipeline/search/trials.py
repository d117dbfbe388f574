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
from features.tables import Features, FeatureTables, parse_layout
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
"""Encoder and layers."""

Part = tuple[str, str | None, str]
"""A table: encoder, layers, layout; ``WORDS_PART`` has no encoder."""

WORDS_PART: Part = "", None, WORDS


@dataclass(frozen=True, eq=False)
class Side:
    """What a trial is trained and chosen on.

    Attributes:
        split: its training and validation rows.
        labels: (N,) int64 class ids of all texts.
    """

    split: Split
    labels: np.ndarray


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
        tables: those that a trial has read.
    """

    config: VectorConfig
    corpus: Corpus
    split: Split
    sides: tuple[Side, ...]
    models: dict[str, tuple[EncoderModel, ...]]
    vectors: dict[Place, Vectors]
    tables: dict[Part, Features] = field(default_factory=dict)

    @property
    def texts(self) -> int:
        """Return how many texts validate; with inner folds, in all of them."""
        return sum(len(side.split.validation) for side in self.sides)

    def table(self, candidate: Candidate) -> FeatureTables:
        """Return the vectors, words or both that a candidate is trained on."""
        for part in parts(candidate):
            if part not in self.tables:
                self.tables[part] = self.read(part)
        return FeatureTables(tuple(self.tables[part] for part in parts(candidate)))

    def read(self, part: Part) -> Features:
        """Return one table: read from the cache, or counted."""
        encoder, layers, layout = part
        if layout == WORDS:
            return count_words(self.corpus.texts)
        return self.vectors[encoder, layers].table(layout)


def parts(candidate: Candidate) -> list[Part]:
    """Return the tables that a candidate is trained on: vectors first, then words."""
    layout, words = parse_layout(candidate.layout)
    names = split_names(candidate.encoder) if layout is not None else []
    own = [(name, candidate.layers, layout or "") for name in names]
    return own + ([WORDS_PART] if words else [])


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
    splits = inner_folds(corpus, data, duplicates, split, folds) if folds else (split,)
    sides = tuple(Side(each, each.label_ids(corpus.labels or ())) for each in splits)
    return Materials(config, corpus, split, sides, models, vectors, {(*place, POOLED): pooled})


def train(
    materials: Materials, job: Job, device: str, is_behind: IsBehind | None = None
) -> Outcome:
    """Train a candidate with each of its seeds, or score a baseline.

    Args:
        is_behind: stops a training of the first seed; None: none is stopped.
    """
    start = time.perf_counter()
    if job.candidate.head in BASELINES:
        right = _baseline(materials, job.candidate.head)
        return _outcome(start, accuracy=float(right.mean()), right=(packed(right),))
    tables = materials.table(job.candidate)
    reading = time.perf_counter() - start
    outcome = train_head(tables, materials.sides, job, device, is_behind)
    return replace(outcome, seconds=round(outcome.seconds + reading, 4))


def train_head(
    tables: FeatureTables,
    sides: Sequence[Side],
    job: Job,
    device: str,
    is_behind: IsBehind | None = None,
) -> Outcome:
    """Train a head with each of the seeds of a job; arguments as for ``train``."""
    start = time.perf_counter()
    found = []
    curve: list[float] = []
    for seed in job.seeds:
        watched: list[float] = []
        try:
            found.append(
                _train_sides(tables, sides, job.candidate, seed, device, watched, is_behind)
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
    tables: FeatureTables,
    sides: Sequence[Side],
    candidate: Candidate,
    seed: int,
    device: str,
    watched: list[float],
    is_behind: IsBehind | None,
) -> _Scored:
    """Train on each of the sides; the first one alone is watched, and may be stopped."""
    found = [_train_once(tables, sides[0], candidate, seed, device, watched, is_behind)]
    found += [
        _train_once(tables, side, candidate, seed, device, [], None) for side in sides[1:]
    ]
    sizes = [len(each.right) for each in found]
    return _Scored(
        np.concatenate([each.right for each in found]),
        float(np.average([each.loss for each in found], weights=sizes)),
        found[0].parameters,
    )


def _train_once(
    tables: FeatureTables,
    side: Side,
    candidate: Candidate,
    seed: int,
    device: str,
    watched: list[float],
    is_behind: IsBehind | None,
) -> _Scored:
    split, labels = side.split, side.labels
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
        tables,
        labels,
        split.train,
        split.validation,
        split.classes,
        seed,
        on_epoch,
        own,
    )
    logits = trained.logits(tables, split.validation, own)
    truth = labels[split.validation]
    right = logits.argmax(axis=1) == truth
    return _Scored(right, log_loss(truth, logits), trained.parameters)


def _baseline(materials: Materials, name: str) -> np.ndarray:
    """Return (n,) bool: which validation texts a baseline labels rightly."""
    root, texts = materials.config.cache, materials.corpus.texts
    found = []
    for side in materials.sides:
        ids, rows = side.labels, (side.split.train, side.split.validation)
        if name == MAJORITY:
            predicted = baselines.majority(ids, *rows)
        else:
            predicted = baselines.cached_tfidf_logistic(root, texts, ids, *rows)
        found.append(predicted == ids[side.split.validation])
    return np.concatenate(found)
