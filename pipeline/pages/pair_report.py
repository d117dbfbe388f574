"""``manyheads report RUN RUN``: the page of two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.command_line import as_typed
from pipeline.evaluation.comparison import Comparison, compare
from pipeline.evaluation.result import Scores
from pipeline.pages.confusion import counts_of
from pipeline.pages.material import Material
from pipeline.pages.payload import payload
from pipeline.pages.projection import Projection
from pipeline.pages.run_report import facts_of, render_page, score_cells
from pipeline.pages.test_texts import TestTexts
from pipeline.reports.report import calibration_line
from pipeline.reports.verdict import against_line, score_lines

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


def pair_page(first: Material, second: Material) -> str:
    """Return the page of two runs: scores side by side, and where their answers differ."""
    aligned = align(first.tests, second.tests)
    names = ["run 1", "run 2"]
    data: dict[str, Any] | None = None
    places, meaning = first.places() if aligned is not None else (None, "")
    if aligned is not None:
        data = _data(first, aligned, places, names)
    labels = [each.page.label for each in (first, second)]
    headline, found = _verdict(first, second, aligned)
    return render_page(
        "report/pair.html",
        data or {"labels": [], "order": [], "errors": []},
        title=f"{labels[0]} and {labels[1]}",
        headline=headline,
        found=found,
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
        errors=len(data["errors"]) if data else 0,
        listed=len(first.listed.chosen),
        texts=len(first.tests.labels),
        have_texts=first.corpus is not None,
        places=places,
        meaning=meaning,
        command=as_typed(f"manyheads report {labels[0]} {labels[1]}"),
    )


def _verdict(
    first: Material, second: Material, aligned: TestTexts | None
) -> tuple[str, Comparison | None]:
    """Return which run is better, in words, and by how much; None where that is not known."""
    if aligned is None:
        return "These runs are on other texts or sides: their scores cannot be compared.", None
    scores = [first.scores.test, second.scores.test]
    if not scores[0].enough:
        return f"Too few test texts ({scores[0].texts}) to compare.", None
    right = [first.tests.right, aligned.right]
    names = [f"run {i}, {each.scores.head}" for i, each in enumerate((first, second), start=1)]
    ahead = int(scores[1].accuracy > scores[0].accuracy)
    behind = 1 - ahead
    found = compare(right[ahead], right[behind])
    told = against_line(names[behind], scores[behind], found)
    name = names[ahead][0].upper() + names[ahead][1:]
    return f"{name} ({scores[ahead].accuracy:.1%}): {told[0].lower()}{told[1:]}", found


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


def _data(
    first: Material, second: TestTexts, places: Projection | None, names: Sequence[str]
) -> dict[str, Any]:
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
        "runs": list(names),
        "second": {"predicted": second.predicted[chosen].tolist()},
        "errors": apart[np.argsort(-surest[apart], kind="stable")].tolist(),
    }
