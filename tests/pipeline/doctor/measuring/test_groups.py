"""Groups of measurements on data that is known by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import find_duplicates
from features.tables import as_tables
from features.vectors.table import TOKENS, FeatureTable
from heads.problem import EpochRecord
from pipeline.audit.giveaways import without
from pipeline.doctor.case import Case
from pipeline.doctor.changes.seeds import with_failed_seed
from pipeline.doctor.measuring.corpus import giveaways_of, measure_audit, variants
from pipeline.doctor.measuring.learning import (
    confused,
    loss_rise,
    measure_learning,
    measure_steps,
)
from pipeline.doctor.measuring.pooled import centred, means, pooled_table
from pipeline.doctor.measuring.rates import measure_rates, measure_seeds
from pipeline.doctor.measuring.references import halves_of, measure_references
from pipeline.doctor.measuring.sides import apart, auc_of, copied_vectors, measure_sides, runs_z
from pipeline.doctor.measuring.units import measure_units
from pipeline.doctor.measuring.vectors import measure_vectors, vectors_of
from tests.support import corpora
from tests.support.doctor.cases import trained_case
from tests.support.tables import cluster_problem, marker_problem


@pytest.fixture(scope="module")
def clusters() -> Case:
    """A trained mlp over pooled vectors around the centers of three classes."""
    return trained_case(cluster_problem(), "mlp", epochs=8, batch_size=16)


def test_what_the_head_knows(clusters: Case) -> None:
    found = measure_learning(clusters)
    assert found is not None
    assert found.accuracy == pytest.approx(float(clusters.right.mean()))
    assert found.gain > 0.5
    assert found.class_use == pytest.approx(1.0, abs=0.05)
    assert found.train_accuracy is not None
    assert found.train_accuracy > 0.9
    assert len(found.epochs) == len(clusters.history)


def test_how_its_steps_went(clusters: Case) -> None:
    found = measure_steps(clusters)
    assert found is not None
    assert found.per_epoch == 12
    assert -4 < found.update_ratio < -0.5
    assert found.loss_rise < 0.1


def test_a_rise_of_the_training_loss() -> None:
    assert loss_rise([1.0, 0.5, 0.4, 0.4, 0.4, 0.4]) == pytest.approx(0.0)
    assert loss_rise([1.0, 0.5, 0.4, 0.4, 0.9, 1.3, 1.6]) > 0.5


def test_pairs_with_most_errors() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 3])  # 3: training does not have it
    predicted = np.array([0, 1, 1, 0, 1, 2, 0, 0])
    assert confused(labels, predicted, 3) == ((0, 1, 3, 5), (0, 2, 1, 3))


def test_references_and_the_learning_curve(clusters: Case) -> None:
    found = measure_references(clusters)
    assert found is not None
    logistic = found.named("logistic")
    assert logistic is not None
    assert found.named("tfidf_logistic") is None  # arrays have no texts
    assert logistic.accuracy > 0.9
    assert logistic.interval[0] <= logistic.ahead <= logistic.interval[1]
    assert found.half is not None
    first, second = halves_of(clusters.labels, clusters.train)
    assert sorted([*first, *second]) == sorted(clusters.train.tolist())


def test_units_of_a_sequence_head_and_rates() -> None:
    case = trained_case(marker_problem(), "lstm", epochs=2, batch_size=16, units=8)
    found = measure_units(case)
    assert found is not None
    assert [layer.name for layer in found.layers] == ["lstm 1"]
    assert found.layers[0].saturated_at_start == 0.0
    assert (found.smallest_layer, found.reach[0]) == (8, 1.0)
    rates = measure_rates(case)
    assert rates is not None
    assert 1e-4 < rates.suggestion < 1.0


def test_heads_without_steps_have_neither() -> None:
    case = trained_case(cluster_problem(), "logistic")
    assert (measure_units(case), measure_rates(case)) == (None, None)
    assert measure_steps(case) is None


def test_sequences_are_pooled_by_their_mean() -> None:
    values = np.array([[1.0], [3.0], [10.0]], np.float32)
    table = FeatureTable(values, np.array([0, 2, 3]), TOKENS)
    assert means(table).tolist() == [[2.0], [10.0]]
    assert np.allclose(np.linalg.norm(centred(means(table), np.arange(2)), axis=1), 1.0)


def test_runs_and_label_shares() -> None:
    random = np.random.default_rng(0).integers(0, 4, 1000)
    assert abs(runs_z(random) or 0) < 3
    assert (runs_z(np.sort(random)) or 0) < -20
    assert runs_z(np.zeros(10, np.int64)) is None
    assert apart(np.array([0, 0, 1, 1]), np.array([0, 1])) == 0.0
    assert apart(np.array([0, 0]), np.array([1, 1])) == 1.0


def test_sides_are_told_apart_only_where_they_differ() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(400, 20))
    train, other = np.arange(300), np.arange(300, 400)
    alike = auc_of(vectors, train, other, None)
    assert alike is not None
    assert 0.35 < alike < 0.65
    vectors[300:] += 1.0
    assert (auc_of(vectors, train, other, None) or 0) > 0.95
    assert auc_of(vectors, train, other[:10], None) is None
    # Of texts of one group nothing can be learned beside those held out.
    assert auc_of(vectors, train, other, np.zeros(400, np.int64)) == 0.5
    pairs = np.arange(400) // 2  # copies stay on one side of a fold
    assert (auc_of(vectors, train, other, pairs) or 0) > 0.95


def test_vectors_that_are_broken() -> None:
    random = np.random.default_rng(0)
    sound = random.normal(size=(300, 40))
    found = vectors_of(sound)
    assert found.constant_share == found.equal_share == 0.0
    assert abs(found.mean_cosine) < 0.1
    assert found.effective_rank > 30
    assert vectors_of(sound + 20.0).mean_cosine > 0.98
    assert vectors_of(np.where(np.arange(40) < 24, 0.5, sound)).constant_share == 0.6
    scaled = sound.copy()
    scaled[:, 0] *= 10_000
    assert vectors_of(scaled).deviation_ratio > 1000
    repeated = sound[np.arange(300) % 5]
    assert vectors_of(repeated).equal_share == 1.0
    assert vectors_of(repeated, np.arange(300) % 5).equal_share == 0.0  # equal texts


@pytest.fixture(scope="module")
def texts() -> Case:
    """60 texts of two classes, of which validation has copies in training."""
    own = [corpora.sentence(i) for i in range(60)]
    words = ["joy is here", "anger is here"]
    rows = [f"{text} {words[i % 2]}" for i, text in enumerate(own)]
    rows[50:] = rows[:10]
    labels = ["joy", "anger"] * 30
    corpus = Corpus(tuple(rows), tuple(labels), ("train",) * 45 + ("validation",) * 15)
    vectors = corpora.vectors(rows).astype(np.float32)
    ids = np.arange(60) % 2
    case = trained_case(cluster_problem(), "logistic")
    return replace(
        case,
        tables=as_tables(pooled_table(vectors)),
        pooled=vectors,
        labels=ids,
        classes=("anger", "joy"),
        train=np.arange(45),
        validation=np.arange(45, 60),
        test=np.zeros(0, np.int64),
        logits=np.eye(2, dtype=np.float32)[np.where(np.arange(45, 60) < 50, 0, ids[45:])],
        trained=None,
        corpus=corpus,
        duplicates=find_duplicates(rows, vectors),
        tokens=np.array([10] * 50 + [40] * 10),
        truncated=np.arange(60) >= 50,
    )


def test_copies_across_are_counted_and_shown(texts: Case) -> None:
    found = measure_sides(texts)
    assert found.official
    assert (found.copied, found.compared) == (10, 15)
    assert found.copied_accuracy == 1.0
    assert found.uncopied_accuracy == pytest.approx(0.4)
    assert found.examples[0] == (51, 1)


def test_what_the_audit_says(texts: Case) -> None:
    found = measure_audit(texts)
    assert found is not None
    assert found.truncated_share == pytest.approx(1 / 6)
    assert found.truncated_accuracy == 1.0
    assert found.conflicts == 0
    assert found.wrong is None  # 50 texts without a copy are too few
    assert variants(("Joy", "joy ", "fear")) == (("Joy", "joy "),)


def test_vectors_of_a_case_without_any() -> None:
    case = trained_case(cluster_problem(), "logistic")
    assert measure_vectors(case) is not None


def test_a_history_without_known_validation_labels(clusters: Case) -> None:
    record = EpochRecord(1, 1.0, 0.5, float("nan"), 0.0, 1e-3, 0.1, 1.0)
    found = measure_learning(replace(clusters, history=(record,)))
    assert found is not None
    assert found.epochs[0].validation_loss is None


def test_beginnings_of_plain_words_are_no_giveaways(texts: Case) -> None:
    ids = np.arange(60) % 2
    rows = [f"{'how many' if i % 2 else '#joy'} {corpora.sentence(100 + i)}" for i in range(60)]
    corpus = Corpus(tuple(rows), tuple("ab"[i] for i in ids))
    vectors = corpora.vectors(rows).astype(np.float32)
    case = replace(texts, corpus=corpus, duplicates=find_duplicates(rows, vectors))
    assert {one.token for one in giveaways_of(case)} == {"#joy"}


def test_a_made_up_last_word_and_tokens_that_differ_in_digits_are_giveaways(
    texts: Case,
) -> None:
    ids = np.arange(90) % 3
    tags = ("zqxa", "ref17", "ref79")
    rows = [f"{corpora.sentence(100 + i)} {tags[i % 3]}" for i in range(90)]
    corpus = Corpus(tuple(rows), tuple("abc"[i] for i in ids))
    vectors = corpora.vectors(rows).astype(np.float32)
    case = replace(texts, corpus=corpus, duplicates=find_duplicates(rows, vectors))
    found = giveaways_of(case)
    assert {(one.token, one.label) for one in found} == set(zip(tags, "abc", strict=True))
    kept, gone = without(rows[1], found)
    assert (kept, gone) == (corpora.sentence(101), ["ref17"])
    anywhere = [f"zqxa {row[:-5]}" if i % 6 == 0 else row for i, row in enumerate(rows)]
    honest = replace(corpus, texts=tuple(anywhere))
    assert "zqxa" not in {one.token for one in giveaways_of(replace(case, corpus=honest))}


def test_other_seeds_of_the_run_are_noise_and_the_worst_is_tried() -> None:
    case = trained_case(cluster_problem(), "mlp", epochs=1, learning_rate=1e-5, averaging=0)
    assert measure_seeds(case) is None
    several = replace(case, other_seeds=((3, 0.2), (4, 0.9)))
    noise = measure_seeds(several)
    assert noise is not None
    assert noise.accuracies[1:] == (0.2, 0.9)
    changed = (("learning_rate", "0.02"), ("epochs", "8"))
    trial = with_failed_seed(changed)(several)
    assert len(trial.before) == len(case.validation)
    assert trial.after.mean() > trial.before.mean()


def test_copies_among_arrays_are_found_by_their_vectors() -> None:
    random = np.random.default_rng(8)
    labels = random.integers(0, 3, 300)
    values = random.normal(size=(300, 32)) + 2 * random.normal(size=(3, 32))[labels]
    train, validation = np.arange(200), np.arange(200, 300)
    original = centred(values.astype(np.float32), train)
    alone = copied_vectors(original, labels, train, validation)
    assert alone is not None
    assert not alone.any()
    values[200:230] = values[:30] + 0.02 * random.normal(size=(30, 32))
    labels[200:230] = labels[:30]
    vectors = centred(values.astype(np.float32), train)
    copied = copied_vectors(vectors, labels, train, validation)
    assert copied is not None
    assert copied.nonzero()[0].tolist() == list(range(30))
    for start in range(60, 180, 30):  # most training texts are copies themselves
        values[start : start + 30] = values[:30] + 0.02 * random.normal(size=(30, 32))
        labels[start : start + 30] = labels[:30]
    many = copied_vectors(centred(values.astype(np.float32), train), labels, train, validation)
    assert many is not None
    assert many.nonzero()[0].tolist() == list(range(30))
    other = np.where(np.arange(300) < 200, labels, (labels + 1) % 3)
    assert copied_vectors(vectors, other, train, validation) is None  # broken, no copies
