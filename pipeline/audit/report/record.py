"""What the last audit of some texts found, kept in the cache for the pages of their runs.

Examples are kept as positions in the corpus, not as texts: a page reads those from the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from features.corpus.corpus import Corpus
from features.storage.location import Location
from features.storage.results import find, keep
from pipeline.audit.finding import CorpusRow, Example, Finding, row_at

if TYPE_CHECKING:
    from pipeline.audit.audit import AuditResult

CODE = (
    "pipeline.audit.report.record",
    "pipeline.audit.audit",
    "pipeline.audit.duplicates",
    "pipeline.audit.finding",
    "pipeline.audit.giveaways",
    "pipeline.audit.label_errors",
    "pipeline.audit.labels",
    "pipeline.audit.rows",
    "pipeline.audit.texts",
)
"""Modules that decide what is found: after they change, an audit must be made again."""

PACKAGES = ("numpy", "scipy", "scikit-learn")

KIND, CONTENT = "audit", "json"


@dataclass(frozen=True)
class KeptExample:
    """One case of a finding; the fields are those of ``Example``, texts by their positions."""

    place: int | None
    other: int | None
    similarity: float | None
    note: str


@dataclass(frozen=True)
class KeptFinding:
    """One thing that was found; the fields are those of ``Finding``."""

    kind: str
    count: int
    share: float
    message: str
    remedy: str
    examples: tuple[KeptExample, ...]


@dataclass(frozen=True)
class KeptAudit:
    """What an audit found.

    Attributes:
        day: on which it was made, such as 2026-11-28, in UTC.
        encoder: whose vectors it used.
        findings: in the order in which they were found.
    """

    day: str
    encoder: str
    findings: tuple[KeptFinding, ...]

    def with_texts(self, corpus: Corpus | None) -> tuple[Finding, ...]:
        """Return the findings; without examples where there is no corpus to read them from."""
        return tuple(_with_texts(each, corpus) for each in self.findings)


def keep_audit(cache: Location, encoder: str, result: AuditResult) -> None:
    """Keep what an audit found, in place of an earlier audit of the same texts.

    Nothing is kept on object storage, or where the cache cannot be written.
    """
    corpus = result.corpus
    positions = {row: position for position, row in enumerate(corpus.rows)}
    kept = KeptAudit(
        f"{datetime.now(UTC):%Y-%m-%d}",
        encoder,
        tuple(_kept(finding, positions) for finding in result.findings),
    )
    content = json.dumps(asdict(kept)).encode("ascii")
    made = {CONTENT: np.frombuffer(content, np.uint8)}
    keep(cache, (KIND, corpus.digest), CODE, PACKAGES, made)


def find_audit(cache: Location, corpus_digest: str) -> KeptAudit | None:
    """Return what the last audit of the texts of a corpus found; None if there was none."""
    stored = find(cache, (KIND, corpus_digest), CODE, PACKAGES)
    if stored is None:
        return None
    values = json.loads(stored[CONTENT].tobytes())
    return KeptAudit(values["day"], values["encoder"], (*_findings(values["findings"]),))


def _findings(values: Iterable[dict[str, Any]]) -> Iterable[KeptFinding]:
    for each in values:
        examples = tuple(KeptExample(**example) for example in each["examples"])
        yield KeptFinding(**{**each, "examples": examples})


def _kept(finding: Finding, positions: dict[int, int]) -> KeptFinding:
    def position(place: CorpusRow | None) -> int | None:
        return None if place is None else positions[place.row]

    examples = (
        KeptExample(position(one.place), position(one.other), one.similarity, one.note)
        for one in finding.examples
    )
    share = float(finding.share)
    return KeptFinding(
        finding.kind, int(finding.count), share, finding.message, finding.remedy, (*examples,)
    )


def _with_texts(kept: KeptFinding, corpus: Corpus | None) -> Finding:
    def row(position: int | None) -> CorpusRow | None:
        return None if corpus is None or position is None else row_at(corpus, position)

    examples = tuple(
        Example(row(one.place), row(one.other), one.similarity, one.note)
        for one in kept.examples
        if corpus is not None or one.place is None
    )
    return Finding(kept.kind, kept.count, kept.share, kept.message, kept.remedy, examples)
