"""What a page tells of a run, read from its folder and from what is still at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from features.corpus.corpus import Corpus
from features.errors import DamagedFileError
from pipeline.audit.report.record import KeptAudit, find_audit
from pipeline.config import ExperimentConfig
from pipeline.evaluation.result import BlendResult, Scores
from pipeline.overview.run_page import RunPage, show_run
from pipeline.pages.config import UMAP, ReportConfig
from pipeline.pages.figures.neighbourhoods import neighbourhoods
from pipeline.pages.figures.projection import Projection, project
from pipeline.pages.payload import Listed
from pipeline.pages.test_texts import TestTexts, read_test_texts, read_texts, read_vectors
from pipeline.runs.files.misclassified import Misclassified
from pipeline.runs.files.verdict import StoredVerdict, read_verdict
from pipeline.runs.folder import HISTORY, PARTS
from pipeline.runs.formats import HistoryLine
from pipeline.runs.reader import read_errors, read_history, read_options
from pipeline.runs.request import request_of


@dataclass(frozen=True, eq=False)
class Material:
    """A run, as a page tells it.

    Attributes:
        page: what ``manyheads show`` says of it.
        asked: what it was asked for; of a blend, its first part; None where this version
            cannot read that.
        tests: its test texts.
        corpus: all its texts; None where they are not at hand.
        errors: the misclassified test texts with their neighbours; () of a blend.
        history: of its trainings; () of a blend.
        config: of the report.
        verdict: what the doctor last said of it; None where it was not examined.
        audit: what the last audit of all its texts found; None where none is in the cache.
    """

    page: RunPage
    asked: ExperimentConfig | None
    tests: TestTexts
    corpus: Corpus | None
    errors: tuple[Misclassified, ...]
    history: tuple[HistoryLine, ...]
    config: ReportConfig
    verdict: StoredVerdict | None = None
    audit: KeptAudit | None = None

    @property
    def scores(self) -> Scores:
        """Return the scores of the run."""
        return self.page.scores

    @property
    def blended(self) -> bool:
        """Return whether it is a blend."""
        return isinstance(self.scores, BlendResult)

    @cached_property
    def listed(self) -> Listed:
        """Return the test texts that the page has."""
        return Listed.of(self.tests)

    @cached_property
    def texts(self) -> Mapping[int, str]:
        """Return texts by data row: all of them, or those of the errors."""
        if self.corpus is not None and self.tests.positions is not None:
            positions = self.tests.positions.tolist()
            rows = self.tests.rows.tolist()
            return {row: self.corpus.texts[i] for row, i in zip(rows, positions, strict=True)}
        return {each.row: each.text for each in self.errors}

    def places(self) -> tuple[Projection | None, str]:
        """Return where the listed texts stand on the map, and of what that is a map."""
        tests, chosen = self.tests, self.listed.chosen
        if len(chosen) < 3:
            return None, ""
        vectors = None
        if self.corpus is not None and tests.positions is not None:
            texts = [self.corpus.texts[i] for i in tests.positions[chosen].tolist()]
            resolved = self.page.config.resolved
            vectors = read_vectors(texts, self.asked, resolved, self.config)
        place = neighbourhoods if self.config.map == UMAP else project
        if vectors is not None:
            return place(vectors), "the vectors of the encoder (before any training)"
        if tests.probabilities is None:
            return None, ""
        return place(np.sqrt(tests.probabilities[chosen])), "the probabilities of the labels"


def read_material(folder: Path, runs: Path, config: ReportConfig) -> Material:
    """Read a run.

    Args:
        folder: of a finished run.
        runs: the folder of runs.
        config: where its texts and vectors are now.

    Raises:
        CacheError: a file of the run is missing, damaged or newer than this program.
    """
    page = show_run(folder, runs)
    first = folder / PARTS / "1"
    asked = request_of(read_options(first if first.is_dir() else folder))
    tests = read_test_texts(folder)
    if not len(tests.labels):
        raise DamagedFileError(folder, "it has no test texts", "train the run again")
    return Material(
        page,
        asked,
        tests,
        read_texts(tests, asked, config),
        read_errors(folder),
        read_history(folder) if (folder / HISTORY).exists() else (),
        config,
        read_verdict(folder),
        _audit(tests, asked, config),
    )


def _audit(
    tests: TestTexts, asked: ExperimentConfig | None, config: ReportConfig
) -> KeptAudit | None:
    """Return what the last audit of the texts of a run found, from the cache."""
    cache = config.cache or (asked.vectors.cache if asked else None)
    if cache is None or not tests.corpus_digest:
        return None
    return find_audit(cache, tests.corpus_digest)
