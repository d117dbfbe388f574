"""A case: what one training was made of, so that it can be measured and repeated changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from features.errors import SettingError
from features.tables import Features, FeatureTables
from features.vectors.table import POOLED, FeatureTable
from heads.device import CPU
from heads.settings import HeadSettings

if TYPE_CHECKING:
    from features.corpus.corpus import Corpus
    from features.duplicates.duplicates import Duplicates
    from heads.evaluation.measurements import Diagnostics
    from heads.problem import EpochRecord
    from heads.trained import TrainedHead
    from pipeline.config import ExperimentConfig


@dataclass(frozen=True, eq=False)
class Case:
    """One training: one fold, one seed, the head as it was before its refit.

    Attributes:
        head: name in the registry; '' of a head that a user brings.
        settings: of the head, resolved.
        tables: what the head reads of N texts.
        pooled: (N, D) pooled vectors; None where there are none.
        labels: (N,) int64 class ids; ids from C up are labels that training does not have.
        classes: the C labels.
        train, validation: rows.
        test: rows; their texts and labels may be compared with training's, and nothing more.
        logits: (m, C) logits of the validation texts, before refit and temperature.
        trained: the head before its refit; None where it is to be trained again to have it.
        seed: of the training.
        other_seeds: (seed, validation accuracy) of trainings that differ in nothing else.
        seconds: of the training.
        device: it learned on.
        history, best_epoch: of the training.
        diagnostics: what was measured while training; None where nothing was.
        corpus: the texts; None of arrays.
        duplicates: near-copies among the texts; None where not looked for.
        tokens: (N,) tokens of each whole text, or None.
        truncated: (N,) bool, or None.
        config: what was asked for; None of arrays.
        remembered: heads that were trained on this case with other settings; see ``remember``.
    """

    head: str
    settings: HeadSettings
    tables: FeatureTables
    labels: np.ndarray
    classes: tuple[str, ...]
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    logits: np.ndarray
    seed: int = 0
    other_seeds: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0
    device: str = CPU
    pooled: np.ndarray | None = None
    trained: TrainedHead | None = None
    history: tuple[EpochRecord, ...] = ()
    best_epoch: int = 0
    diagnostics: Diagnostics | None = None
    corpus: Corpus | None = None
    duplicates: Duplicates | None = None
    tokens: np.ndarray | None = None
    truncated: np.ndarray | None = None
    config: ExperimentConfig | None = None
    remembered: list[tuple[Case, HeadSettings, TrainedHead]] = field(default_factory=list)

    @property
    def texts(self) -> Sequence[str] | None:
        """Return the N texts, or None of arrays."""
        return None if self.corpus is None else self.corpus.texts

    @property
    def predicted(self) -> np.ndarray:
        """Return (m,) int64 predicted classes of the validation texts."""
        ids: np.ndarray = self.logits.argmax(axis=1)
        return ids

    @property
    def right(self) -> np.ndarray:
        """Return (m,) bool: validation texts that are labelled rightly."""
        hits: np.ndarray = self.predicted == self.labels[self.validation]
        return hits

    def tables_of(self, layout: str) -> FeatureTables:
        """Return the tables of a layout: the run's own, or its pooled vectors.

        Raises:
            SettingError: they are not at hand.
        """
        if layout == self.tables.layout:
            return self.tables
        if layout == POOLED and self.pooled is not None:
            rows = np.arange(len(self.pooled) + 1, dtype=np.int64)
            return FeatureTables((FeatureTable(self.pooled, rows, POOLED),))
        raise SettingError(
            f"{layout} vectors are not at hand; this run has {self.tables.layout}"
        )

    @cached_property
    def own_head(self) -> TrainedHead:
        """Return the head before its refit; trains it again where it is not at hand."""
        return self.train_again() if self.trained is None else self.trained

    def with_own_head(self) -> Case:
        """Return the case with the head before its refit, and what belongs to it."""
        from pipeline.training.diagnosis import diagnose

        trained = self.own_head
        logits = trained.logits(self.tables, self.validation, self.device)
        read = self.tables, self.labels, self.train, self.validation
        return replace(
            self,
            trained=trained,
            history=trained.history,
            best_epoch=trained.best_epoch,
            logits=logits,
            diagnostics=diagnose(trained, *read, logits, self.device),
        )

    def train_again(
        self,
        settings: HeadSettings | None = None,
        *,
        head: str = "",
        tables: Features | FeatureTables | None = None,
        labels: np.ndarray | None = None,
        train: np.ndarray | None = None,
        validation: np.ndarray | None = None,
        seed: int | None = None,
    ) -> TrainedHead:
        """Train as the run did, with what is given changed; no refit, no temperature."""
        from heads.trained import fit  # imports torch

        others = (labels, train, validation, seed)
        own = not head and (tables is None or tables is self.tables)
        if settings is not None and own and all(each is None for each in others):
            known = self._remembered(settings)
            if known is not None:
                return known
        return fit(
            head or self.head,
            self.settings if settings is None else settings,
            self.tables if tables is None else tables,
            self.labels if labels is None else labels,
            self.train if train is None else train,
            self.validation if validation is None else validation,
            self.classes,
            self.seed if seed is None else seed,
            device=self.device,
        )

    def remember(self, settings: HeadSettings, trained: TrainedHead) -> None:
        """Keep a head that ``train_again`` gave with these settings: once is enough."""
        self.remembered.append((self, settings, trained))

    def _remembered(self, settings: HeadSettings) -> TrainedHead | None:
        """Return the head of these settings on the same texts, sides and seed; or None."""
        for case, own, trained in self.remembered:
            same = own == settings and case.seed == self.seed and case.head == self.head
            names = ("tables", "labels", "train", "validation")
            if same and all(getattr(case, name) is getattr(self, name) for name in names):
                return trained
        return None
