"""M11: what the audit's finders find among the texts and labels of a case."""

from __future__ import annotations

import numpy as np

from features.duplicates.duplicates import Duplicates
from heads.evaluation.metrics import differ
from pipeline.audit.finding import Evidence
from pipeline.audit.giveaways import COVERED, Giveaway, giveaways, is_odd
from pipeline.audit.labels import conflicting, label_key
from pipeline.doctor.case import Case
from pipeline.doctor.measurements import Audit
from pipeline.doctor.measuring.labels.wrong_labels import measure_wrong_labels
from pipeline.doctor.measuring.pooled import pooled_of

SHOWN = 3

LEVEL = 0.01

QUARTERS = 4

MOST_GIVEAWAYS = 50


def measure_audit(case: Case) -> Audit | None:
    """Return what the audit says of the case; None without texts and without vectors."""
    if pooled_of(case) is None and case.texts is None:
        return None
    found = [] if case.texts is None else giveaways_of(case)
    cut = _cut(case)
    unequal = _conflicts(case)
    return Audit(
        wrong=measure_wrong_labels(case),
        giveaway_share=max((one.coverage for one in found), default=0.0),
        giveaways=tuple((one.token, one.label) for one in found[:SHOWN]),
        variants=variants(case.classes),
        conflicts=len(unequal),
        conflicts_share=float(np.isin(case.train, unequal).mean()),
        truncated_share=0.0 if case.truncated is None else float(case.truncated.mean()),
        tokens_cut_share=_cut_share(case),
        whole_accuracy=cut[0],
        truncated_accuracy=cut[1],
        truncation_matters=cut[2],
        tokens_wanted=0 if case.tokens is None else int(np.quantile(case.tokens, 0.99)),
        accuracy_by_length=_by_length(case),
    )


def variants(classes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return groups of labels that differ in spelling alone, such as ``Joy`` and ``joy``."""
    alike: dict[str, list[str]] = {}
    for label in classes:
        alike.setdefault(label_key(label), []).append(label)
    return tuple(tuple(group) for group in alike.values() if len(group) > 1)


def giveaways_of(case: Case) -> list[Giveaway]:
    """Return tokens that alone predict a label and are no plain words, such as ids and tags.

    Beginnings of plain words, such as "how many", belong to many an honest class. A plain word
    that most texts of a class end with, and that stands nowhere else, may be a made-up tag.
    """
    if case.corpus is None or case.duplicates is None:
        return []
    found = giveaways(_evidence(case, case.duplicates))
    return [one for one in found if _is_planted(one)][:MOST_GIVEAWAYS]


def _is_planted(one: Giveaway) -> bool:
    """Return whether a giveaway is no plain word, or a tag at the end."""
    return any(map(is_odd, one.token.split())) or (one.last and one.coverage >= COVERED)


def _evidence(case: Case, duplicates: Duplicates) -> Evidence:
    corpus = case.corpus
    assert corpus is not None
    count = len(corpus)
    tokens = np.zeros(count, np.int64) if case.tokens is None else case.tokens
    pooled = pooled_of(case)
    vectors = np.zeros((count, 1), np.float32) if pooled is None else pooled
    return Evidence(corpus, None, duplicates, vectors, tokens, max_length=0)


def _conflicts(case: Case) -> np.ndarray:
    """Return the rows whose text stands there with another label as well."""
    if case.corpus is None or case.duplicates is None:
        return np.zeros(0, np.int64)
    return conflicting(_evidence(case, case.duplicates))


def _cut_share(case: Case) -> float:
    """Return the share of all tokens that is cut off."""
    if case.tokens is None or case.truncated is None or not case.truncated.any():
        return 0.0
    over = np.maximum(case.tokens - seen_tokens(case), 0)[case.truncated]
    return float(over.sum()) / max(float(case.tokens.sum()), 1.0)


def seen_tokens(case: Case) -> int:
    """Return how many tokens of a text the encoder sees, as far as the texts show it."""
    assert case.tokens is not None
    assert case.truncated is not None
    whole = int(case.tokens[~case.truncated].max(initial=0))
    return max(whole, int(case.tokens[case.truncated].min(initial=1 << 30)) - 1)


def _cut(case: Case) -> tuple[float | None, float | None, bool]:
    """Return the accuracy of whole and of truncated validation texts; whether they differ."""
    if case.truncated is None:
        return None, None, False
    cut, right = case.truncated[case.validation], case.right
    if cut.all() or not cut.any():
        return None, None, False
    texts = np.array([int((~cut).sum()), int(cut.sum())])
    hits = np.array([int(right[~cut].sum()), int(right[cut].sum())])
    whole, truncated = (hits / texts).tolist()
    return whole, truncated, differ(hits, texts, LEVEL)


def _by_length(case: Case) -> tuple[tuple[float, int, float], ...]:
    """Return (median length, texts, accuracy) of quarters of the validation texts.

    Lengths are tokens, or vectors where tokens are not known.
    """
    lengths = case.tokens
    if lengths is None:
        table = case.tables.vectors
        lengths = None if table is None else table.lengths
    if lengths is None:
        return ()
    own = lengths[case.validation]
    edges = np.unique(np.quantile(own, np.arange(1, QUARTERS) / QUARTERS))
    places = np.searchsorted(edges, own)
    return tuple(
        (
            float(np.median(own[places == place])),
            int((places == place).sum()),
            float(case.right[places == place].mean()),
        )
        for place in np.unique(places).tolist()
    )
