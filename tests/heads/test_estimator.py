"""HeadClassifier: a scikit-learn classifier like any other, over every form of vectors."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import heads
from features import FeatureEncoder
from features.encoders.transformer import TransformerEncoder
from features.errors import ArrayError, BadVectorError, SettingError
from features.vectors.table import POOLED, SENTENCES, TOKENS, FeatureTable
from heads import HeadClassifier
from heads.estimator import hold_out
from heads.evaluation.calibration import softmax
from heads.registry import HEADS
from heads.settings import TrainingSettings
from tests.support.tables import cluster_problem, make_table, marker_problem
from tests.support.transformers import SENTENCES as TEXTS

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = {"epochs": 6, "batch_size": 16, "precision": "float32"}

EXPECTED_FAILED: dict[str, dict[str, str]] = {}
"""Checks of scikit-learn that do not apply, by head, with the reason; docs/models.md too."""


def pooled_heads() -> list[HeadClassifier]:
    """Every head that takes the (N, D) arrays of which scikit-learn's checks are made.

    They fit some hundred times: heads that learn by steps take few, large ones.
    """
    few = {"min_steps": 60, "learning_rate": 0.02, "averaging": 0.9}
    return [
        HeadClassifier(
            name,
            settings=few if issubclass(head.settings, TrainingSettings) else None,
        )
        for name, head in HEADS.items()
        if POOLED in head.layouts
    ]


@parametrize_with_checks(
    pooled_heads(), expected_failed_checks=lambda each: EXPECTED_FAILED.get(each.head, {})
)
def test_the_checks_of_scikit_learn(estimator: HeadClassifier, check) -> None:  # type: ignore[no-untyped-def]
    check(estimator)


def quick(head: str = "cnn", **settings: object) -> HeadClassifier:
    return HeadClassifier(head, settings={**QUICK, **settings})


def test_importing_heads_is_light() -> None:
    script = (
        "import sys, heads\n"
        "heavy = {'torch', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert heads.HeadClassifier().head == 'logistic'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)
    assert "HeadClassifier" in dir(heads)
    with pytest.raises(AttributeError, match="nothing"):
        heads.nothing  # noqa: B018


@pytest.mark.parametrize("name", HEADS)
def test_every_head_learns_in_every_layout_that_it_takes(name: str) -> None:
    kind = HEADS[name]
    problem = cluster_problem() if kind.layouts == (POOLED,) else marker_problem()
    names = np.array(["low", "middle", "zoo"])[problem.labels]
    small = {"filters": 16, "units": 16}
    quickly = {
        **QUICK,
        **{each: value for each, value in small.items() if each in kind.settings.model_fields},
        "epochs": 12,
        "learning_rate": 0.02,
        "refit": False,
    }
    settings = quickly if issubclass(kind.settings, TrainingSettings) else {}
    for layout in kind.layouts:
        if (layout == POOLED) != (problem.table.layout == POOLED):
            continue
        table = FeatureTable(problem.table.values, problem.table.offsets, layout)
        model = HeadClassifier(name, settings=settings).fit(table[:180], names[:180])
        assert list(model.classes_) == ["low", "middle", "zoo"]
        assert model.n_features_in_ == table.width
        assert model.score(table[180:], names[180:]) > 0.8
        probabilities = model.predict_proba(table[180:])
        assert probabilities.shape == (60, 3)
        assert np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
        predicted = model.predict(table[180:])
        assert np.array_equal(predicted, model.classes_[probabilities.argmax(axis=1)])


def test_all_forms_of_the_same_vectors_give_the_same_model() -> None:
    problem = marker_problem(90)
    table, y = problem.table, problem.labels
    arrays = [table.sequence(row) for row in range(len(table))]
    boxed = np.empty(len(arrays), dtype=object)
    boxed[:] = arrays
    expected = quick(epochs=2).fit(table, y).predict_proba(table)
    for form in (arrays, tuple(arrays), boxed, [each.astype(np.float64) for each in arrays]):
        model = quick(epochs=2).fit(form, y)
        assert np.allclose(model.predict_proba(form), expected, atol=1e-6)
    equal = make_table([3] * 30)
    cube = equal.values.reshape(30, 3, -1)
    labels = np.arange(30) % 2
    one, other = quick(epochs=1).fit(equal, labels), quick(epochs=1).fit(cube, labels)
    assert np.array_equal(one.predict_proba(equal), other.predict_proba(cube))


def test_arrays_and_tables_of_sentences_stand_for_each_other() -> None:
    table, y = make_table([3] * 30), np.arange(30) % 2
    table = FeatureTable(table.values, table.offsets, SENTENCES)
    arrays = [table.sequence(row) for row in range(30)]
    one = quick("meanmax", epochs=1).fit(table, y)
    other = quick("meanmax", epochs=1).fit(arrays, y)
    assert np.array_equal(one.predict_proba(arrays), one.predict_proba(table))
    assert np.array_equal(other.predict_proba(table), one.predict_proba(table))
    tokens = FeatureTable(table.values, table.offsets, TOKENS)
    with pytest.raises(SettingError, match="tokens"):
        one.predict(tokens)


def test_the_seed_decides_and_none_does_not_repeat() -> None:
    problem = marker_problem(60)

    def probabilities(seed: object) -> np.ndarray:
        model = quick(epochs=1).set_params(random_state=seed)
        return model.fit(problem.table, problem.labels).predict_proba(problem.table)

    assert np.array_equal(probabilities(3), probabilities(3))
    assert not np.array_equal(probabilities(3), probabilities(4))
    assert not np.array_equal(probabilities(None), probabilities(None))


def test_the_held_out_part_sets_the_temperature() -> None:
    problem = cluster_problem(texts=120, spread=3.0)
    x, y = problem.table.values, problem.labels
    # A weak penalty on few noisy texts: far too sure of itself, which held-out texts show.
    learner = HeadClassifier("logistic", settings={"c": 1e4, "refit": False}).fit(x, y)
    trained = learner.trained_
    assert trained.temperature > 1.05
    logits = trained.logits(problem.table, np.arange(len(x)))
    assert np.allclose(learner.predict_proba(x), softmax(logits, trained.temperature))
    again = HeadClassifier("logistic", settings={"c": 1e4}).fit(x, y)
    assert again.trained_.temperature == trained.temperature


def test_parameters_settings_and_clones() -> None:
    model = HeadClassifier("cnn", settings={"filters": 8}, validation_fraction=0.3)
    assert model.get_params(deep=False) == {
        "head": "cnn",
        "settings": {"filters": 8},
        "validation_fraction": 0.3,
        "random_state": 0,
        "device": "auto",
    }
    copy = clone(model).set_params(settings__filters=16, settings__kernels=(2,), head="cnn")
    assert copy.get_params()["settings__filters"] == 16
    assert copy.settings == {"filters": 16, "kernels": (2,)}
    assert model.settings == {"filters": 8}
    assert HeadClassifier().set_params(settings__c=(1.0,)).settings == {"c": (1.0,)}
    with pytest.raises(ValueError, match="Invalid parameter 'heads'"):
        model.set_params(heads="cnn")


def test_a_grid_over_heads_and_settings_on_a_table() -> None:
    problem = marker_problem(90)
    grid = [
        {"settings__filters": [4, 8], "settings__kernels": [(1,)]},
        {"head": ["lstm"], "settings__units": [4]},
    ]
    search = GridSearchCV(quick(learning_rate=0.02), grid, cv=2, error_score="raise")
    search.fit(problem.table, problem.labels)
    assert len(search.cv_results_["params"]) == 3
    assert search.best_score_ > 0.5
    assert search.best_params_.items() <= search.best_estimator_.get_params().items()


def test_a_pipeline_over_tokens_encodes_every_text_once(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = TransformerEncoder.encode_some

    def encode_and_count(self, texts, specs, on_batch, enough):  # type: ignore[no-untyped-def]
        seen.extend(texts)
        return real(self, texts, specs, on_batch, enough)

    monkeypatch.setattr(TransformerEncoder, "encode_some", encode_and_count)
    texts = [f"{text} {i}" for i in range(6) for text in TEXTS]
    labels = ["long" if len(text) > 25 else "short" for text in texts]
    encoder = FeatureEncoder(
        tiny_models["bert"], layout="tokens", layers=[0, 2], cache=tmp_path
    )
    assert len(encoder.get_feature_names_out()) == encoder.fit(texts).n_features_out_ == 32
    model = make_pipeline(encoder, quick(filters=8, learning_rate=0.02))
    assert cross_val_score(model, texts, labels, cv=3, error_score="raise").mean() > 0.7
    grid = {"headclassifier__settings__filters": [4, 8]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(np.array(texts), labels)
    assert sorted(seen) == sorted(texts)
    again = pickle.loads(pickle.dumps(search.best_estimator_))  # noqa: S301  (as joblib does)
    assert list(again.predict(texts)) == list(search.predict(texts))
    sentences = make_pipeline(clone(encoder).set_params(layout=SENTENCES), quick(epochs=1))
    assert sentences.fit(texts, labels)[-1].trained_.layout == SENTENCES
    pooled = make_pipeline(clone(encoder).set_params(layout=POOLED), HeadClassifier())
    assert pooled.fit(texts, labels)[-1].trained_.layout == POOLED


def test_folds_of_a_table_are_those_rows() -> None:
    table = make_table([2, 1, 4, 3])
    rows = table[np.array([2, 0]), ...]
    assert isinstance(rows, FeatureTable)
    assert rows.layout == table.layout
    assert list(rows.lengths) == [4, 2]
    assert np.array_equal(rows.sequence(0), table.sequence(2))
    assert np.array_equal(rows.sequence(1), table.sequence(0))
    assert [len(each) for each in table] == [2, 1, 4, 3]  # ends where the rows end
    assert [len(table[1:]), len(table[:0]), len(table[[]])] == [3, 0, 0]
    assert np.array_equal(table[-1], table.sequence(3))
    assert np.array_equal(table[np.array([True, False, False, True])].lengths, [2, 3])
    assert table.shape == (4,)
    for wrong in (4, [0, 9], [True]):
        with pytest.raises(IndexError):
            table[wrong]
    for columns in (0, slice(1), [0]):
        with pytest.raises(IndexError, match="indexed by text alone"):
            table[:, columns]
    labels = np.arange(60) % 2
    sized = make_table([1 + label for label in labels])
    predicted = cross_val_predict(quick(epochs=1), sized, labels, cv=2)
    assert len(predicted) == 60


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
)
def test_the_held_out_part(sizes: list[int], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    labels = labels[np.random.default_rng(seed).permutation(len(labels))]
    if max(sizes) < 2:
        with pytest.raises(ArrayError, match="only one of its class"):
            hold_out(labels, fraction, np.random.default_rng(seed))
        return
    train, held = hold_out(labels, fraction, np.random.default_rng(seed))
    assert np.array_equal(np.sort(np.concatenate([train, held])), np.arange(len(labels)))
    assert len(held) >= 1
    assert set(labels[train]) == set(range(len(sizes)))
    counts = np.bincount(labels[held], minlength=len(sizes))
    assert np.all(np.abs(counts - fraction * np.array(sizes)) < 2)
    again = hold_out(labels, fraction, np.random.default_rng(seed))
    assert np.array_equal(held, again[1])


TABLE, LABELS = make_table([2, 1, 4, 3] * 4), np.arange(16) % 2
BAD_VALUES = TABLE.values.astype(np.float32)
BAD_VALUES[3] = np.nan


@pytest.mark.parametrize(
    ("model", "X", "y", "error", "words"),
    [
        (HeadClassifier("svm"), TABLE, LABELS, SettingError, "no head is called 'svm'"),
        (quick(unitz=3), TABLE, LABELS, SettingError, "no setting 'unitz'"),
        (HeadClassifier("cnn", settings=3), TABLE, LABELS, SettingError, "takes a dict"),
        (HeadClassifier("cnn"), np.ones((16, 3)), LABELS, SettingError, "no time axis"),
        (HeadClassifier(), TABLE, LABELS, SettingError, "it takes: pooled"),
        (HeadClassifier(), list(TABLE), LABELS, SettingError, "it takes: pooled"),
        (
            HeadClassifier("cnn", validation_fraction=1.0),
            TABLE,
            LABELS,
            SettingError,
            "validation_fraction must lie between 0 and 1",
        ),
        (quick(), TABLE, LABELS[:3], ValueError, "inconsistent numbers of samples"),
        (quick(), TABLE, None, ValueError, "requires y"),
        (quick(), TABLE, LABELS * 0, ArrayError, "2 classes.*1 class: .*0"),
        (quick(), TABLE, np.arange(16), ArrayError, "the only one of its class"),
        (quick(), TABLE, LABELS * 0.3, ValueError, "Unknown label type"),
        (quick(), [*TABLE[1:], np.ones((2, 5))], LABELS, ArrayError, r"text 15.*\(2, 5\)"),
        (quick(), [*TABLE[1:], np.ones((0, 6))], LABELS, ArrayError, r"text 15.*\(0, 6\)"),
        (quick(), ["a text", "b"], LABELS[:2], ArrayError, "'a text'; encode.*FeatureEncoder"),
        (quick(), np.array(["a", "b"]), LABELS[:2], ArrayError, "FeatureEncoder"),
        (quick(), "a text", LABELS[:1], ArrayError, "FeatureEncoder"),
        (quick(), [np.array([["a"] * 6])] * 16, LABELS, ArrayError, "must be numbers"),
        (
            quick(),
            FeatureTable(BAD_VALUES, TABLE.offsets, TABLE.layout),
            LABELS,
            BadVectorError,
            "NaN or infinity",
        ),
    ],
)
def test_what_is_wrong_is_said(
    model: HeadClassifier, X: object, y: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        model.fit(X, y)  # type: ignore[arg-type]
    if issubclass(error, ArrayError | SettingError):
        assert "\n" not in str(caught.value)


def test_the_example_of_the_documentation_runs() -> None:
    text = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {}
    exec(block, names)  # the page's own code, as a reader would run it
    assert names["search"].best_params_.keys() == {"headclassifier__settings__filters"}  # type: ignore[attr-defined]


def test_prediction_wants_a_fit_and_the_same_kind_of_vectors() -> None:
    with pytest.raises(NotFittedError):
        quick().predict(TABLE)
    model = quick(epochs=1).fit(TABLE, LABELS)
    with pytest.raises(SettingError, match="width 6, not tokens vectors of width 5"):
        model.predict(make_table([1, 2], width=5))
    with pytest.raises(SettingError, match="takes tokens vectors"):
        model.predict(np.ones((2, 6), dtype=np.float32))
    assert model.predict_proba(TABLE[:0]).shape == (0, 2)
