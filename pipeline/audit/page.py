"""The audit as one HTML page: no script, nothing loaded from elsewhere, all text escaped."""

from __future__ import annotations

from pathlib import Path

from features.output import appearing
from pipeline.audit.audit import AuditResult
from pipeline.audit.finding import Example
from pipeline.templating import render

LONGEST_TEXT = 1200
"""Characters of a text that are shown."""


def page(result: AuditResult) -> str:
    """Return the whole page."""
    facts = result.to_dict()
    sides = ", ".join(f"{count:,} {name}" for name, count in (facts["splits"] or {}).items())
    return render(
        "audit.html",
        title=f"Audit of {result.corpus.name}",
        counts=f"{facts['texts']:,} texts, {facts['labels']:,} labels; "
        + (sides or "no split column"),
        search=result.search,
        findings=result.findings,
        notes=_notes,
        cut=_cut,
    )


def write_page(result: AuditResult, path: Path) -> None:
    """Write the page. Raises ``OutputError`` where the file cannot be written."""
    with appearing(path, "--page") as temporary:
        temporary.write_text(page(result), encoding="utf-8")


def _notes(example: Example) -> str:
    facts = [example.note] if example.note else []
    if example.similarity is not None:
        facts.append(f"{example.similarity:.0%} of rare letter sequences in common")
    return "; ".join(facts)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
