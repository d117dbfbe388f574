"""The test texts of a run: what they are, what the run says of them, and their vectors.

A run folder keeps the probabilities of all test texts, but only the texts of errors. The others
are read again from the data, and the vectors from the cache, where both are still at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from features.corpus.corpus import Corpus, read_corpus
from features.errors import CacheError, DamagedFileError, ManyheadsError
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED
from pipeline.config import DataConfig, ExperimentConfig
from pipeline.evaluation.evaluation import ClassNames
from pipeline.pages.config import ReportConfig
from pipeline.runs.files.arrow import numbers_of
from pipeline.runs.reader import read_held_out, read_predictions
from pipeline.runs.run_config import Resolved


@dataclass(frozen=True, eq=False)
class TestTexts:
    """The n test texts of a run.

    Attributes:
        names: the class ids.
        labels, predicted: (n,) int64 class ids.
        confidence: (n,) float64, the probability of the predicted class, in [0, 1].
        rows: (n,) int64 data rows, from 1.
        positions: (n,) int64 positions in the corpus; None of a run that did not keep them.
        probabilities: (n, C) float32; None of a run that did not keep them.
        corpus_digest: of the corpus; '' where it is not known.
    """

    __test__ = False  # pytest takes the name for that of a test

    names: ClassNames
    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    rows: np.ndarray
    positions: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    corpus_digest: str = ""

    @property
    def right(self) -> np.ndarray:
        """Return (n,) bool: whether each text is labelled rightly."""
        hits: np.ndarray = self.labels == self.predicted
        return hits


def read_test_texts(folder: Path) -> TestTexts:
    """Return the test texts of a run; of one that kept no probabilities, from its predictions.

    Raises:
        DamagedFileError: a file is missing or damaged.
    """
    try:
        held_out = read_held_out(folder)
    except DamagedFileError:
        raise
    except CacheError:
        return _from_predictions(folder)
    test = held_out.test
    return TestTexts(
        held_out.names,
        test.labels,
        test.predicted,
        test.probabilities.max(axis=1).astype(np.float64),
        held_out.rows[test.rows],
        test.rows,
        test.probabilities,
        held_out.corpus_digest,
    )


def _from_predictions(folder: Path) -> TestTexts:
    table = read_predictions(folder)
    chosen = np.flatnonzero(np.array(table.column("side").to_pylist()) == "test")
    table = table.take(chosen)
    labels, predicted = (table.column(name).to_pylist() for name in ("label", "predicted"))
    names = ClassNames(tuple(sorted({*labels, *predicted})), ())
    return TestTexts(
        names,
        names.ids(labels),
        names.ids(predicted),
        numbers_of(table, "confidence"),
        numbers_of(table, "row"),
    )


def read_texts(
    tests: TestTexts, asked: ExperimentConfig | None, config: ReportConfig
) -> Corpus | None:
    """Return the corpus of a run, read from its data again; None where it is not at hand.

    Args:
        tests: of the run; a file with other texts is not taken.
        asked: what the run was asked for.
        config: may name another file.
    """
    data = asked.data if asked else DataConfig()
    if config.data is not None:
        data = replace(data, data=config.data)
    elif asked is None:
        return None
    try:
        corpus = read_corpus(
            data.data, data.columns, skip_empty=data.skip_empty, dialect=data.dialect
        )
    except ManyheadsError:
        return None
    return corpus if corpus.digest == tests.corpus_digest else None


def read_vectors(
    texts: Sequence[str],
    asked: ExperimentConfig | None,
    resolved: Resolved,
    config: ReportConfig,
) -> np.ndarray | None:
    """Return (n, D) pooled vectors of texts from the cache; None where it lacks any.

    Nothing is encoded, and no model is loaded.

    Args:
        texts: n of them.
        asked: what the run was asked for; it names the cache.
        resolved: of the run.
        config: may name another cache.
    """
    from features.store.store import FeatureStore
    from features.text.keys import text_keys

    cache = config.cache or (asked.vectors.cache if asked else None)
    if cache is None or asked is None:
        return None
    try:
        space = FeatureStore(cache).space(_pooled_spec(asked, resolved))
        keys = text_keys(texts)
        if space.missing(keys).any():
            return None
        return np.asarray(space.table(keys).values, dtype=np.float32)
    except (ManyheadsError, OSError, TypeError, ValueError):
        return None


def _pooled_spec(asked: ExperimentConfig, resolved: Resolved) -> FeatureSpec:
    """Return the spec of the pooled vectors of the same encoder.

    Raises:
        ManyheadsError: the encoder is not here, or is another by now.
    """
    spec = FeatureSpec.from_dict(resolved.spec)
    if spec.layout == POOLED:
        return spec
    from features.encoders.description.model import find_model

    vectors = asked.vectors
    encoder = resolved.encoder or vectors.encoder
    model = find_model(encoder, vectors.trust_remote_code)
    prompt = model.chosen_prompt(vectors.prompt, vectors.prompt_name)
    pooled = model.spec(POOLED, None, vectors, prompt=prompt)
    pooled = replace(pooled, precision=spec.precision)
    if pooled.weights != spec.weights:
        raise CacheError(f"the encoder {encoder} is another than that of the run")
    return pooled
