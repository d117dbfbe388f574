"""An audit on the terminal: the first findings with examples, the others counted.

It fits a screen of 30 lines, whatever was found; the page has all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from features.messages import many
from pipeline.audit.finding import CorpusRow, Example
from pipeline.audit.report.sections import Headed, Section, sections, where
from pipeline.console import one_line
from pipeline.progress import duration

if TYPE_CHECKING:
    from pipeline.audit.audit import AuditResult

DETAILED = 3
SHOWN = (2, 1, 1)
"""Findings that are shown with examples, and examples of each; one alone has ``ALONE``."""

ALONE = 3
NAMED = 6
"""Other findings that are named with their number."""

LINE_WIDTH = 96
"""Characters of a line that counts the other findings."""

LONGEST_SHOWN, LONGEST_LABEL = 80, 40
"""Characters of a text and of a label."""


def audit_text(result: AuditResult) -> str:
    """Return the summary for a terminal."""
    lines = [facts_line(result), f"{_found(result)} in {duration(result.seconds)}."]
    rest: list[Headed] = []
    for section in sections(result.findings):
        detailed = [each for each in section.findings if each.number <= DETAILED]
        rest += section.findings[len(detailed) :]
        if detailed:
            lines += _section_lines(section, detailed, len(result.findings) == 1)
    if rest:
        named = [f"{each.heading}: {each.finding.count:,}" for each in rest[:NAMED]]
        if (more := len(rest) - NAMED) > 0:
            named.append(f"and {many(more, 'more kind', 'more kinds')}")
        others = "; ".join(named)
        lines += ["", "Found as well (the page and --json have examples and what to do):"]
        lines += wrap(others, LINE_WIDTH, initial_indent="   ", subsequent_indent="   ")
    return "\n".join(lines)


def facts_line(result: AuditResult) -> str:
    """Return what was looked at, in a sentence."""
    facts = result.to_dict()
    sides = ", ".join(f"{count:,} {name}" for name, count in (facts["splits"] or {}).items())
    labels = many(facts["labels"], "label")
    searched = (
        ""
        if result.search_is_exact
        else (
            " Near-duplicates were searched approximately; a sample says that "
            f"{facts['recall']:.1%} of neighbours are found."
        )
    )
    texts = many(facts["texts"], "text")
    name = one_line(result.corpus.name)
    return f"{name}: {texts}, {labels}, {sides or 'no split column'}.{searched}"


def _found(result: AuditResult) -> str:
    if not result.findings:
        return "Nothing was found"
    kinds = many(len(result.findings), "kind of finding", "kinds of findings")
    return f"{kinds}, the most urgent first," if len(result.findings) > 1 else kinds


def _section_lines(section: Section, detailed: Sequence[Headed], alone: bool) -> Iterator[str]:
    for each in detailed:
        shown = ALONE if alone else SHOWN[each.number - 1]
        yield from ("", _title(each), f"   {one_line(each.finding.message)}")
        for example in each.finding.examples[:shown]:
            yield from (f"     {line}" for line in _example_lines(example))
    yield f"   What to do: {section.remedy}"


def _title(headed: Headed) -> str:
    finding = headed.finding
    return f"{headed.number}. {headed.heading}: {finding.count:,} ({finding.share:.1%})"


def _example_lines(example: Example) -> Iterator[str]:
    note = notes(example)
    if example.place is None:
        yield note
        return
    yield _place(example.place)
    if example.other is None:
        yield from [f"  {note}"] if note else []
        return
    alike = f" ({note})" if note else ""
    if example.other.text == example.place.text:
        yield f"  the same: {_address(example.other)}{alike}"
    else:
        yield f"  and {_place(example.other)}{alike}"


def notes(example: Example) -> str:
    """Return what is said of an example; how alike two texts are only where they differ."""
    facts = [one_line(example.note)] if example.note else []
    if example.similarity is not None and example.similarity < 1:
        facts.append(f"{example.similarity:.0%} alike")
    return "; ".join(facts)


def _place(place: CorpusRow) -> str:
    return f"{_address(place)} {one_line(place.text, LONGEST_SHOWN)}"


def _address(place: CorpusRow) -> str:
    side = f", {one_line(place.split, LONGEST_LABEL)}" if place.split else ""
    return f"{where(place)}{side} [{one_line(place.label, LONGEST_LABEL)}]"
