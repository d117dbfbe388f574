"""One whole experiment: labelled texts + encoder + head -> a run folder.

read_corpus -> ensure_vectors -> copies -> split or folds -> trials -> scores -> run folder
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import Duplicates, cached_duplicates, leaked
from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.errors import SettingError
from features.splits.split import Split
from features.vectors.table import POOLED
from heads.registry import layout_of, make_settings
from pipeline.config import ExperimentConfig
from pipeline.console import print_note
from pipeline.encoding.tables import make_tables
from pipeline.encoding.vectors import Vectors
from pipeline.evaluation import baselines
from pipeline.evaluation.breakdown import by_length, by_truncation, class_scores, collapse
from pipeline.evaluation.evaluation import Evaluation, Score, score
from pipeline.evaluation.result import ExperimentResult, TrainingScore, calibration_of
from pipeline.runs.folder import find_run, new_run, run_label, run_name, writing
from pipeline.runs.reader import read_held_out, read_scores
from pipeline.training.advice import words_do_better
from pipeline.training.partition import fold_corpus, read_labelled, split_corpus, splits_of
from pipeline.training.resume import FinishedTrainings
from pipeline.training.run_writer import RunContents, write_run
from pipeline.training.trainings import Training, Trainings, check_labels, run_trainings

MAJORITY, TFIDF = "majority", "tfidf_logistic"
"""Names of the baselines."""


def run_experiment(
    config: ExperimentConfig, load: Callable[[EncoderModel], Encoder] | None = None
) -> ExperimentResult:
    """Train and score one head and write its run folder.

    Args:
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        InputError: anything wrong with what the user gave; see ``features.errors``.
        FaultError: a corrupt cache, or vectors or a loss that are not finite.
    """
    # What is wrong is refused before any work.
    settings = make_settings(config.head, config.overrides(classes=2))
    layout = layout_of(config.head, config.layout)
    corpus = read_labelled(config.data, config.folds)
    config, given = _given_splits(config, corpus)
    labels = corpus.labels or ()
    check_labels(settings, labels)
    described = config.to_dict()
    with new_run(config.runs, run_name(config.head, described, datetime.now(UTC))) as run:
        tables, vectors = make_tables(corpus.texts, layout, config.vectors, load)
        own = tables.vectors
        pooled = own.values if own and own.layout == POOLED else vectors.table(POOLED).values
        copies = cached_duplicates(config.vectors.cache, corpus.texts, pooled)
        if given is not None:
            splits = given
        elif config.folds:
            splits = fold_corpus(corpus, config.data, copies, config.folds)
        else:
            splits = (split_corpus(corpus, config.data, copies),)
        spec = vectors.space(own.layout if own else POOLED).spec
        decided = config.head, layout, spec.fingerprint, corpus.digest
        journal = FinishedTrainings(config.runs, decided, len(splits) * config.seeds)
        outcome = run_trainings(config, tables, labels, splits, journal)
        result = _result(config, layout, corpus, vectors, copies, outcome)
        result = replace(result, run=run.final)
        with writing(run):
            record = RunContents(described, corpus, spec, outcome, pooled, vectors.model.commit)
            write_run(run.folder, record, result)
    journal.close()
    return replace(result, run=run.final)


def _given_splits(
    config: ExperimentConfig, corpus: Corpus
) -> tuple[ExperimentConfig, tuple[Split, ...] | None]:
    """The configuration with the place of the run of ``split_of``, and the splits of that.

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


def _result(
    config: ExperimentConfig,
    layout: str,
    corpus: Corpus,
    vectors: Vectors,
    copies: Duplicates,
    outcome: Trainings,
) -> ExperimentResult:
    """Everything that is measured; the run folder is filled in later."""
    first, test, names = outcome.first, outcome.test, outcome.names
    split = first.split
    dealt = np.concatenate([split.train, split.validation, split.test])
    copied = np.concatenate(
        [leaked(copies, trial.learned, trial.split.test) for trial in outcome.kept]
    )
    predicted = _baselines(config, corpus.texts, outcome)
    advice: tuple[str, ...] = ()
    if TFIDF in predicted:
        advice = words_do_better(config, layout, corpus.texts, test, predicted[TFIDF])
    return ExperimentResult(
        run=config.runs,
        head=config.head,
        layout=layout,
        encoded=vectors.report.encoded,
        truncated=int(vectors.truncated[dealt].sum()),
        validation=outcome.validation.score(),
        test=test.score(),
        baselines={name: score(test.labels, each) for name, each in predicted.items()},
        epochs=len(first.trained.history),
        best_epoch=first.trained.best_epoch,
        parameters=first.trained.parameters,
        seconds={
            "encoding": round(vectors.report.seconds, 3),
            "training": round(sum(trial.seconds for trial in outcome.trials), 3),
        },
        notes=first.split.notes,
        copied=int(copied.sum()),
        test_without_copies=_score_some(test, ~copied),
        tokens_cut_share=round(vectors.cut_share(dealt), 6),
        refit=first.trained.settings.refit,
        seeds=config.seeds,
        folds=config.folds,
        trials=tuple(_training_score(trial, outcome) for trial in outcome.trials),
        over_seeds=outcome.over_seeds,
        over_folds=outcome.over_folds,
        classes=class_scores(test, names.all),
        calibration=calibration_of(test, first.trained.temperature),
        by_length=by_length(test, vectors.tokens),
        by_truncation=by_truncation(test, vectors.tokens, vectors.truncated),
        collapse=collapse(test, names.classes),
        advice=advice,
    )


def _training_score(trial: Training, outcome: Trainings) -> TrainingScore:
    return TrainingScore(
        fold=trial.fold,
        seed=trial.seed,
        kept=trial in outcome.kept,
        validation=trial.validation.score(),
        test=trial.test.score(),
        temperature=trial.trained.temperature,
        epochs=len(trial.trained.history),
        best_epoch=trial.trained.best_epoch,
        collapsed=collapse(trial.test, outcome.names.classes) is not None,
        seconds=round(trial.seconds, 3),
    )


def _score_some(evaluation: Evaluation, chosen: np.ndarray) -> Score | None:
    """The score of some of the texts of a side; None of none."""
    if not chosen.any():
        return None
    return score(evaluation.labels[chosen], evaluation.predicted[chosen])


def _baselines(
    config: ExperimentConfig, texts: Sequence[str], outcome: Trainings
) -> dict[str, np.ndarray]:
    """Return what baselines predict on all test texts, that learned from what the heads did."""
    labels, root = outcome.labels, config.vectors.cache
    sides = [(trial.learned, trial.split.test) for trial in outcome.kept]
    found = {
        MAJORITY: [baselines.majority(labels, learned, test) for learned, test in sides],
    }
    try:
        found[TFIDF] = [
            baselines.kept_tfidf_logistic(root, texts, labels, *side) for side in sides
        ]
    except Exception as error:  # whatever texts do to it: the heads are trained
        print_note(
            f"note: the TF-IDF baseline cannot be had ({error}); the run is kept without it"
        )
    return {name: np.concatenate(parts) for name, parts in found.items()}
