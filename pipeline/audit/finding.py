"""What an audit looks at, and what it finds: plain frozen values.

Evidence ──finders (pure functions)──> Findings
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from features.corpus.columns import Columns
from features.corpus.corpus import Corpus
from features.duplicates.duplicates import Duplicates
from features.text.languages import ForeignTexts
from pipeline.audit.config import EXAMPLES


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that the finders look at.

    Attributes:
        corpus: N labelled texts.
        sides: (N,) int8 sides as in ``features.splits.split``; None without a split column.
        copies: the copies among the texts.
        vectors: (N, D) pooled vectors, float16 or float32.
        tokens: (N,) tokens of each whole text.
        max_length: tokens of a text that the encoder sees.
        examples: most examples to keep of each finding.
        columns: names that the columns of the corpus have in its file.
        foreign: a language that many of the texts are in and the encoder does not read.
    """

    corpus: Corpus
    sides: np.ndarray | None
    copies: Duplicates
    vectors: np.ndarray
    tokens: np.ndarray
    max_length: int
    examples: int = EXAMPLES
    columns: Columns = field(default_factory=Columns)
    foreign: ForeignTexts | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """N texts."""
        return self.corpus.texts

    @property
    def labels(self) -> tuple[str, ...]:
        """N labels."""
        return self.corpus.labels or ()

    @property
    def side(self) -> np.ndarray:
        """(N,) int8: the side of every row, one and the same without a split column."""
        return np.zeros(len(self.corpus), np.int8) if self.sides is None else self.sides


@dataclass(frozen=True)
class CorpusRow:
    """One text of the corpus, as an example shows it.

    Attributes:
        row: its data row, from 1.
        text, label, split: its cells.
        line: the line of the file on which it starts, from 1; None where that is not known.
    """

    row: int
    text: str
    label: str
    split: str
    line: int | None = None


@dataclass(frozen=True)
class Example:
    """One case of a finding: a text, the text it goes with if there is one, and a note."""

    place: CorpusRow | None
    other: CorpusRow | None = None
    similarity: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the text's own, then ``other``, ``similarity`` and ``note`` if any."""
        values = asdict(self.place) if self.place else {}
        if self.other:
            values["other"] = asdict(self.other)
        if self.similarity is not None:
            values["similarity"] = round(self.similarity, 4)
        return {**values, "note": self.note} if self.note else values


@dataclass(frozen=True)
class Finding:
    """One thing that an audit found.

    Attributes:
        kind: its name, such as ``near_duplicates_across_splits``.
        count: how many rows (or classes, or tokens) it concerns.
        share: that count's share of what it was counted among, in [0, 1].
        message: one sentence for people, with the numbers.
        examples: some cases, at most ``Evidence.examples``.
        remedy: what to do about it.
        positions: the rows concerned, as positions in the corpus.
    """

    kind: str
    count: int
    share: float
    message: str
    remedy: str
    examples: tuple[Example, ...] = ()
    positions: tuple[int, ...] = field(default=(), repr=False)

    def to_dict(self, rows: Sequence[int]) -> dict[str, Any]:
        """Plain values; ``rows`` gives the data row of each position."""
        return {
            "kind": self.kind,
            "count": self.count,
            "share": round(self.share, 6),
            "message": self.message,
            "examples": [example.to_dict() for example in self.examples],
            "remedy": self.remedy,
            "rows": [rows[position] for position in self.positions],
        }


Finder = Callable[[Evidence], list[Finding]]


def corpus_row(evidence: Evidence, position: int) -> CorpusRow:
    """The text at a position of the corpus, for an example."""
    return row_at(evidence.corpus, position)


def row_at(corpus: Corpus, position: int) -> CorpusRow:
    """The text at a position of a corpus."""
    return CorpusRow(
        row=corpus.rows[position],
        text=corpus.texts[position],
        label=corpus.labels[position] if corpus.labels else "",
        split=corpus.splits[position] if corpus.splits else "",
        line=corpus.lines[position] if corpus.lines is not None else None,
    )


def evenly_spaced(count: int, most: int) -> list[int]:
    """``most`` indices evenly spread over 0..count-1, or all: examples from best to worst."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [0]
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
