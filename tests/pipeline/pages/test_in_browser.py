"""The page in a real browser: nothing fails, nothing is loaded, and everything can be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.pages.run_report import run_page
from tests.support.browsing.browser import Page, browsing, find_browser
from tests.support.runs.reported_runs import made_run

pytestmark = pytest.mark.skipif(find_browser() is None, reason="chromium is not installed")

MARKUP = "<img src=x onerror=alert(1)><script>document.title = 'taken'</script>"
CLASSES = 12


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("browser")
    texts = [f"text {i} {MARKUP}" for i in range(300)]
    labels = [f"<i>class</i> {i % CLASSES}" for i in range(300)]
    file = folder / "report.html"
    file.write_text(run_page(made_run(folder, texts, labels)), encoding="utf-8")
    with browsing(folder / "profile") as opened:
        opened.size(1000, 800)
        opened.open(file)
        yield opened
        assert opened.errors == []
        assert opened.requests == [file.resolve().as_uri()], "nothing but the file is loaded"


def test_markup_of_texts_is_shown_and_does_nothing(page: Page) -> None:
    assert page.evaluate("document.documentElement.dataset.ready") == "yes"
    assert page.evaluate("document.title") == "run: cnn on texts.csv"
    assert page.count("img") == 0
    assert MARKUP in page.text("#list li .text")


def test_search_and_filters_narrow_the_errors(page: Page) -> None:
    errors = page.evaluate("data.errors.length")
    assert page.text("#found").startswith(f"{errors} texts")
    assert page.count("#list > li") == 30
    page.click(*page.middle("#more"))
    assert page.count("#list > li") == 60
    page.click(*page.middle("#search"))
    wanted = page.evaluate("data.text[data.errors[0]]").split()[1]
    page.write(f"text {wanted} IMG")
    found = int(page.text("#found").split()[0])
    assert 0 < found < errors
    page.click(*page.middle("#filters button"))
    page.evaluate("new Promise(done => setTimeout(done, 50))")
    assert page.text("#found").startswith(f"{errors} texts")
    page.click(*page.middle("#everything"))
    page.evaluate("new Promise(done => setTimeout(done, 250))")
    assert page.text("#found").startswith("300 texts")
    page.evaluate("list.choose(0, 1)")
    kinds = page.evaluate(
        "[...document.querySelectorAll('#list .tags')].map(e => e.textContent).every("
        "t => t.includes(`true label ${data.labels[0]}`))"
    )
    assert kinds
    page.evaluate("byId('filters').reset()")


def test_columns_sort_both_ways(page: Page) -> None:
    def column() -> list[float]:
        return list(
            page.evaluate(
                "[...document.querySelectorAll('.sortable tbody tr')]"
                ".map(row => +row.cells[1].dataset.value)"
            )
        )

    head = ".sortable th:nth-child(2) button"
    page.click(*page.middle(head))
    assert column() == sorted(column(), reverse=True)
    page.click(*page.middle(head))
    assert column() == sorted(column())
    assert page.count("th[aria-sort]") == 1


def test_the_matrix_is_read_by_mouse_and_keyboard(page: Page) -> None:
    page.move(*page.middle("#matrix", 0.6, 0.6))
    assert "texts of “<i>class</i>" in page.text("#matrix-told")
    page.evaluate("byId('matrix').focus()")
    before = page.text("#matrix-told")
    page.key("ArrowRight")
    assert page.text("#matrix-told") != before
    picture = page.evaluate("byId('matrix').toDataURL()")
    page.key("+")
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    assert page.evaluate("byId('matrix').toDataURL()") != picture, "it is larger"
    page.key("0")
    page.key("Enter")
    assert page.evaluate("document.activeElement.id") == "errors"
    assert page.evaluate("byId('label').value") != ""
    page.evaluate("byId('filters').reset()")


def test_the_map_tells_texts_by_mouse_and_keyboard(page: Page) -> None:
    page.middle("#map")
    page.evaluate("byId('map').focus()")
    page.key("ArrowRight")
    told = page.text("#map-told")
    assert "img src=x" in told
    assert page.evaluate("!byId('map-tip').hidden")
    page.key("ArrowDown")
    assert page.text("#map-told") != told
    page.click(*page.middle("#texts ~ .controls [data-zoom=in]"))
    page.middle("#map")
    spots = [(x / 20, y / 20) for x in range(6, 15) for y in range(4, 17)]
    for x, y in spots:
        page.move(*page.middle("#map", x, y))
        if page.evaluate("!byId('map-tip').hidden"):
            break
    assert page.evaluate("!byId('map-tip').hidden"), "a point is under the mouse"
    for value in ("predicted", "error"):
        page.evaluate(f"byId('colour').value = '{value}'")
        page.evaluate("byId('colour').dispatchEvent(new Event('change'))")
    assert page.text("#map-legend").startswith("wrong")


def test_it_fits_a_phone_in_both_themes_and_paper(page: Page, tmp_path: Path) -> None:
    papers = set()
    for dark in (False, True):
        page.size(400, 800, dark, phone=True)
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2
    page.paper(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
    page.size(1000, 800)
