"""An audit for people: what to act on first, in words, with what differs marked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pipeline.audit
from pipeline.audit.audit import AuditResult, audit
from pipeline.audit.cleaning import REMEDIES
from pipeline.audit.finding import CorpusRow, Example, Finding
from pipeline.audit.report.differences import differences
from pipeline.audit.report.page import page
from pipeline.audit.report.sections import HEADINGS, sections, where
from pipeline.audit.report.terminal import audit_text
from tests.support.corpora import evidence, sentence

SCREEN = 30
TEXTS = [sentence(i) for i in range(60)]
LABELS = ["a", "b"] * 30


def finding(kind: str, remedy: str = "do it", *examples: Example) -> Finding:
    return Finding(kind, 3, 0.25, f"3 of 12 are {kind[:3]}", remedy, examples)


@pytest.fixture(scope="module")
def dirty() -> AuditResult:
    """Copies across and within the sides, equal texts under two labels, a non-answer."""
    texts = [*TEXTS, TEXTS[0], TEXTS[1].upper(), TEXTS[2].replace("cousin", "uncle"), TEXTS[3]]
    texts += [TEXTS[59], "n/a", "\u200b"]
    labels = [*LABELS, "a", "b", "a", "a", "a", "b", "a"]
    splits = ["train"] * 50 + ["test"] * 17
    found = evidence(texts, labels, splits)
    return AuditResult(found, audit(found), 2.0)


def test_what_to_act_on_first_comes_first_and_a_remedy_is_said_once() -> None:
    kinds = ("outliers", "near_duplicates_within_splits", "label_errors", "label_conflicts")
    leaks = [f"{level}_duplicates_across_splits" for level in ("exact", "normalized", "near")]
    found = [finding(kind) for kind in kinds[:2]]
    found += [finding(kind, "correct") for kind in kinds[2:]]
    found += [finding(kind, "drop") for kind in leaks[::-1]]
    told = sections(found)
    assert [section.remedy for section in told] == ["correct", "drop", "do it"]
    ordered = [each.finding.kind for section in told for each in section.findings]
    assert ordered == ["label_errors", "label_conflicts", *leaks, kinds[1], "outliers"]
    assert [each.number for section in told for each in section.findings] == [*range(1, 8)]


def test_every_kind_has_a_heading(dirty: AuditResult) -> None:
    assert REMEDIES.keys() < HEADINGS.keys()
    assert {found.kind for found in dirty.findings} <= HEADINGS.keys()
    assert not any("_" in heading for heading in HEADINGS.values())


def test_the_terminal_has_the_first_findings_and_the_names_of_the_others() -> None:
    place = CorpusRow(5, "my text\x1b[31m", "joy", "test", 7)
    other = CorpusRow(2, "my other", "joy", "train", None)
    examples = (Example(place, other, 0.9), Example(place, place, 1.0), Example(place))
    kinds = list(HEADINGS)[:5]
    found = evidence(TEXTS, LABELS)
    result = AuditResult(found, tuple(finding(kind, kind, *examples) for kind in kinds), 2.0)
    lines = audit_text(result).splitlines()
    assert lines[:10] == [
        "texts in memory: 60 texts, 2 labels, no split column.",
        "5 kinds of findings, the most urgent first, in 2.0 s.",
        "",
        "1. Labels that may be wrong: 3 (25.0%)",
        "   3 of 12 are lab",
        "     line 7, test [joy] my text [31m",
        "       and row 2, train [joy] my other (90% alike)",
        "     line 7, test [joy] my text [31m",
        "       the same: line 7, test [joy]",
        "   What to do: label_errors",
    ]
    assert lines[-4:-2] == [
        "",
        "Found as well (the page and --json have examples and what to do):",
    ]
    assert " ".join(line.strip() for line in lines[-2:]) == (
        "Texts on two sides of the split, but for case and punctuation: 3; "
        "Texts on two sides of the split, but for a few words: 3"
    )


def test_it_fits_a_screen_whatever_was_found_and_every_kind_has_a_heading() -> None:
    place = CorpusRow(5, "my text", "joy", "test", 7)
    examples = (Example(place, CorpusRow(2, "my other", "joy", "train", None), 0.9),) * 3
    every = tuple(finding(kind, kind, *examples) for kind in HEADINGS)
    shown = audit_text(AuditResult(evidence(TEXTS, LABELS), every, 2.0))
    assert len(shown.splitlines()) <= 28
    package = Path(pipeline.audit.__file__).parent
    named = {
        kind
        for file in package.glob("*.py")
        for kind in re.findall(r'^ +kind="(\w+)",$', file.read_text("utf-8"), re.MULTILINE)
    }
    assert len(named) > 10
    assert named <= HEADINGS.keys()


def test_it_says_no_identifier_and_a_clean_corpus_so(dirty: AuditResult) -> None:
    assert not re.search(r"[a-z]_[a-z]", audit_text(dirty))
    clean = AuditResult(dirty.evidence, (), 1.0)
    assert "Nothing was found in 1.0 s." in audit_text(clean)
    assert "Nothing was found." in page(clean)
    few = AuditResult(dirty.evidence, dirty.findings[:5], 1.0)
    assert len(audit_text(few).splitlines()) <= SCREEN


def test_the_page_says_no_identifier_and_marks_what_differs(dirty: AuditResult) -> None:
    shown = page(dirty)
    body = re.sub(r"<style>.*</style>", "", shown, flags=re.DOTALL)
    assert not re.search(r"[a-z]_[a-z]", re.sub(r"<[^>]*>", "", body))
    assert "<mark>uncle</mark>" in body
    assert "<mark>cousin</mark>" in body
    assert "% alike" in body
    assert "100% alike" not in body
    assert body.count("drop the training rows that are copied") == 1
    assert "<code>--write-clean</code>" in body
    assert "row 61, test" in body


def test_one_text_at_two_places_is_shown_once(dirty: AuditResult) -> None:
    conflict = (
        page(dirty).split("Equal texts with different labels</h2>")[1].split("</section>")[0]
    )
    assert conflict.count(TEXTS[3]) == 1
    assert {"row 4, train", "row 64, test"} <= set(re.findall(r"row \d+, \w+", conflict))


def test_differing_words_are_found_where_they_are() -> None:
    one, other = differences("Yes, my aunt died.", "my uncle DIED yesterday!")
    assert [part for part, differs in one if differs] == ["Yes, ", "aunt", "."]
    assert [part for part, differs in other if differs] == ["uncle", " yesterday!"]
    for text, parts in (("Yes, my aunt died.", one), ("my uncle DIED yesterday!", other)):
        assert "".join(part for part, _ in parts) == text
    assert differences("我爱你", "我恨你")[0] == [("我", False), ("爱", True), ("你", False)]
    assert differences("", "new") == ([], [("new", True)])


def test_a_place_is_the_line_of_the_file_where_it_has_one() -> None:
    assert where(CorpusRow(1200, "", "", "", 1201)) == "line 1,201"
    assert where(CorpusRow(1200, "", "", "")) == "row 1,200"
