"""One whole experiment: labelled texts + encoder + head -> a run folder.

read_corpus -> ensure_vectors -> near-duplicates -> split or folds -> trainings -> scores
-> run folder
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import Duplicates, cached_duplicates, leaked
from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.tables import FeatureTables
from features.vectors.table import POOLED
from features.words.table import WORDS
from heads.device import CPU, device_label
from heads.registry import device_of, head_type
from pipeline.config import ExperimentConfig
from pipeline.console import print_note
from pipeline.encoding.tables import make_tables
from pipeline.encoding.vectors import Vectors
from pipeline.evaluation import baselines
from pipeline.evaluation.abstention import accuracy_by_coverage
from pipeline.evaluation.breakdown import by_length, by_truncation, class_scores, collapse
from pipeline.evaluation.comparison import compare
from pipeline.evaluation.evaluation import Evaluation, Score, score
from pipeline.evaluation.mistakes import mean_absolute_error, most_frequent_mistake
from pipeline.evaluation.result import ExperimentResult, TrainingScore, calibration_of
from pipeline.reports.drawing import Drawing
from pipeline.runs.folder import new_run, run_name, writing
from pipeline.runs.run_config import EncoderSection
from pipeline.training.advice import Facts, advise, is_foreign, unread_language
from pipeline.training.partition import fold_corpus, split_corpus
from pipeline.training.preparation import PreparedExperiment, prepare_experiment
from pipeline.training.resume import FinishedTrainings
from pipeline.training.run_writer import RunContents, pictures_of, write_run
from pipeline.training.trainings import Training, Trainings, run_trainings

LONG_SHARE = 0.99
"""Share of the texts that the ``--max-tokens`` of advice sees whole."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What an experiment was made of, for who looks at it while it is in memory.

    Attributes:
        prepared: the experiment.
        tables: what the heads read.
        vectors: the cached vectors.
        pooled: (N, D) pooled vectors.
        duplicates: among the texts.
        outcome: every training.
        device: that the heads learned on.
    """

    prepared: PreparedExperiment
    tables: FeatureTables
    vectors: Vectors
    pooled: np.ndarray
    duplicates: Duplicates
    outcome: Trainings
    device: str


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
    return run_prepared(prepare_experiment(config), load)


def run_prepared(
    prepared: PreparedExperiment,
    load: Callable[[EncoderModel], Encoder] | None = None,
    drawing: Drawing | None = None,
    look: Callable[[Learned, Path], None] | None = None,
) -> ExperimentResult:
    """Train and score the head of a prepared experiment; as ``run_experiment``.

    The run folder is made when the training begins: what is refused before leaves none.

    Args:
        prepared: the experiment.
        load: as ``run_experiment`` takes it.
        drawing: draws the pictures; None starts one here.
        look: called with what was learned and the run's folder once that is complete.
    """
    with drawing or Drawing() as own:
        result, learned = _run(prepared, load, own)
    if look is not None:
        look(learned, result.run)
    return result


def _run(
    prepared: PreparedExperiment,
    load: Callable[[EncoderModel], Encoder] | None,
    drawing: Drawing,
) -> tuple[ExperimentResult, Learned]:
    config, layout, corpus = prepared.config, prepared.layout, prepared.corpus
    labels, described = corpus.labels or (), config.to_dict()
    device = device_of(config.head, config.device)  # before an encoder starts the GPU
    tables, encoded = make_tables(corpus.texts, layout, config.vectors, prepared.models, load)
    own, vectors = tables.vectors, encoded[0]
    pooled = _pooled(tables, encoded, 0)
    duplicates = cached_duplicates(config.vectors.cache, corpus.texts, pooled)
    if prepared.splits is not None:
        splits = prepared.splits
    elif config.folds:
        splits = fold_corpus(corpus, config.data, duplicates, config.folds)
    else:
        splits = (split_corpus(corpus, config.data, duplicates),)
    specs = [each.space(own.layout if own else POOLED).spec for each in encoded]
    read = ",".join(spec.fingerprint for spec in specs)
    decided = config.head, layout, read, corpus.digest, device_label(device)
    name = run_name(config.head, described, datetime.now(UTC))
    # Whatever happens, nothing is drawn any more when the folder is renamed or removed.
    with new_run(config.runs, name) as run, drawing:
        journal = FinishedTrainings(config.runs, decided, len(splits) * config.seeds)
        if device != CPU:
            print_note(f"training on {device_label(device)}")
        outcome = run_trainings(config, tables, labels, splits, journal, device)
        pictures = pictures_of(config.head, config.folds, corpus.name, outcome)
        drawing.begin(run.folder, pictures)  # while all is scored and written
        result = _result(config, layout, corpus, vectors, duplicates, outcome)
        stored = sum(
            spec.bytes_per_vector * float(table.lengths.mean())
            for spec, table in zip(specs, tables.encoders, strict=False)
        )
        result = replace(
            result,
            run=run.final,
            encoded=sum(each.report.encoded for each in encoded),
            seconds={**result.seconds, "encoding": _encoding_seconds(encoded)},
            bytes_per_text=round(stored, 1),
        )
        result = _with_advice(prepared, result, vectors)
        with writing(run):
            read_by_head = outcome.first.trained.reads or (0,)
            if read_by_head[0]:
                pooled = _pooled(tables, encoded, read_by_head[0])
            record = RunContents(
                described,
                corpus,
                tuple(EncoderSection.of(encoded[i].model, specs[i]) for i in read_by_head),
                outcome,
                pooled,
                device,
            )
            write_run(run.folder, record, result, drawing)
    journal.close()
    learned = Learned(prepared, tables, vectors, pooled, duplicates, outcome, device)
    return replace(result, run=run.final), learned


def _pooled(tables: FeatureTables, encoded: Sequence[Vectors], number: int) -> np.ndarray:
    """Return (N, D) pooled vectors of an encoder, from the table that is at hand if it is."""
    own = tables.encoders[number] if tables.encoders else None
    if own is not None and own.layout == POOLED:
        return own.values
    return encoded[number].table(POOLED).values


def _encoding_seconds(encoded: Sequence[Vectors]) -> float:
    return round(sum(each.report.seconds for each in encoded), 3)


def _result(
    config: ExperimentConfig,
    layout: str,
    corpus: Corpus,
    vectors: Vectors,
    duplicates: Duplicates,
    outcome: Trainings,
) -> ExperimentResult:
    """Return the result; its run folder is set later."""
    first, test, names = outcome.first, outcome.test, outcome.names
    split = first.split
    split_rows = np.concatenate([split.train, split.validation, split.test])
    leaking = np.concatenate(
        [leaked(duplicates, training.learned, training.split.test) for training in outcome.best]
    )
    predicted = _baselines(config, corpus.texts, outcome)
    return ExperimentResult(
        run=config.runs,
        head=config.head,
        layout=layout,
        encoded=vectors.report.encoded,
        truncated=int(vectors.truncated[split_rows].sum()),
        validation=outcome.validation.score(),
        test=test.score(),
        baselines={name: score(test.labels, each) for name, each in predicted.items()},
        against={
            name: compare(test.right, each == test.labels) for name, each in predicted.items()
        },
        epochs=len(first.trained.history),
        best_epoch=first.trained.best_epoch,
        chosen=_chosen(config.head, first),
        parameters=first.trained.parameters,
        seconds={
            "encoding": _encoding_seconds([vectors]),
            "training": round(sum(training.seconds for training in outcome.trainings), 3),
        },
        notes=first.split.notes,
        leaked=int(leaking.sum()),
        test_without_leaked=_score_some(test, ~leaking),
        tokens_cut_share=round(vectors.cut_share(split_rows), 6),
        refit=first.trained.settings.refit,
        seeds=config.seeds,
        folds=config.folds,
        trainings=tuple(_training_score(each, outcome) for each in outcome.trainings),
        over_seeds=outcome.over_seeds,
        over_folds=outcome.over_folds,
        classes=class_scores(test, names.all),
        calibration=calibration_of(test, first.trained.temperature),
        by_length=by_length(test, vectors.tokens),
        by_truncation=by_truncation(test, vectors.tokens, vectors.truncated),
        collapse=collapse(test, names.classes),
        mistake=most_frequent_mistake(test, names.all),
        mean_absolute_error=mean_absolute_error(test, names.all),
        foreign=vectors.foreign,
        accuracy_by_coverage=accuracy_by_coverage(test),
    )


def _with_advice(
    prepared: PreparedExperiment, result: ExperimentResult, vectors: Vectors
) -> ExperimentResult:
    """Return the result with what is worth knowing about it, and the next command."""
    found = vectors.foreign
    foreign = found is not None or is_foreign(prepared.corpus.texts)
    encoder = prepared.config.vectors.encoder
    facts = Facts(
        prepared.config,
        result,
        limit=vectors.spaces[-1].spec.limit,
        long=int(np.quantile(vectors.tokens, LONG_SHARE)),
        foreign=foreign,
        unread=found.text if found else unread_language(encoder, foreign),
        official=prepared.corpus.splits is not None,
    )
    advice, command = advise(facts)
    return replace(result, advice=advice, command=command)


def _chosen(head: str, training: Training) -> str:
    """Return which epoch, or value tried, validation has chosen."""
    trained, kind = training.trained, head_type(head)
    best = trained.history[trained.best_epoch - 1]
    if trained.layout == WORDS:
        return f"C = {best.value:g} of the words"
    name = kind.record_name(trained.settings, best)
    return name if kind.values else f"{name} of {len(trained.history)}"


def _training_score(training: Training, outcome: Trainings) -> TrainingScore:
    return TrainingScore(
        fold=training.fold,
        seed=training.seed,
        best=training in outcome.best,
        validation=training.validation.score(),
        test=training.test.score(),
        temperature=training.trained.temperature,
        epochs=len(training.trained.history),
        best_epoch=training.trained.best_epoch,
        collapsed=collapse(training.test, outcome.names.classes) is not None,
        seconds=round(training.seconds, 3),
    )


def _score_some(evaluation: Evaluation, chosen: np.ndarray) -> Score | None:
    """Return the score of some texts of a side; None if there are none."""
    if not chosen.any():
        return None
    return score(evaluation.labels[chosen], evaluation.predicted[chosen])


def _baselines(
    config: ExperimentConfig, texts: Sequence[str], outcome: Trainings
) -> dict[str, np.ndarray]:
    """Return the predictions of baselines that learned from the same texts as the heads."""
    labels, root = outcome.labels, config.vectors.cache
    sides = [(training.learned, training.split.test) for training in outcome.best]
    found = {
        baselines.MAJORITY: [baselines.majority(labels, *side) for side in sides],
    }
    try:
        found[baselines.TFIDF] = [
            baselines.cached_tfidf_logistic(root, texts, labels, *side) for side in sides
        ]
    except Exception as error:  # a failed baseline must not lose trained heads
        print_note(
            f"note: the TF-IDF baseline failed ({error}); the run is complete without it"
        )
    return {name: np.concatenate(parts) for name, parts in found.items()}
