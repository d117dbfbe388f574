"""What an audit of a run's texts found, as the page of the run shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from features.corpus.corpus import Corpus
from features.messages import many
from pipeline.audit.finding import CorpusRow, Example
from pipeline.audit.report.differences import Segment
from pipeline.audit.report.page import OPTION, address, shown_texts
from pipeline.audit.report.record import KeptAudit
from pipeline.audit.report.sections import Section, sections
from pipeline.audit.report.terminal import notes

CASES = 3
"""Cases of a finding that are shown; the page of the audit itself has more."""

OPENED = 3
"""Findings that are shown at once; of the others a click shows the cases."""


@dataclass(frozen=True)
class AuditPart:
    """The part of a page about an audit.

    Attributes:
        told: when and how it was made, and how much it found, in a sentence.
        sections: the findings in the order in which to act.
        have_texts: whether the cases are shown, since the data is at hand.
    """

    told: str
    sections: Sequence[Section]
    have_texts: bool
    opened: int = OPENED
    texts: Callable[[Example], list[tuple[list[CorpusRow], Sequence[Segment]]]] = shown_texts
    address: Callable[[CorpusRow], str] = address
    notes: Callable[[Example], str] = notes
    pieces: Callable[[str], list[str]] = OPTION.split


def audit_part(kept: KeptAudit | None, corpus: Corpus | None) -> AuditPart | None:
    """Return what the page says of an audit; None where none was made.

    Args:
        kept: what the audit found.
        corpus: the texts of the run; None where they are not at hand.
    """
    if kept is None:
        return None
    found = kept.with_texts(corpus)
    short = [replace(each, examples=each.examples[:CASES]) for each in found]
    kinds = many(len(found), "kind of finding", "kinds of findings") if found else "nothing"
    first = "; what to act on first stands first" if len(found) > 1 else ""
    told = (
        f"All texts of this run were audited on {kept.day} with the vectors of {kept.encoder}, "
        f"which found {kinds}{first}."
    )
    return AuditPart(told, sections(short), corpus is not None)
