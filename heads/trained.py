"""TrainedHead, the result of a training, and ``fit``, which trains one."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from features.errors import SettingError
from features.tables import Features, FeatureTables, as_tables
from features.vectors.table import FeatureTable
from features.words.table import WORDS
from heads.device import CPU
from heads.evaluation.calibration import softmax
from heads.head import Head
from heads.measurements import StepMeasurements
from heads.problem import EpochRecord, OnEpoch, Problem
from heads.registry import check_layout, head_type
from heads.settings import HeadSettings, TrainingSettings
from heads.training.inference import compute_logits
from heads.training.optimizers import without_compiler
from heads.words.fitting import choose_share, fit_words, mix_logits, refit_words
from heads.words.model import WordModel


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A trained classifier over the vectors of one space, over words, or over both.

    Attributes:
        head: name of the head in the registry.
        settings: settings that it was trained with.
        classes: the C labels, in the order of the logits.
        layout: layout of the tables that it reads, such as ``pooled`` or ``pooled,words``: that
            of the training, or a part of it if validation chose that.
        width: D of the vectors that it takes; 0 if it reads words alone.
        state: the best weights by name, float32; none if it reads words alone.
        history: one record per epoch; for ``logistic`` and ``knn``, one per value of C or k.
            With words beside vectors it is that of the vectors' part.
        best_epoch: number of the record with these weights, from 1.
        temperature: positive number by which the logits are divided before the softmax, so that
            the probabilities are calibrated; it does not change predictions.
        words: the part that reads words; None if the layout has none, or if validation gave
            them no share.
        word_c: C of the words, which a refit uses; not stored.
        steps: what was measured of the steps of the fit; not stored with the head.
    """

    head: str
    settings: HeadSettings
    classes: tuple[str, ...]
    layout: str
    width: int
    state: dict[str, np.ndarray]
    history: tuple[EpochRecord, ...]
    best_epoch: int
    temperature: float = 1.0
    words: WordModel | None = None
    word_c: float = 0.0
    steps: StepMeasurements | None = None

    @property
    def parameters(self) -> int:
        """Number of learned parameters, without measured statistics."""
        own = 0 if self.words is None else self.words.parameters
        if self.layout == WORDS:
            return own
        return own + sum(parameter.numel() for parameter in self.module.parameters())

    @property
    def word_share(self) -> float:
        """Share of words in the logits, in [0, 1]."""
        return 0.0 if self.words is None else self.words.share

    @cached_property
    def module(self) -> Head:
        """Build the head with its weights, in evaluation mode."""
        with torch.device("meta"):  # no memory and no random numbers for weights soon replaced
            head = head_type(self.head).build(self.settings, self.width, len(self.classes))
        state = {name: torch.from_numpy(value.copy()) for name, value in self.state.items()}
        head.load_state_dict(state, assign=True)
        return head.eval()

    def logits(
        self, table: Features | FeatureTables, rows: np.ndarray, device: str = CPU
    ) -> np.ndarray:
        """Return (n, C) float32 logits of some texts.

        Args:
            table: vectors of N texts, their words, or both, as the layout says.
            rows: (n,) int64 rows of the table.
            device: what to compute on, as :func:`heads.registry.device_of` gives it.

        Raises:
            SettingError: the table has another layout or width than in training.
            DeviceMemoryError: the memory of a GPU does not suffice.
        """
        tables = self._read(as_tables(table))
        if len(rows) == 0:
            return np.zeros((0, len(self.classes)), dtype=np.float32)
        if self.words is None or tables.words is None:
            return self._vector_logits(_vectors(tables), rows, device)
        words = self.words.logits(tables.words, rows)
        if tables.vectors is None:
            return words
        vectors = self._vector_logits(tables.vectors, rows, device)
        return mix_logits(vectors, words, self.words.share)

    def _read(self, tables: FeatureTables) -> FeatureTables:
        """Return the tables that the head reads. Raises ``SettingError`` if one is missing."""
        names = self.layout.split(",")
        read = tuple(each for each in tables.tables if each.layout in names)
        widths = [each.width for each in read if isinstance(each, FeatureTable)] or [0]
        if len(read) < len(names) or widths != [self.width]:
            raise SettingError(
                f"this {self.head} head takes {self.layout} vectors of width {self.width}, not "
                f"{tables.layout} vectors of width {tables.width}: use the encoder and layout "
                "that it was trained with"
            )
        return FeatureTables(read)

    def _vector_logits(self, table: FeatureTable, rows: np.ndarray, device: str) -> np.ndarray:
        module = self.module if device == CPU else copy.deepcopy(self.module).to(device)
        return compute_logits(module, table, rows, device)

    def predict_proba(
        self, table: Features | FeatureTables, rows: np.ndarray, device: str = CPU
    ) -> np.ndarray:
        """Return (n, C) float32 probabilities: the softmax of the logits / ``temperature``.

        Arguments and errors are those of :meth:`logits`.
        """
        return softmax(self.logits(table, rows, device), self.temperature)


