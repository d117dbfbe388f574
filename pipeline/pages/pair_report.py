"""``manyheads report RUN RUN``: the page of two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.command_line import as_typed
from pipeline.comparison.comparison import Comparison, Group
from pipeline.comparison.report import choice_lines, pair_lines
from pipeline.evaluation.result import Scores
from pipeline.pages.figures.confusion import counts_of
from pipeline.pages.figures.projection import Projection
from pipeline.pages.material import Material
from pipeline.pages.payload import payload
from pipeline.pages.run_report import facts_of, render_page, score_cells
from pipeline.pages.test_texts import TestTexts
from pipeline.reports.report import calibration_line
from pipeline.reports.verdict import score_lines

COMPARISON = "comparison.html"
"""Name of the page where none is given."""


@dataclass(frozen=True)
class ClassPair:
    """The F1 of a label by two runs; None where a run has none."""

    label: str
    first: float | None
    second: float | None
    support: int

    @property
    def gain(self) -> float | None:
        """Return by how much the second is better."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first


def pair_page(found: Comparison, materials: Sequence[Material]) -> str:
    """Return the page of two runs: scores side by side, and where their answers differ.

    Args:
        found: what ``manyheads compare`` says of them.
        materials: of the two; run 1 is the one that is best on validation.
    """
    group = next((each for each in found.groups if len(each.runs) == len(materials)), None)
    first, second = _ordered(group, materials)
    aligned = None if group is None else align(first.tests, second.tests)
    headline, lines = _told(group, first)
    data: dict[str, Any] = {"labels": [], "order": [], "errors": []}
    places, meaning = None, ""
    if aligned is not None:
        places, meaning = first.places()
        data = _data(first, aligned, places)
    labels = [each.page.label for each in (first, second)]
    return render_page(
        "report/pair.html",
        data,
        title=f"{labels[0]} and {labels[1]}",
        headline=headline,
        lines=lines,
        runs=[
            {
                "number": number,
                "label": each.page.label,
                "lines": score_lines(each.scores),
                "facts": list(facts_of(each)),
                "scores": score_cells(each.scores),
                "calibration": calibration_line(each.scores.calibration),
            }
            for number, each in enumerate((first, second), start=1)
        ],
        classes=class_pairs(first.scores, second.scores) if aligned is not None else [],
        same=aligned is not None,
        errors=len(data["errors"]),
        listed=len(first.listed.chosen),
        texts=len(first.tests.labels),
        have_texts=first.corpus is not None,
        places=places,
        meaning=meaning,
        command=as_typed(f"manyheads report {labels[0]} {labels[1]}"),
    )


def _ordered(group: Group | None, materials: Sequence[Material]) -> Sequence[Material]:
    """Return two runs in the order of their group."""
    if group is not None and materials[0].page.label != group.runs[0].run.name:
        return materials[::-1]
    return materials


def _told(group: Group | None, first: Material) -> tuple[str, list[str]]:
    """Return which run is better, in words, and what else is known of the two."""
    if group is None:
        return "These runs are on other texts or sides: their scores cannot be compared.", []
    test = first.scores.test
    if not test.enough:
        return f"Too few test texts ({test.texts}) to compare the runs.", []
    _, pair, *rest = pair_lines(group)
    verdict, _, facts = pair.strip().removesuffix(")").rpartition(" (")
    return _sentence(verdict), [_sentence(facts), *rest, *choice_lines(group)]


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def align(first: TestTexts, second: TestTexts) -> TestTexts | None:
    """Return the second in the order of the first, with its class ids; None of other texts.

    Both must be of one corpus, and have tested the same texts.
    """
    one, other = first.positions, second.positions
    if one is None or other is None or first.corpus_digest != second.corpus_digest:
        return None
    if len(one) != len(other) or not np.array_equal(np.sort(one), np.sort(other)):
        return None
    names = first.names
    known = {*names.all}
    if not known.issuperset(second.names.all):
        return None
    order = np.argsort(other, kind="stable")[np.argsort(np.argsort(one, kind="stable"))]
    ids = names.ids(second.names.all)
    return TestTexts(
        names,
        ids[second.labels[order]],
        ids[second.predicted[order]],
        second.confidence[order],
        second.rows[order],
        other[order],
        None,
        second.corpus_digest,
    )


def class_pairs(first: Scores, second: Scores) -> list[ClassPair]:
    """Return every label with its F1 by two runs, those that differ most first."""
    other = {each.label: each.f1 for each in second.classes}
    pairs = [
        ClassPair(each.label, each.f1, other.get(each.label), each.support)
        for each in first.classes
    ]
    return sorted(pairs, key=lambda pair: -abs(pair.gain or 0.0))


def _data(first: Material, second: TestTexts, places: Projection | None) -> dict[str, Any]:
    """Return the data of the script: that of the first run, and what the second says."""
    tests, listed = first.tests, first.listed
    texts = first.texts
    data = payload(
        tests, listed, texts, counts_of(tests), np.array([], np.int64), first.errors, places
    )
    chosen = listed.chosen
    one, other = tests.right[chosen], second.right[chosen]
    surest = np.where(one, second.confidence[chosen], tests.confidence[chosen])
    apart = np.flatnonzero(one != other)
    return {
        **data,
        "cells": [],
        "runs": ["run 1", "run 2"],
        "second": {"predicted": second.predicted[chosen].tolist()},
        "errors": apart[np.argsort(-surest[apart], kind="stable")].tolist(),
    }
