"""Runs that were never trained, as the report reads them: of any size, with any texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.corpus.corpus import Corpus
from heads.problem import EpochRecord
from pipeline.config import ExperimentConfig
from pipeline.evaluation.breakdown import class_scores
from pipeline.evaluation.evaluation import ClassNames, Evaluation, score
from pipeline.evaluation.result import Calibration, ExperimentResult
from pipeline.overview.run_facts import RunFacts
from pipeline.overview.run_page import RunPage
from pipeline.pages.config import ReportConfig
from pipeline.pages.material import Material
from pipeline.pages.test_texts import TestTexts
from pipeline.runs.files.misclassified import Misclassified
from pipeline.runs.files.training_texts import Neighbor
from pipeline.runs.formats import HistoryLine
from pipeline.runs.run_config import RunConfig


def made_run(
    folder: Path,
    texts: Sequence[str],
    labels: Sequence[str],
    accuracy: float = 0.7,
    seed: int = 0,
) -> Material:
    """Return a run whose test texts are all of some texts; the answers are drawn.

    Args:
        folder: that the run claims to be in.
        texts: n of them.
        labels: n of them, of at least 3 kinds.
        accuracy: about the share that is labelled rightly.
        seed: of the answers.
    """
    random = np.random.default_rng(seed)
    classes = tuple(sorted(set(labels)))
    names = ClassNames(classes, ())
    ids = names.ids(labels)
    count = len(texts)
    logits = random.standard_normal((count, len(classes))).astype(np.float32)
    hit = random.random(count) < accuracy
    logits[np.arange(count), np.where(hit, ids, (ids + 1 + ids % 2) % len(classes))] += 4
    shares = np.exp(logits)
    shares /= shares.sum(axis=1, keepdims=True)
    test = Evaluation("test", np.arange(count), ids, shares, shares)
    result = _result(folder, test, classes, labels[0])
    history = tuple(
        HistoryLine(1, 0, EpochRecord(i, 2 / i, 0.2 * i, 2.5 / i, 0.15 * i, 0.1, 0.1, 1.0))
        for i in (1, 2, 3)
    )
    tests = TestTexts(
        names,
        ids,
        test.predicted,
        shares.max(axis=1).astype(np.float64),
        np.arange(1, count + 1),
        np.arange(count),
        shares,
        "a digest",
    )
    return Material(
        _page(folder, result, classes, count),
        ExperimentConfig(head="cnn"),
        tests,
        Corpus(tuple(texts), tuple(labels)),
        _errors(tests, texts, labels),
        history,
        ReportConfig(cache=folder / "no-cache"),
    )


def _result(
    folder: Path, test: Evaluation, classes: tuple[str, ...], label: str
) -> ExperimentResult:
    return ExperimentResult(
        run=folder,
        head="cnn",
        layout="tokens",
        encoded=len(test.labels),
        truncated=0,
        validation=test.score(),
        test=test.score(),
        baselines={"majority": score(test.labels, np.zeros_like(test.labels))},
        epochs=3,
        best_epoch=2,
        parameters=10,
        seconds={"encoding": 1.0, "training": 1.0},
        notes=(f"A note on {label}.",),
        classes=class_scores(test, classes),
        calibration=Calibration(1.0, 0.1, 0.1, 0.05, 15),
        advice=(f"Something about {label}.",),
    )


def _page(
    folder: Path, result: ExperimentResult, classes: tuple[str, ...], count: int
) -> RunPage:
    resolved = {
        "settings": {},
        "seed": 0,
        "spec": {},
        "fingerprint": "",
        "corpus_digest": "a digest",
        "classes": classes,
        "rows": {"train": count, "validation": 1, "test": count},
    }
    config = RunConfig.model_validate(
        {
            "data": {"data": "texts.csv", "split": "near", "split_seed": 0},
            "vectors": {"encoder": "an encoder"},
            "resolved": resolved,
        }
    )
    scores = result.validation, result.test
    facts = RunFacts("run", "texts.csv", "cnn", "an encoder", "tokens", *scores, 0.0)
    return RunPage(folder, "run", folder.parent, facts, result, config)


def _errors(
    tests: TestTexts, texts: Sequence[str], labels: Sequence[str]
) -> tuple[Misclassified, ...]:
    wrong = np.flatnonzero(~tests.right)
    order = wrong[np.argsort(-tests.confidence[wrong], kind="stable")]
    near = (Neighbor(7, texts[0], labels[0], 0.9),)
    return tuple(
        Misclassified(
            int(i) + 1,
            texts[i],
            labels[i],
            tests.names.classes[tests.predicted[i]],
            float(tests.confidence[i]),
            near,
        )
        for i in order.tolist()
    )
