"""The case of a finished run: texts, vectors and sides again, and the head before its refit.

    run folder -> configuration, corpus, sides, tables, predictions on validation -> Case

What the training measured stands in the folder. Of a run that has no such file, the head is
trained once more with the same seed, which gives the same head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from features.duplicates.duplicates import cached_duplicates
from features.encoders.description.model import EncoderModel
from features.encoders.description.names import join_names
from features.encoders.protocol import Encoder
from features.errors import CacheError, CorpusError, SettingError
from features.storage.location import Location
from features.vectors.table import POOLED
from heads.persistence import checkpoint
from heads.registry import device_of, layout_of, make_settings
from heads.settings import HeadSettings
from heads.trained import TrainedHead
from pipeline.config import ExperimentConfig, VectorConfig
from pipeline.doctor.case import Case
from pipeline.doctor.runs.config import DoctorConfig
from pipeline.encoding.tables import make_tables
from pipeline.evaluation.evaluation import ClassNames, Evaluation
from pipeline.evaluation.result import TrainingScore
from pipeline.runs.files.diagnostics import read_diagnostics
from pipeline.runs.folder import PARTS
from pipeline.runs.reader import read_config, read_held_out, read_metrics, read_options
from pipeline.runs.request import request_of
from pipeline.training.experiment import Learned
from pipeline.training.partition import read_labelled, splits_of
from pipeline.training.preparation import find_encoders
from pipeline.training.trainings import on_split

Place = TypeVar("Place", bound=Location | Path)

LEAST = 1e-30
"""Probabilities below it count as this, so that their logarithm is a number."""


def case_of_run(
    folder: Path,
    config: DoctorConfig | None = None,
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> Case:
    """Return the case of a run: of its first fold, the seed whose head it holds.

    Args:
        folder: of a finished run.
        config: may say where its data and cache are now.
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        SettingError: it is a blend, or the data has changed since.
        CorpusError: its texts are not where they were.
        CacheError: a file of the run is missing, damaged, or cannot be read any more.
    """
    asked = _asked(folder, config or DoctorConfig())
    run, held_out = read_config(folder), read_held_out(folder)
    resolved = run.resolved
    if resolved.encoder:  # of several, validation may have left some out
        read = join_names([source.encoder for source in run.sources])
        asked = replace(asked, vectors=replace(asked.vectors, encoder=read))
    if config is None or config.data is None:
        _check_texts(asked, folder)
    corpus = read_labelled(asked.data, asked.folds)
    split = splits_of(corpus, held_out, folder.name, ())[0]
    labels = split.label_ids(corpus.labels or ())
    layout = layout_of(asked.head, asked.layout)
    models = find_encoders(asked.vectors)
    tables, encoded = make_tables(corpus.texts, layout, asked.vectors, models, load)
    vectors, pooled = encoded[0], encoded[0].table(POOLED).values
    trained, first = checkpoint.load(folder), held_out.folds[0]
    settings = on_split(make_settings(asked.head, resolved.settings), split)
    trainings = read_metrics(folder).trainings
    measured = read_diagnostics(folder)
    found = None if measured is None else measured.find(first.fold, first.seed)
    case = Case(
        head=asked.head,
        settings=settings,
        tables=tables,
        labels=labels,
        classes=split.classes,
        train=split.train,
        validation=split.validation,
        test=split.test,
        **_of_head(trained, settings, first.validation, held_out.names, split.classes),
        seed=resolved.seed,
        other_seeds=_other_seeds(trainings, first.fold, resolved.seed),
        seconds=trainings[0].seconds,
        device=device_of(asked.head, asked.device),
        pooled=pooled,
        diagnostics=found,
        corpus=corpus,
        duplicates=cached_duplicates(asked.vectors.cache, corpus.texts, pooled),
        tokens=vectors.tokens,
        truncated=vectors.truncated,
        config=asked,
    )
    return case if found is not None else case.with_own_head()


def _check_texts(asked: ExperimentConfig, folder: Path) -> None:
    """Refuse a run whose file of texts is gone, and say how to name another place.

    Raises:
        CorpusError: it is not there.
    """
    source = asked.data.data
    if isinstance(source, Path) and not source.exists():
        raise CorpusError(
            f"{source}: not found, and the run {folder.name} was trained on these texts: say "
            "where they are now with --data FILE"
        )


def _other_seeds(
    trainings: Sequence[TrainingScore], fold: int, seed: int
) -> tuple[tuple[int, float], ...]:
    """Return the other seeds of a fold with their validation accuracy."""
    return tuple(
        (each.seed, each.validation.accuracy)
        for each in trainings
        if each.fold == fold and each.seed != seed
    )


def case_of_training(learned: Learned) -> Case:
    """Return the case of an experiment that is still in memory; as ``case_of_run``."""
    first, prepared = learned.outcome.first, learned.prepared
    split, trained = first.split, first.trained
    corpus = prepared.corpus
    names, validation = learned.outcome.names, first.validation
    return Case(
        head=trained.head,
        settings=trained.settings,
        tables=learned.tables,
        labels=split.label_ids(corpus.labels or ()),
        classes=split.classes,
        train=split.train,
        validation=split.validation,
        test=split.test,
        **_of_head(trained, trained.settings, validation, names, split.classes),
        seed=first.seed,
        seconds=first.seconds,
        device=learned.device,
        pooled=learned.pooled,
        diagnostics=first.diagnostics,
        corpus=corpus,
        duplicates=learned.duplicates,
        tokens=learned.vectors.tokens,
        truncated=learned.vectors.truncated,
        config=prepared.config,
    )


def _asked(folder: Path, config: DoctorConfig) -> ExperimentConfig:
    """Return what the run was asked for, with data and cache where they are now."""
    if (folder / PARTS).is_dir():
        raise SettingError(
            f"{folder.name} is a blend, and a blend was not trained: name one of the runs that "
            "it is made of"
        )
    asked = request_of(read_options(folder))
    if asked is None:
        raise CacheError(
            f"what the run {folder.name} was asked for cannot be read by this version: train "
            "it again"
        )
    if config.data is not None:
        asked = replace(asked, data=replace(asked.data, data=config.data))
    cache = _usual(asked.vectors.cache, VectorConfig().cache)
    vectors = replace(asked.vectors, cache=cache if config.cache is None else config.cache)
    return replace(asked, vectors=vectors, runs=_usual(asked.runs, ExperimentConfig().runs))


def _usual(place: Place, default: Place) -> Place:
    """Return the default where it is the same place, so that commands need not name it."""
    same = isinstance(place, Path) and place == Path(str(default)).absolute()
    return default if same else place


def _of_head(
    trained: TrainedHead,
    settings: HeadSettings,
    kept: Evaluation,
    names: ClassNames,
    classes: tuple[str, ...],
) -> dict[str, Any]:
    """Return the fields of a case that its head gives; arguments as for ``_logits``.

    After a refit the head that is kept is another than the one that is examined.
    """
    return {
        "logits": _logits(kept, names, classes, trained.temperature),
        "trained": None if settings.refit else trained,
        "history": trained.history,
        "best_epoch": trained.best_epoch,
    }


def _logits(
    kept: Evaluation, names: ClassNames, classes: tuple[str, ...], temperature: float
) -> np.ndarray:
    """Return (m, C) float32 logits of the validation texts, but for a constant of each text.

    Args:
        kept: their probabilities, after the temperature.
        names: of the columns.
        classes: C of the head.
        temperature: of the head.
    """
    shares = np.maximum(kept.probabilities[:, names.ids(classes)], LEAST)
    logits: np.ndarray = (temperature * np.log(shares.astype(np.float64))).astype(np.float32)
    return logits
