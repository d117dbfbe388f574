"""The part of a head that reads words: what it learns from, its optimum, its share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from features.words.counting import count_words
from features.words.table import WORD_BIT, WordTable
from heads.evaluation.shares import choose_share
from heads.words.fitting import fit_words, refit_words
from heads.words.model import WordModel
from heads.words.solver import SparseObjective
from heads.words.tfidf import learn_tfidf

TOPICS = ("goal match team", "bank money loan", "soup bread salt")
TEXTS, CLASSES = 120, 3
LABELS = np.arange(TEXTS) % CLASSES
TRAIN, VALIDATION = np.arange(80), np.arange(80, 120)


def make_words(seed: int = 0) -> WordTable:
    """Words of the topic among words of any; a word of its own in every text."""
    random = np.random.default_rng(seed)
    every = " ".join(TOPICS).split()
    texts = [
        " ".join(
            [*random.choice(TOPICS[label].split(), 2), *random.choice(every, 3), f"x{row}"]
        )
        for row, label in enumerate(LABELS)
    ]
    return count_words(texts)


def test_nothing_is_learned_from_other_texts() -> None:
    table = make_words()
    other = make_words(seed=1)
    mixed = WordTable(
        np.concatenate([table[TRAIN].ids, other[VALIDATION].ids]),
        np.concatenate([table[TRAIN].counts, other[VALIDATION].counts]),
        np.concatenate(
            [table[TRAIN].offsets, table.offsets[80] + other[VALIDATION].offsets[1:]]
        ),
    )
    one, two = (learn_tfidf(each, TRAIN, LABELS[TRAIN]) for each in (table, mixed))
    assert np.array_equal(one.ids, two.ids)
    assert np.array_equal(one.idf, two.idf)
    assert len(one.ids) < len(np.unique(table[TRAIN].ids))  # what is in one text is left out


def test_values_have_length_one_by_kind() -> None:
    table = make_words()
    learned = learn_tfidf(table, TRAIN, LABELS[TRAIN])
    values = learned.transform(table, VALIDATION)
    words = learned.ids >= WORD_BIT
    for kind in (words, ~words):
        squares = np.asarray(values[:, kind].power(2).sum(axis=1)).ravel()
        assert squares == pytest.approx(np.ones(40), abs=1e-5)


def test_a_few_texts_have_the_values_that_they_have_among_all() -> None:
    table = make_words()
    learned = learn_tfidf(table, TRAIN, LABELS[TRAIN])
    every = learned.transform(table, np.arange(TEXTS))  # looked up by the vocabulary
    for rows in (np.array([7]), np.array([119, 3]), np.arange(0)):
        few = learned.transform(table, rows)
        assert (few != every[rows]).nnz == 0
        assert few.shape == (len(rows), len(learned.ids))


def test_letters_alone_where_words_do_not_repeat() -> None:
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("天地人山水火土金木日月"), 12)) for _ in range(60)]
    learned = learn_tfidf(count_words(texts), np.arange(60), np.zeros(60, np.int64))
    assert len(learned.ids)
    assert not (learned.ids >= WORD_BIT).any()


def test_too_many_values_leave_those_that_tell_classes() -> None:
    table = make_words()
    whole = learn_tfidf(table, TRAIN, LABELS[TRAIN])
    limit = len(table[TRAIN].ids) // 4
    some = learn_tfidf(table, TRAIN, LABELS[TRAIN], max_entries=limit)
    assert 0 < some.transform(table, TRAIN).nnz <= limit
    assert np.isin(some.ids, whole.ids).all()
    assert np.isin(whole.ids[whole.ids >= WORD_BIT], some.ids).all()  # words before letters
    few = learn_tfidf(table, TRAIN, LABELS[TRAIN], max_entries=200)
    topics = count_words(" ".join(TOPICS).split()).ids
    assert np.isin(few.ids, topics).mean() > 0.7  # before what stands there by chance


@pytest.mark.parametrize("c", [0.3, 30.0])
def test_the_optimum_is_that_of_scikit_learn(c: float) -> None:
    random = np.random.default_rng(0)
    x = sparse.random(200, 90, 0.2, "csr", np.float32, random_state=random)
    y = np.argmax(x @ random.normal(size=(90, 4)) + random.normal(size=(200, 4)), axis=1)
    expected = LogisticRegression(C=c, tol=1e-8, max_iter=5000).fit(x, y).decision_function(x)
    expected -= expected.mean(axis=1, keepdims=True)
    objective = SparseObjective(x, y, 4)
    objective.minimize(c / 10, tolerance=1e-5)
    weights, bias = objective.minimize(c, tolerance=1e-5)
    logits = x @ weights + bias
    logits -= logits.mean(axis=1, keepdims=True)
    distance = float(np.abs(logits - expected).max())
    print(f"C {c}: {distance:.1e} of {expected.max():.1f}")
    assert distance < 2e-3 * np.abs(expected).max()


def test_fit_and_refit() -> None:
    table = make_words()
    model, history, best = fit_words(table, LABELS, TRAIN, VALIDATION, CLASSES)
    right = model.logits(table, VALIDATION).argmax(axis=1) == LABELS[VALIDATION]
    assert right.mean() > 0.8
    losses = [record.validation_loss for record in history]
    assert losses.index(min(losses)) + 1 == best
    c = history[best - 1].value
    again = refit_words(table, LABELS, TRAIN, model, c)
    assert np.array_equal(again.ids, model.ids)
    assert np.abs(again.weights - model.weights).max() < 0.1


def test_a_refit_that_begins_at_a_model_of_fewer_texts_ends_where_another_does() -> None:
    table, every = make_words(), np.arange(TEXTS)
    model, _, _ = fit_words(table, LABELS, TRAIN, VALIDATION, CLASSES)
    nothing = WordModel(model.ids[:0], model.idf[:0], model.weights[:0], 0 * model.bias, 0.3)
    warm, cold = (refit_words(table, LABELS, every, near, 10.0) for near in (model, nothing))
    assert len(warm.ids) > len(model.ids)
    assert cold.share == 0.3
    assert np.abs(warm.weights - cold.weights).max() < 0.05 * np.abs(cold.weights).max()
    logits = cold.logits(table, every)
    assert np.abs(warm.logits(table, every) - logits).max() < 0.03 * np.abs(logits).max()


def test_texts_without_words() -> None:
    table = count_words(["", " ", "", ""])
    labels = np.array([0, 1, 1, 0])
    model, _, _ = fit_words(table, labels, np.arange(3), np.array([3]), 2)
    logits = model.logits(table, np.arange(4))
    assert logits.shape == (4, 2)
    assert np.isfinite(logits).all()


def test_share() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 400)
    truth = np.eye(3, dtype=np.float32)[labels]

    def told(noise: float) -> np.ndarray:
        return (2 * truth + noise * random.normal(size=truth.shape)).astype(np.float32)

    nothing = random.normal(size=truth.shape).astype(np.float32)
    assert choose_share(labels, told(1.0), nothing) == 0.0
    assert choose_share(labels, nothing, told(1.0)) == 1.0
    assert 0.2 < choose_share(labels, told(1.5), told(1.5)) < 0.8
    assert choose_share(labels + 3, nothing, nothing) == 0.0  # of labels nobody knows
