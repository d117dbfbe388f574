"""Notes on the split: what near-duplicates have to do with it, where they have."""

from __future__ import annotations

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import find_duplicates
from pipeline.config import DataConfig
from pipeline.training.partition import split_corpus
from tests.support.corpora import sentence, vectors

TEXTS = [sentence(i) for i in range(30)]
TEXTS[1] = TEXTS[0].replace("cousin", "uncle")
LABELS = tuple("ab" * 15)


def notes(splits: list[str] | None) -> str:
    corpus = Corpus(tuple(TEXTS), LABELS, None if splits is None else tuple(splits))
    copies = find_duplicates(TEXTS, vectors(TEXTS))
    return " ".join(split_corpus(corpus, DataConfig(), copies).notes)


def test_near_duplicates_are_told_where_they_are_kept_together() -> None:
    assert (
        "2 of 30 texts have duplicates or near-duplicates, in 1 cluster; each is on one side"
        in notes(None)
    )
    open_split = notes(["train"] * 20 + ["test"] * 10)
    assert "on one side of the split, unless the split column decides" in open_split


def test_a_split_column_that_leaves_no_choice_needs_no_note() -> None:
    assert "on one side" not in notes(["train"] * 10 + ["dev"] * 10 + ["test"] * 10)
