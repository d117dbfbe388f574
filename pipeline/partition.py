"""The labelled texts of an experiment and who trains, validates and tests.

Near-copies stay on one side of every split that is made here, so the vectors come first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.copies import Copies
from features.corpus import Corpus, read_corpus
from features.splits import Split, make_split
from features.stratify import ids_of, joined
from pipeline.config import NEAR, DataConfig
from pipeline.vectors import say

LARGE_SHARE = 0.05
"""Of all rows; a cluster of near-copies that is larger is named."""


def read_labelled(data: DataConfig) -> Corpus:
    """The labelled texts of a data configuration; a split of them must be possible.

    Raises:
        CorpusError, SplitError: as ``read_corpus`` and ``make_split``, before any encoding.
    """
    corpus = read_corpus(data.data, data.columns, skip_empty=data.skip_empty)
    _split(corpus, data, None if corpus.groups is None else ids_of(corpus.groups))
    if corpus.skipped:
        say(f"note: {corpus.skipped:,} rows without a text or label were left out")
    return corpus


def split_corpus(corpus: Corpus, data: DataConfig, copies: Copies) -> Split:
    """The split of a corpus, said on stderr.

    Raises:
        SplitError: too little is left to split once copies and groups stay together.
    """
    groups = group_ids(corpus, copies, data.split)
    split = _split(corpus, data, groups)
    if data.split == NEAR:
        split = replace(split, notes=(*split.notes, *_cluster_notes(corpus, copies)))
    say(
        f"{corpus.name}: {len(corpus):,} texts, {len(split.classes)} classes; "
        f"{len(split.train):,} to train, {len(split.validation):,} to validate, "
        f"{len(split.test):,} to test"
    )
    for note in split.notes:
        say(f"note: {note}")
    return split


def group_ids(corpus: Corpus, copies: Copies, rule: str) -> np.ndarray | None:
    """(N,) int64 ids of rows that stay together, or None where only exact copies do.

    Args:
        rule: ``near`` joins near-copies; a group column is obeyed under every rule.
    """
    column = None if corpus.groups is None else ids_of(corpus.groups)
    if rule != NEAR:
        return column
    clusters = ids_of(copies.clusters.tolist())
    return clusters if column is None else joined(clusters, column)


def _split(corpus: Corpus, data: DataConfig, groups: np.ndarray | None) -> Split:
    return make_split(
        corpus.labels or (),
        corpus.texts,
        corpus.splits,
        groups=groups,
        seed=data.split_seed,
        rows=corpus.rows,
    )


def _cluster_notes(corpus: Corpus, copies: Copies) -> list[str]:
    """What near-copies there are, and what keeping them together means for the score."""
    sizes = np.bincount(copies.clusters)
    rows = int(sizes[sizes > 1].sum())
    if not rows:
        return []
    official = "" if corpus.splits is None else " where the split column leaves the choice"
    notes = [
        f"{rows:,} of {len(corpus):,} texts have copies or near-copies, in "
        f"{int((sizes > 1).sum()):,} clusters that were kept on one side{official}; "
        "--split random would part them and score too high."
    ]
    if sizes.max() > LARGE_SHARE * len(corpus):
        notes.append(
            f"The largest cluster of near-copies has {int(sizes.max()):,} texts and stays "
            "whole: the sides' shares and classes may be off; see manyheads audit."
        )
    return notes
