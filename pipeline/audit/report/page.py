"""The audit as one HTML page: no script, nothing loaded from elsewhere, all text escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from features.outputs.output import appearing
from pipeline.audit.finding import CorpusRow, Example
from pipeline.audit.report.differences import Segment, differences
from pipeline.audit.report.sections import sections, where
from pipeline.audit.report.terminal import facts_line, notes
from pipeline.templating import render

if TYPE_CHECKING:
    from pipeline.audit.audit import AuditResult

LONGEST_TEXT = 1200
"""Characters of a text that are shown."""

OPTION = re.compile(r"(--[a-z][a-z-]*(?:[ =](?:[A-Z]+|none|[a-z_]+=[a-z_]+))?)")
"""An option in a sentence, with its value: it is not broken over two lines."""


def page(result: AuditResult) -> str:
    """Return the whole page."""
    return render(
        "audit.html",
        title=f"Audit of {result.corpus.name}",
        facts=facts_line(result),
        sections=sections(result.findings),
        texts=shown_texts,
        address=address,
        notes=notes,
        pieces=OPTION.split,
    )


def write_page(result: AuditResult, path: Path) -> None:
    """Write the page. Raises ``OutputError`` where the file cannot be written."""
    with appearing(path, "--page") as temporary:
        temporary.write_text(page(result), encoding="utf-8")


def shown_texts(example: Example) -> list[tuple[list[CorpusRow], Sequence[Segment]]]:
    """Return the different texts of an example in parts, each with the places it stands at."""
    place, other = example.place, example.other
    if place is None:
        return []
    if other is None or other.text == place.text:
        places = [place] if other is None else [place, other]
        return [(places, [(_cut(place.text), False)])]
    one, two = differences(_cut(place.text), _cut(other.text))
    return [([place], one), ([other], two)]


def address(place: CorpusRow) -> str:
    """Return where a text stands: its line or row, and its side of the split."""
    row = "" if place.line is None else f" (row {place.row:,})"
    return f"{where(place)}{row}{', ' if place.split else ''}{place.split}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