def fit(
    head: str,
    settings: HeadSettings,
    table: Features | FeatureTables,
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    classes: tuple[str, ...],
    seed: int,
    on_epoch: OnEpoch | None = None,
    device: str = CPU,
) -> TrainedHead:
    """Train a head.

    Words are read by a logistic regression of their own. Beside vectors, the logits of both
    are added, and validation chooses the share of each. The head then reads both, or only one
    of them where the other adds nothing beyond noise.

    Args:
        head: name of the head in the registry.
        settings: its settings, from :func:`heads.registry.make_settings`; the head gets them
            with the epochs that ``min_steps`` asks for.
        table: vectors of N texts, their words, or both, in a layout that the head takes.
        labels: (N,) int64 class ids.
        train: (n,) int64 training rows; their labels are below C.
        validation: (m,) int64 validation rows, m at least 1.
        classes: the C labels, in the order of their ids.
        seed: seed of everything random.
        on_epoch: called with every record of the history.
        device: what to learn on, as :func:`heads.registry.device_of` gives it. What is learned
            is returned in the memory of the processor.

    Returns:
        The head with the weights of the best record.

    Raises:
        SettingError: there is no such head, it takes other layouts, or a class weight is for an
            unknown label.
        BadVectorError: a training vector is not finite.
        DivergedError: the loss became NaN or infinite.
        DeviceMemoryError: the memory of a GPU does not suffice.
    """
    tables = as_tables(table)
    check_layout(head, tables.layout)
    if isinstance(settings, TrainingSettings):
        # Kept with the head, so that a refit on more texts goes by the same schedule.
        settings = settings.for_texts(len(train))
    sides = train, validation
    empty = TrainedHead(head, settings, classes, WORDS, 0, {}, (), 0)
    if tables.vectors is None:
        return _with_words(empty, tables, labels, *sides, on_epoch)
    problem = Problem(tables.vectors, labels, *sides, len(classes), classes, device)
    with without_compiler():
        fitted = head_type(head).fit(settings, problem, seed, on_epoch)
    vectors = replace(empty, layout=tables.vectors.layout, width=tables.width, **vars(fitted))
    if tables.words is None:
        return vectors
    words = _with_words(empty, tables, labels, *sides)
    return _join(vectors, words, tables, labels, validation, device)


def _with_words(
    empty: TrainedHead,
    tables: FeatureTables,
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    on_epoch: OnEpoch | None = None,
) -> TrainedHead:
    """Return the head that reads words alone."""
    assert tables.words is not None
    sides = train, validation, len(empty.classes)
    words, history, best = fit_words(tables.words, labels, *sides, on_epoch)
    c = history[best - 1].value
    return replace(empty, history=history, best_epoch=best, words=words, word_c=c)


def _join(
    vectors: TrainedHead,
    words: TrainedHead,
    tables: FeatureTables,
    labels: np.ndarray,
    validation: np.ndarray,
    device: str,
) -> TrainedHead:
    """Return the head that reads both, or one of them if that validates as well."""
    assert words.words is not None
    share = choose_share(
        labels[validation],
        vectors.logits(tables, validation, device),
        words.logits(tables, validation),
    )
    if share in (0.0, 1.0):
        return words if share else vectors
    return replace(
        vectors,
        layout=tables.layout,
        words=replace(words.words, share=share),
        word_c=words.word_c,
    )


def refit(
    trained: TrainedHead,
    table: Features | FeatureTables,
    labels: np.ndarray,
    rows: np.ndarray,
    seed: int,
    device: str = CPU,
) -> TrainedHead:
    """Train the same head again, on training and validation texts together.

    Settings, seed and number of epochs (or C, or k) are those of the best record, and so are C
    and the share of words. The scores of the new head on validation texts mean nothing, since
    it has learned from them.

    Args:
        trained: what ``fit`` returned.
        table, labels: as for ``fit``.
        rows: (n,) int64 rows to learn from, usually training and validation rows.
        seed, device: as for ``fit``.

    Raises:
        BadVectorError, DivergedError, DeviceMemoryError: like ``fit``.
    """
    tables, classes = as_tables(table), len(trained.classes)
    words = trained.words
    if words is not None and tables.words is not None:
        again = refit_words(tables.words, labels, rows, classes, trained.word_c)
        words = replace(again, share=words.share)
    if trained.layout == WORDS or tables.vectors is None:
        return replace(trained, words=words)
    problem = Problem(tables.vectors, labels, rows, rows[:0], classes, trained.classes, device)
    best = trained.history[trained.best_epoch - 1]
    with without_compiler():
        state = head_type(trained.head).refit(trained.settings, problem, seed, best)
    return replace(trained, state=state, words=words)


def _vectors(tables: FeatureTables) -> FeatureTable:
    """Return the table of vectors of a layout that has one."""
    assert tables.vectors is not None
    return tables.vectors
