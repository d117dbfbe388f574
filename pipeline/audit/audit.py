"""``manyheads audit``: what is wrong with a corpus, before anything is trained on it.

read_corpus -> ensure_vectors -> copies -> finders -> AuditResult
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import cached_duplicates
from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.errors import SettingError
from features.splits.names import SIDES
from features.splits.split import official_sides
from features.vectors.neighbors import MAX_EXACT
from features.vectors.table import POOLED
from pipeline.audit.config import EXAMPLES
from pipeline.audit.duplicates import copy_findings
from pipeline.audit.finding import Evidence, Finder, Finding
from pipeline.audit.giveaways import giveaway_findings
from pipeline.audit.labels import label_findings
from pipeline.audit.rows import row_findings
from pipeline.audit.texts import text_findings
from pipeline.config import DataConfig, VectorConfig
from pipeline.corpora import read_data
from pipeline.encoding.vectors import ensure_vectors

FINDERS: tuple[Finder, ...] = (
    copy_findings,
    label_findings,
    giveaway_findings,
    text_findings,
    row_findings,
)

VERSION = 2
"""Of the object that ``--json`` prints; 1 had no number, and other words for duplicates."""


@dataclass(frozen=True, eq=False)
class AuditResult:
    """What an audit found.

    Attributes:
        evidence: what was looked at.
        findings: in the order of ``FINDERS``.
        seconds: of the audit, encoding left out.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def corpus(self) -> Corpus:
        """The corpus looked at."""
        return self.evidence.corpus

    @property
    def search_is_exact(self) -> bool:
        """Whether neighbours were searched among all texts."""
        return len(self.corpus) <= MAX_EXACT

    @property
    def search(self) -> str:
        """How neighbours were searched."""
        recall = self.evidence.copies.recall
        return "exact" if self.search_is_exact else f"approximate, measured recall {recall:.1%}"

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        corpus = self.corpus
        sides = self.evidence.sides
        return {
            "version": VERSION,
            "data": str(corpus.path) if corpus.path else None,
            "texts": len(corpus),
            "labels": len(set(corpus.labels or ())),
            "splits": None
            if sides is None
            else {name: int((sides == i).sum()) for i, name in enumerate(SIDES)},
            "search": self.search,
            "recall": round(self.evidence.copies.recall, 4),
            "seconds": round(self.seconds, 3),
            "findings": [finding.to_dict(corpus.rows) for finding in self.findings],
        }


def run_audit(
    data: DataConfig,
    vectors: VectorConfig,
    load: Callable[[EncoderModel], Encoder] | None = None,
    examples: int = EXAMPLES,
) -> AuditResult:
    """Audit a corpus, encoding only texts that are not cached.

    Args:
        load: gives the encoder when something is missing; None loads the model itself.
        examples: most examples to keep of each finding, at least 1.

    Raises:
        InputError: anything wrong with what the user gave.
    """
    if examples < 1:
        raise SettingError(f"--examples must be at least 1; got {examples}")
    corpus = read_data(data)
    data = data.as_read(corpus)
    sides = None if corpus.splits is None else official_sides(corpus.splits, corpus.rows)[0]
    encoded = ensure_vectors(corpus.texts, vectors, (POOLED,), load=load)
    start = time.perf_counter()
    pooled = encoded.table(POOLED).values
    evidence = Evidence(
        corpus=corpus,
        sides=sides,
        copies=cached_duplicates(vectors.cache, corpus.texts, pooled),
        vectors=pooled,
        tokens=encoded.tokens,
        max_length=encoded.space(POOLED).spec.limit,
        examples=examples,
        columns=data.columns,
        foreign=encoded.foreign,
    )
    return AuditResult(evidence, audit(evidence), time.perf_counter() - start)


def audit(evidence: Evidence) -> tuple[Finding, ...]:
    """Everything that the finders find; pure."""
    return tuple(finding for finder in FINDERS for finding in finder(evidence))
