"""Check an experiment before anything takes time.

    configuration -> settings, encoder, texts, sides, folder for the run -> PreparedExperiment

It imports no torch, so that a wrong column or head is answered at once, and it writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from features.corpus.corpus import Corpus, corpus_batches
from features.corpus.source import HubName
from features.encoders.description.model import EncoderModel, find_model
from features.errors import SettingError
from features.splits.split import Split
from features.vectors.spec import parse_layers
from features.vectors.table import POOLED
from heads.class_weights import check_weights
from heads.device import check_here
from heads.registry import layout_of, make_settings
from heads.settings import HeadSettings, TrainingSettings
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.runs.folder import check_runs, find_run, run_label
from pipeline.runs.reader import read_held_out, read_scores
from pipeline.training.partition import check_near_copies, read_labelled, splits_of


@dataclass(frozen=True, eq=False)
class PreparedExperiment:
    """An experiment that can be run.

    Attributes:
        config: what was asked for; a run that ``split_of`` names has its path.
        layout: of what the head is trained on: vectors, words or both.
        corpus: the labelled texts.
        splits: those of the run that ``split_of`` names; None: they are still to be made.
        models: the encoders, in the order of their names.
    """

    config: ExperimentConfig
    layout: str
    corpus: Corpus
    splits: tuple[Split, ...] | None
    models: tuple[EncoderModel, ...]


def prepare_experiment(config: ExperimentConfig) -> PreparedExperiment:
    """Check an experiment and read its texts.

    Raises:
        InputError: anything wrong with what the user gave; see ``features.errors``.
    """
    settings, layout = check_head(config)
    check_runs(config.runs)
    corpus = read_labelled(config.data, config.folds)
    config = replace(config, data=config.data.as_read(corpus))
    config, given = _given_splits(config, corpus)
    check_labels(settings, corpus.labels or ())
    models = find_encoders(config.vectors)
    if given is None:
        check_near_copies(corpus, config.data, config.folds)
    return PreparedExperiment(config, layout, corpus, given, models)


def check_head(config: ExperimentConfig) -> tuple[HeadSettings, str]:
    """Return the settings of a configuration's head, for two classes, and its layout.

    Raises:
        SettingError: no such head or setting, a value out of range, a layout that the head
            does not take, or a device that this machine does not have.
    """
    settings = make_settings(config.head, config.overrides(classes=2))
    check_here(config.device)
    return settings, layout_of(config.head, config.layout)


def check_labels(settings: HeadSettings, labels: Sequence[str]) -> None:
    """Refuse settings that name a label of no text. Raises ``SettingError``."""
    if isinstance(settings, TrainingSettings):
        check_weights(settings.class_weights, sorted(set(labels)))


def check_first_rows(data: DataConfig, labels: bool = True) -> None:
    """Read the first rows of a file, so that a wrong name or column is refused at once.

    A data set of the hub is left out: its library is slow to import, and it is read once.

    Args:
        data: the file and its columns.
        labels: whether labels are required.

    Raises:
        CorpusError: as ``read_corpus``, of those rows.
    """
    if not isinstance(data.data, HubName):
        batches = corpus_batches(
            data.data, data.columns, labels, skip_empty=True, dialect=data.dialect
        )
        next(batches, None)


def find_encoder(config: VectorConfig) -> EncoderModel:
    """Return the encoder of a configuration.

    Raises:
        EncoderError: there is none of that name here, or it cannot be used.
        SettingError: a layer that it does not have, or several encoders.
    """
    model = find_model(config.one_encoder, config.trust_remote_code)
    parse_layers(config.layers, model.depth)
    return model


def find_encoders(config: VectorConfig) -> tuple[EncoderModel, ...]:
    """Return the encoders of a configuration, in the order of their names.

    Raises:
        EncoderError, SettingError: as ``find_encoder``; or two names are of the same encoder.
    """
    models = tuple(map(find_encoder, config.each))
    names: dict[str, str] = {}
    for model in models:
        fingerprint = model.spec(POOLED).fingerprint
        if fingerprint in names:
            raise SettingError(
                f"--encoder names one encoder twice, as {names[fingerprint]!r} and "
                f"{model.name!r}; its vectors beside themselves tell nothing more: name each "
                "encoder once"
            )
        names[fingerprint] = model.name
    return models


def _given_splits(
    config: ExperimentConfig, corpus: Corpus
) -> tuple[ExperimentConfig, tuple[Split, ...] | None]:
    """Return the configuration with the path of the run of ``split_of``, and its splits.

    Raises:
        CacheError: there is no such run, or it is damaged.
        SettingError: it has other folds, or is of another corpus.
    """
    if config.split_of is None:
        return config, None
    folder = find_run(config.split_of, config.runs).resolve()
    name, held_out = run_label(folder, config.runs), read_held_out(folder)
    if held_out.fold_count != config.folds:
        folds = held_out.fold_count
        wanted = f"pass --folds {folds}" if folds else "leave --folds out"
        raise SettingError(
            f"--split-of {name}: that run has {folds or 'no'} folds, not "
            f"{config.folds}: {wanted}"
        )
    notes = (*read_scores(folder).notes, f"The sides are those of the run {name}.")
    return replace(config, split_of=str(folder)), splits_of(corpus, held_out, name, notes)
