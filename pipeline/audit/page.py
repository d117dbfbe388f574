"""The audit as one HTML page: no script, nothing loaded from elsewhere, all text escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path

from features.output import appearing
from pipeline.audit.audit import AuditResult
from pipeline.audit.finding import CorpusRow, Example, Finding

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem;
  padding: 0 1rem; color: #1c1c1c; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
td, th { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid #ddd; overflow-wrap: anywhere; }
th { font-weight: 600; } .number { text-align: right; width: 6rem; }
.text { white-space: pre-wrap; } .where, .note { color: #666; font-size: .85rem; }
.label { background: #e8eef6; border-radius: .3rem; padding: 0 .35rem; }
.remedy { border-left: 3px solid #3b6ea8; padding-left: .7rem; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #181818; }
  td, th { border-color: #3a3a3a; } .label { background: #2a3a4d; }
  .where, .note { color: #a5a5a5; } a { color: #8ab4e8; } }
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
LONGEST_TEXT = 1200


def page(result: AuditResult) -> str:
    """The whole page."""
    facts = result.to_dict()
    title = escape(f"Audit of {result.corpus.name}")
    splits = facts["splits"] or {}
    counts = ", ".join([f"{facts['texts']:,} texts", f"{facts['labels']:,} labels"])
    sides = ", ".join(f"{count:,} {name}" for name, count in splits.items())
    rows = "".join(_summary_row(finding) for finding in result.findings)
    sections = "".join(_section(finding) for finding in result.findings)
    none = "" if result.findings else "<p>Nothing was found.</p>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
        f"<p>{counts}{'; ' + sides if sides else '; no split column'}. "
        f"Search among neighbours: {escape(result.search)}.</p>{none}\n"
        '<table><tr><th>finding</th><th class="number">count</th>'
        f'<th class="number">share</th></tr>{rows}</table>\n{sections}</body></html>\n'
    )


def write_page(result: AuditResult, path: Path) -> None:
    """Write the page. Raises ``OutputError`` where the file cannot be written."""
    with appearing(path, "--page") as temporary:
        temporary.write_text(page(result), encoding="utf-8")


def _summary_row(finding: Finding) -> str:
    kind = escape(finding.kind)
    return (
        f'<tr><td><a href="#{kind}">{kind}</a></td><td class="number">{finding.count:,}</td>'
        f'<td class="number">{finding.share:.1%}</td></tr>\n'
    )


def _section(finding: Finding) -> str:
    examples = "".join(_example(example) for example in finding.examples)
    return (
        f'<h2 id="{escape(finding.kind)}">{escape(finding.kind)}</h2>\n'
        f"<p>{escape(finding.message)}</p>"
        f'<p class="remedy">{escape(finding.remedy)}</p>\n<table>{examples}</table>\n'
    )


def _example(example: Example) -> str:
    cells = [_place(place) for place in (example.place, example.other) if place]
    facts = [example.note] if example.note else []
    if example.similarity is not None:
        facts.append(f"{example.similarity:.0%} of rare letter sequences in common")
    if facts:
        cells.append(f'<span class="note">{escape("; ".join(facts))}</span>')
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"


def _place(place: CorpusRow) -> str:
    text = place.text if len(place.text) <= LONGEST_TEXT else f"{place.text[:LONGEST_TEXT]}…"
    side = f", {escape(place.split)}" if place.split else ""
    return (
        f'<span class="label">{escape(place.label)}</span> '
        f'<span class="where">row {place.row:,}{side}</span>'
        f'<div class="text">{escape(text)}</div>'
    )
