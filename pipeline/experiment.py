"""One whole experiment: labelled texts + encoder + head -> a run folder.

read_corpus -> ensure_vectors -> find_copies -> split -> fit -> score -> run folder
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import numpy as np

from features.copies import find_copies
from features.encoding import Encoder
from features.model import EncoderModel
from features.splits import Split
from features.table import POOLED, FeatureTable
from heads.base import EpochRecord, HeadSettings
from heads.registry import check_layout, head_type, make_settings
from heads.trained import TrainedHead, fit
from pipeline import baselines
from pipeline.config import ExperimentConfig
from pipeline.findings_copies import leaked
from pipeline.partition import read_labelled, split_corpus
from pipeline.record import Record, write_record
from pipeline.results import Evaluation, ExperimentResult, Score, score
from pipeline.runs import new_run, run_name
from pipeline.vectors import ensure_vectors, say, with_pooled


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
    make_settings(config.head, config.overrides(classes=2))  # refused before any work
    layout = config.layout or head_type(config.head).layouts[0]
    check_layout(config.head, layout)
    corpus = read_labelled(config.data)
    described = config.to_dict()
    with new_run(config.runs, run_name(config.head, described, datetime.now(UTC))) as run:
        vectors = ensure_vectors(corpus.texts, config.vectors, with_pooled(layout), load=load)
        table = vectors.table(layout)
        pooled = vectors.table(POOLED).values
        copies = find_copies(corpus.texts, pooled)
        split = split_corpus(corpus, config.data, copies)
        settings = make_settings(config.head, config.overrides(len(split.classes)))
        labels = split.label_ids(corpus.labels or ())
        trained, training = _train(config, settings, table, labels, split)
        evaluations = _evaluate(trained, table, labels, split)
        validation, test = (score(side.labels, side.predicted) for side in evaluations)
        copied = leaked(copies, split.train, split.test)
        result = ExperimentResult(
            run=run.final,
            head=config.head,
            layout=layout,
            encoded=vectors.report.encoded,
            truncated=int(vectors.truncated.sum()),
            validation=validation,
            test=test,
            baselines=_score_baselines(corpus.texts, labels, split),
            epochs=len(trained.history),
            best_epoch=trained.best_epoch,
            parameters=trained.parameters,
            seconds={
                "encoding": round(vectors.report.seconds, 3),
                "training": round(training, 3),
            },
            notes=split.notes,
            copied=int(copied.sum()),
            test_without_copies=_score_some(evaluations[1], ~copied),
            tokens_cut_share=round(vectors.cut_share, 6),
        )
        spec = vectors.space(layout).spec
        record = Record(described, corpus, split, spec, trained, evaluations, pooled)
        write_record(run.folder, record, result)
    return replace(result, run=run.final)


def _train(
    config: ExperimentConfig,
    settings: HeadSettings,
    table: FeatureTable,
    labels: np.ndarray,
    split: Split,
) -> tuple[TrainedHead, float]:
    """The trained head, and the seconds that took."""
    start = time.perf_counter()
    trained = fit(
        config.head,
        settings,
        table,
        labels,
        split.train,
        split.validation,
        split.classes,
        config.seed,
        partial(_say_epoch, head_type(config.head).step),
    )
    return trained, time.perf_counter() - start


def _evaluate(
    trained: TrainedHead, table: FeatureTable, labels: np.ndarray, split: Split
) -> tuple[Evaluation, Evaluation]:
    def side(name: str, rows: np.ndarray) -> Evaluation:
        return Evaluation(name, rows, labels[rows], trained.predict_proba(table, rows))

    return side("validation", split.validation), side("test", split.test)


def _score_some(evaluation: Evaluation, chosen: np.ndarray) -> Score | None:
    """The score of some of the texts of a side; None of none."""
    if not chosen.any():
        return None
    return score(evaluation.labels[chosen], evaluation.predicted[chosen])


def _score_baselines(
    texts: Sequence[str], labels: np.ndarray, split: Split
) -> dict[str, Score]:
    truth = labels[split.test]
    most = baselines.majority(labels, split.train, split.test)
    words = baselines.tfidf_logistic(texts, labels, split.train, split.test)
    return {"majority": score(truth, most), "tfidf_logistic": score(truth, words)}


def _say_epoch(step: str, record: EpochRecord) -> None:
    say(
        f"{step} {record.epoch:>3}: loss {record.train_loss:.3f} training, "
        f"{record.validation_loss:.3f} validation; accuracy {record.train_accuracy:.1%}, "
        f"{record.validation_accuracy:.1%}; {record.seconds:.1f} s"
    )
