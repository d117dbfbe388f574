"""A validation text and its copy in training, side by side: the picture of copied texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.corpus.corpus import Corpus
from pipeline.audit.report.differences import Segment, differences
from pipeline.pages.payload import cut
from pipeline.runs.files.verdict import StoredVerdict

CAUSE = "copies_across"

LONGEST = 600
"""Letters of a text that are shown."""


@dataclass(frozen=True)
class Copy:
    """One of two texts.

    Attributes:
        side: it is on.
        row: of the data, from 1.
        label: of it; '' without labels.
        parts: the text, each part with whether the other text lacks it.
    """

    side: str
    row: int
    label: str
    parts: Sequence[Segment]


def copied_pair(verdict: StoredVerdict | None, corpus: Corpus | None) -> tuple[Copy, ...]:
    """Return a validation text and its copy in training; () where none is to be shown.

    Args:
        verdict: of the doctor.
        corpus: of the run; None where it is not at hand.
    """
    if verdict is None or corpus is None or not verdict.findings:
        return ()
    if verdict.findings[0].cause != CAUSE:
        return ()
    rows = _example(verdict.measurements.get("sides") or {})
    if rows is None or not all(row in corpus.rows for row in rows):
        return ()
    places = [corpus.rows.index(row) for row in rows]
    texts = [cut(corpus.texts[place], LONGEST) or "" for place in places]
    labels = ["" if corpus.labels is None else corpus.labels[place] for place in places]
    sides = ("validation", "training")
    given = zip(sides, rows, labels, differences(texts[0], texts[1]), strict=True)
    return tuple(Copy(*each) for each in given)


def _example(sides: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the data rows of the first pair: held out, and in training."""
    pairs = sides.get("examples") or []
    return (int(pairs[0][0]), int(pairs[0][1])) if pairs else None
