"""What a head must beat, on texts of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.baselines import tfidf_logistic


@pytest.mark.parametrize("classes", [2, 1000])
def test_words_that_name_their_class_are_learned(classes: int) -> None:
    """However many classes: the gradient of zero weights falls with them."""
    labels = np.tile(np.arange(classes), 4)
    texts = [f"please help with topic{label} today" for label in labels]
    train, rows = np.arange(3 * classes), np.arange(3 * classes, 4 * classes)
    predicted = tfidf_logistic(texts, labels, train, rows)
    assert predicted.dtype == np.int64
    assert np.mean(predicted == labels[rows]) > 0.99
    assert (predicted == tfidf_logistic(texts, labels, train, rows)).all()


@pytest.mark.parametrize("marks", ["AB", "51", "?!", "\u00e9\u00e8"])
def test_texts_without_a_word_are_told_apart_by_their_letters(marks: str) -> None:
    labels = np.arange(40) % 2
    texts = [marks[label] + " " + marks[label] for label in labels]
    predicted = tfidf_logistic(texts, labels, np.arange(30), np.arange(30, 40))
    assert (predicted == labels[30:]).all()


def test_a_few_words_among_letters_do_not_hide_the_letters() -> None:
    labels = np.arange(40) % 2
    texts = ["AB"[label] for label in labels]
    texts[0] = "see page two"
    predicted = tfidf_logistic(texts, labels, np.arange(30), np.arange(30, 40))
    assert (predicted == labels[30:]).all()


def test_texts_that_teach_nothing_get_the_majority() -> None:
    labels = np.array([0, 0, 0, 1])
    every = np.arange(3)
    assert (tfidf_logistic(["one two"] * 4, labels, every, np.array([3])) == 0).all()
    labels[0] = 1
    assert (tfidf_logistic([""] * 4, labels, every, np.array([3])) == 0).all()
