"""Findings in sections: headings in words, what to act on first, each remedy once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from pipeline.audit.finding import CorpusRow, Finding

HEADINGS = {
    "label_errors": "Labels that may be wrong",
    "label_conflicts": "Equal texts with different labels",
    "exact_duplicates_across_splits": "Texts on two sides of the split",
    "normalized_duplicates_across_splits": (
        "Texts on two sides of the split, but for case and punctuation"
    ),
    "near_duplicates_across_splits": ("Texts on two sides of the split, but for a few words"),
    "exact_duplicates_within_splits": "Repeated texts",
    "normalized_duplicates_within_splits": "Repeated texts, but for case and punctuation",
    "near_duplicates_within_splits": "Repeated texts, but for a few words",
    "unseen_labels": "Labels that training lacks",
    "missing_labels": "Labels that stand for no value",
    "label_variants": "Labels written in several ways",
    "header_rows": "Rows that repeat the header",
    "invisible_texts": "Texts that show nothing",
    "non_answers": "Texts that answer nothing",
    "giveaways": "Words that give the label away",
    "truncation": "Texts that are cut off",
    "foreign_language": "Texts in a language that the encoder does not read",
    "foreign_scripts": "Texts in another script",
    "outliers": "Texts unlike all others",
    "small_classes": "Labels with few texts",
    "imbalance": "Labels of very different size",
}
"""By kind, in the order in which to act: wrong labels, leaks, duplicates, then the rest."""


@dataclass(frozen=True)
class Headed:
    """A finding with its number from 1 and its heading."""

    number: int
    heading: str
    finding: Finding


@dataclass(frozen=True)
class Section:
    """Findings that have one remedy.

    Attributes:
        findings: one or more, in order.
        remedy: what to do about all of them.
    """

    findings: tuple[Headed, ...]
    remedy: str


def sections(findings: Sequence[Finding]) -> list[Section]:
    """Return the findings in the order in which to act; neighbours with one remedy share it."""
    places = {kind: place for place, kind in enumerate(HEADINGS)}
    ordered = sorted(findings, key=lambda finding: places[finding.kind])
    headed = [
        Headed(number, HEADINGS[finding.kind], finding)
        for number, finding in enumerate(ordered, start=1)
    ]
    return [
        Section(tuple(group), remedy)
        for remedy, group in groupby(headed, key=lambda each: each.finding.remedy)
    ]


def where(place: CorpusRow) -> str:
    """Return where a text stands in its file: its line, or where it has none its row."""
    return f"row {place.row:,}" if place.line is None else f"line {place.line:,}"
