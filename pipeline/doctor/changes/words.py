"""Word counts as a witness: without giveaways, on the whole text, against pooled vectors."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from pipeline.audit.giveaways import without
from pipeline.doctor.case import Case
from pipeline.doctor.counterfactual import Trial
from pipeline.doctor.measuring.corpus import giveaways_of, seen_tokens
from pipeline.evaluation.baselines import tfidf_logistic


def without_giveaways(case: Case) -> Trial:
    """Compare word counts with and without the tokens that give a label away; no encoding."""
    started = time.perf_counter()
    texts = _texts(case)
    found = giveaways_of(case)
    cleaned = [without(text, found)[0] for text in texts]
    before, after = _right(case, texts), _right(case, cleaned)
    return Trial(before, after, seconds=time.perf_counter() - started)


def whole_texts(case: Case) -> Trial:
    """Compare word counts on what the encoder sees of truncated texts, and on all of it."""
    started = time.perf_counter()
    texts = _texts(case)
    if case.truncated is None or case.tokens is None:
        return Trial(case.right[:0], case.right[:0])
    limit = seen_tokens(case)
    shares = np.where(case.truncated, limit / np.maximum(case.tokens, 1), 1.0)
    seen = [text[: int(len(text) * share)] for text, share in zip(texts, shares, strict=True)]
    cut = case.truncated[case.validation]
    before, after = _right(case, seen)[cut], _right(case, texts)[cut]
    return Trial(before, after, seconds=time.perf_counter() - started)


def words_for_vectors(case: Case) -> Trial:
    """Compare logistic regression on pooled vectors with the same on word counts."""
    from pipeline.doctor.measuring.references import LOGISTIC, predict_with

    started = time.perf_counter()
    labels = case.labels[case.validation]
    before = predict_with(case, LOGISTIC) == labels
    after = _right(case, _texts(case))
    return Trial(before, after, seconds=time.perf_counter() - started)


def _texts(case: Case) -> Sequence[str]:
    assert case.texts is not None
    return case.texts


def _right(case: Case, texts: Sequence[str]) -> np.ndarray:
    """Return (m,) bool: validation texts that word counts label rightly."""
    predicted = tfidf_logistic(texts, case.labels, case.train, case.validation)
    right: np.ndarray = predicted == case.labels[case.validation]
    return right
