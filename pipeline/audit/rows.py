"""Findings on rows that are no data: repeated headers, invisible texts, labels of no value."""

from __future__ import annotations

import unicodedata
from collections import Counter

from features.messages import listed, many
from features.text.missing import is_missing
from pipeline.audit.finding import Evidence, Example, Finding, corpus_row

INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp")
"""Unicode categories of control and format characters and of spaces: nothing is seen."""

FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters of other categories that show nothing: fillers and the blank of Braille."""

MARK = "\ufeff"
VARIATIONS = range(0xFE00, 0xFE10)


def row_findings(evidence: Evidence) -> list[Finding]:
    """All findings on rows that are no data."""
    found = [_headers(evidence), _invisible(evidence), _missing_labels(evidence)]
    return [finding for finding in found if finding.count]


def header_rows(evidence: Evidence) -> list[int]:
    """Rows that repeat the header, as files have that were joined end to end."""
    columns = evidence.columns
    return [
        row
        for row, (text, label) in enumerate(zip(evidence.texts, evidence.labels, strict=False))
        if text.strip().lstrip(MARK) == columns.text and label.strip() == columns.label
    ]


def invisible_rows(evidence: Evidence) -> list[int]:
    """Rows whose text shows nothing, though it has characters."""
    return [row for row, text in enumerate(evidence.texts) if is_invisible(text)]


def is_invisible(text: str) -> bool:
    """Return whether a text has no character that can be seen: zero width, soft hyphens."""
    return all(
        unicodedata.category(char) in INVISIBLE or char in FILLERS or ord(char) in VARIATIONS
        for char in text
    )


def _headers(evidence: Evidence) -> Finding:
    rows = header_rows(evidence)
    return Finding(
        kind="header_rows",
        count=len(rows),
        share=len(rows) / len(evidence.corpus),
        message=(
            f"{many(len(rows), 'row repeats', 'rows repeat')} the header, as where files were "
            "joined end to end: the name of the label column counts as a class"
        ),
        remedy="drop them (--write-clean does)",
        examples=tuple(Example(corpus_row(evidence, row)) for row in rows[: evidence.examples]),
        positions=tuple(rows),
    )


def _invisible(evidence: Evidence) -> Finding:
    rows = invisible_rows(evidence)
    return Finding(
        kind="invisible_texts",
        count=len(rows),
        share=len(rows) / len(evidence.corpus),
        message=(
            f"{many(len(rows), 'text shows', 'texts show')} nothing: only characters of zero "
            "width, control characters or spaces"
        ),
        remedy="drop them (--write-clean does): the encoder sees the same in all of them",
        examples=tuple(
            Example(
                corpus_row(evidence, row),
                note=listed((f"U+{ord(char):04X}" for char in evidence.texts[row]), maximum=5),
            )
            for row in rows[: evidence.examples]
        ),
        positions=tuple(rows),
    )


def _missing_labels(evidence: Evidence) -> Finding:
    rows = [row for row, label in enumerate(evidence.labels) if is_missing(label)]
    counts = Counter(evidence.labels[row] for row in rows)
    return Finding(
        kind="missing_labels",
        count=len(rows),
        share=len(rows) / len(evidence.corpus),
        message=(
            f"{many(len(rows), 'row has', 'rows have')} a label that programs write where "
            f"there is none, which counts as a class: {listed(map(repr, sorted(counts)))}"
        ),
        remedy="if they have no label, empty these cells and pass --skip-empty",
        examples=tuple(Example(corpus_row(evidence, row)) for row in rows[: evidence.examples]),
        positions=tuple(rows),
    )
