"""The page of a study in a real browser: nothing fails or is loaded, and everything is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.pages.study_report import study_page
from pipeline.search.records.record import read_record
from tests.support.browsing.browser import Page, browsing, find_browser
from tests.support.runs.made_studies import made_study

pytestmark = pytest.mark.skipif(find_browser() is None, reason="chromium is not installed")

DRAWN = "requestAnimationFrame(() => setTimeout(done))"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("browser")
    file = folder / "report.html"
    made = made_study(folder, data="<img src=x onerror=alert(1)>.csv")
    file.write_text(study_page(read_record(made.folder)), encoding="utf-8")
    with browsing(folder / "profile") as opened:
        opened.size(1000, 800)
        opened.open(file)
        yield opened
        assert opened.errors == []
        assert opened.requests == [file.resolve().as_uri()], "nothing but the file is loaded"


def test_it_is_drawn_and_names_are_texts(page: Page) -> None:
    assert page.evaluate("document.documentElement.dataset.ready") == "yes"
    assert page.count("img") == 0
    assert "onerror" in page.evaluate("document.title")
    inside = page.evaluate(
        "[...document.querySelectorAll('svg.bar rect, path.sign, polyline')].every(each => {"
        " const box = each.getBBox(); return [box.x, box.y, box.width].every(isFinite); })"
    )
    assert inside
    # No name of an axis or tick is cut off at the edge of its drawing.
    cut = page.evaluate(
        "[...document.querySelectorAll('.parallel svg')].flatMap(drawing => {"
        " const frame = drawing.getBoundingClientRect();"
        " const texts = [...drawing.querySelectorAll('text')];"
        " return texts.map(each => each.getBoundingClientRect())"
        "  .filter(box => box.left < frame.left - 1 || box.right > frame.right + 1); }).length"
    )
    assert cut == 0


def test_the_trials_sort_both_ways_by_mouse_and_keyboard(page: Page) -> None:
    def column() -> list[float]:
        return list(
            page.evaluate(
                "[...document.querySelectorAll('.sortable tbody tr')]"
                ".map(row => +row.cells[3].dataset.value)"
            )
        )

    head = ".sortable th:nth-child(4) button"
    page.click(*page.middle(head))
    assert column() == sorted(column(), reverse=True)
    page.evaluate(f"document.querySelector('{head}').focus()")
    page.key("Enter")
    assert column() == sorted(column())


def test_it_fits_a_phone_in_both_themes_and_paper(page: Page, tmp_path: Path) -> None:
    papers = set()
    for dark in (False, True):
        page.size(400, 800, dark, phone=True)
        page.evaluate(f"new Promise(done => {DRAWN})")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2
    page.paper(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
    page.size(1000, 800)
