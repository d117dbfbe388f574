"""What a page shows: an order of classes, coverage, the map, and sizes that stay bounded."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from features.errors import SettingError
from pipeline.pages import payload as payloads
from pipeline.pages.embedding import as_script
from pipeline.pages.figures.chart import (
    MAX_POINTS,
    Series,
    axis,
    draw,
    numbers_axis,
    tried_axis,
)
from pipeline.pages.figures.confusion import class_order, confused_pairs
from pipeline.pages.figures.coverage import coverage_curve, coverage_table
from pipeline.pages.figures.neighbourhoods import neighbourhoods
from pipeline.pages.figures.projection import STEPS, project
from pipeline.pages.payload import BUDGET, Listed, cut, payload
from pipeline.pages.run_report import run_page
from tests.support.runs.reported_runs import made_run


def test_classes_that_are_confused_stand_side_by_side() -> None:
    counts = np.diag([20] * 12)
    for one, other in ((0, 7), (3, 11), (5, 9)):
        counts[one, other] = counts[other, one] = 8
    place = np.argsort(class_order(counts))
    for one, other in ((0, 7), (3, 11), (5, 9)):
        assert abs(place[one] - place[other]) == 1
    assert sorted(class_order(counts)) == list(range(12))
    assert class_order(counts[:2, :2]).tolist() == [0, 1]


def test_the_most_frequent_confusions_come_first() -> None:
    counts = np.array([[5, 0, 2], [7, 1, 0], [0, 0, 0]])
    pairs = confused_pairs(counts, 5)
    assert [(pair.label, pair.predicted, pair.count) for pair in pairs] == [
        (1, 0, 7),
        (0, 2, 2),
    ]
    assert pairs[0].share == pytest.approx(7 / 8)


def test_coverage_answers_the_surest_first() -> None:
    confidence = np.linspace(0.2, 1.0, 100)
    right = confidence > 0.6
    curve = coverage_curve(right, confidence)
    assert curve[-1] == (1.0, right.mean())
    assert curve[0] == (0.1, 1.0)
    half = next(row for row in coverage_table(right, confidence) if row.share == 0.5)
    assert (half.accuracy, half.texts) == (1.0, 50)
    assert half.confidence == pytest.approx(confidence[50])
    assert [row.share for row in coverage_table(right[:5], confidence[:5])] == [1.0]


def test_the_map_is_that_of_principal_components() -> None:
    random = np.random.default_rng(0)
    wide = random.standard_normal((300, 2)) * [9, 4]
    turn, _ = np.linalg.qr(random.standard_normal((40, 40)))
    vectors = wide @ turn[:2] + 0.01 * random.standard_normal((300, 40)) + 5
    found = project(vectors.astype(np.float32))
    assert found.share > 0.99
    centred = wide - wide.mean(axis=0)
    for column in range(2):
        own = found.places[:, column].astype(float)
        assert abs(np.corrcoef(own, centred[:, column])[0, 1]) > 0.99
    assert found.places.min() >= 0
    assert found.places.max() <= STEPS
    again = project(vectors.astype(np.float32))
    assert (again.places == found.places).all()


@pytest.mark.parametrize("vectors", [np.ones((5, 3)), np.linspace(0, 1, 5)[:, None]])
def test_a_map_of_one_direction_spreads_its_texts(vectors: np.ndarray) -> None:
    found = project(vectors)
    assert found.flat
    assert found.places.shape == (5, 2)


def test_a_chart_leaves_out_what_was_not_measured_and_thins_long_lines() -> None:
    points = [(float(i), float("nan") if i % 2 else 1.0) for i in range(1, 5000)]
    (line,) = draw(
        "t", "t", numbers_axis("epoch", 5000), axis("loss", [0, 2]), [Series("", "", points)]
    ).series
    assert 100 < len(line.path.split()) <= MAX_POINTS
    assert "nan" not in line.path
    ticks = tried_axis("C", [0.1, 1, 10])
    assert [ticks.share(value) for value in (0.1, 1, 10)] == pytest.approx([0, 0.5, 1])


def test_nothing_ends_the_script_that_holds_the_data() -> None:
    texts = ["</script>", "<!--", "a & b", "\u2028\u2029", "\ud83d", "\\u003c"]
    text = as_script(texts)
    assert not {"<", ">", "&", "\u2028", "\u2029", "\ud83d"} & set(text)
    assert json.loads(text) == texts


def test_150_classes_and_50_000_texts_make_a_page_of_bounded_size(tmp_path: Path) -> None:
    count, classes = 50_000, 150
    texts = [f"text {i} " + "of many words " * 30 for i in range(count)]
    labels = [f"class {i % classes}" for i in range(count)]
    run = made_run(tmp_path, texts, labels)
    page = run_page(run)
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert len(data["text"]) == count
    assert sum(map(len, data["text"])) <= BUDGET
    assert len(page) < 14_000_000
    assert len(data["cells"]) <= 3 * classes**2
    assert len(data["neighbours"]["of"]) == payloads.MAX_EXPLAINED
    assert page.count("<") < 8_000, "elements are made for what is looked at, not for each text"


def test_of_too_many_texts_the_page_has_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "MAX_TEXTS", 100)
    run = made_run(tmp_path, [f"text {i}" for i in range(300)], list("abc") * 100)
    listed = Listed.of(run.tests)
    assert (len(listed.chosen), listed.whole) == (100, False)
    page = run_page(run)
    assert "of 100 test texts in this page (a sample of 300)" in page
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert sum(data["cells"][2::3]) == 300, "the matrix counts all of them"


def test_long_texts_are_cut_and_those_of_errors_less(tmp_path: Path) -> None:
    run = made_run(tmp_path, ["w" * 5000] * 60, list("abc") * 20)
    found = payload(
        run.tests, Listed.of(run.tests), run.texts, np.eye(3, dtype=int), np.arange(3), (), None
    )
    lengths = {len(text) for text in found["text"]}
    assert lengths == {payloads.LONGEST_RIGHT, payloads.LONGEST_WRONG}
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"
    assert cut(None, 3) is None


def test_umap_places_the_texts_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fake:
        def __init__(self, **options: object) -> None:
            assert options == {"n_neighbors": 15, "metric": "cosine", "random_state": 0}

        def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
            return vectors[:, :2] * [3, 1]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Fake))
    vectors = np.random.default_rng(0).random((40, 5))
    found = neighbourhoods(vectors)
    assert found.share is None
    assert np.ptp(found.places[:, 0]) == STEPS  # one scale for both
    assert np.ptp(found.places[:, 1]) < STEPS
    assert neighbourhoods(vectors[:4]).share is not None
    labels = [str(i % 3) for i in range(40)]
    run = made_run(tmp_path, [f"text {i}" for i in range(40)], labels)
    with_umap = replace(run, config=replace(run.config, map="umap"))
    assert "placed by UMAP" in run_page(with_umap)
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(SettingError, match=r"manyheads\[umap\]"):
        run_page(with_umap)
