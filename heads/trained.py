"""TrainedHead, the result of a training, and ``fit``, which trains one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from features.errors import SettingError
from features.messages import listed
from features.tables import Features, FeatureTables, as_tables
from features.vectors.table import FeatureTable
from features.words.table import WORDS
from heads.device import CPU
from heads.evaluation.calibration import softmax
from heads.evaluation.measurements import StepMeasurements
from heads.evaluation.shares import choose_share, mix_logits
from heads.head import Head
from heads.problem import EpochRecord, OnEpoch, Problem
from heads.registry import check_layout, head_type
from heads.settings import HeadSettings, TrainingSettings
from heads.training.inference import compute_logits
from heads.training.optimizers import without_compiler
from heads.vector_model import VectorModel
from heads.words.fitting import fit_words, refit_words
from heads.words.model import WordModel


@dataclass(frozen=True, eq=False)
class TrainedHead:
    """A trained classifier over vectors of one encoder or several, over words, or over both.

    Attributes:
        head: name of the head in the registry.
        settings: settings that it was trained with.
        classes: the C labels, in the order of the logits.
        layout: layout of the tables that it reads, such as ``pooled`` or ``pooled,words``: that
            of the training, or a part of it if validation chose that.
        width: D of the vectors that it takes; 0 if it reads words alone.
        state: the best weights by name, float32; none if it reads words alone.
        history: one record per epoch; for ``logistic`` and ``knn``, one per value of C or k.
            With words or further encoders it is that of the first part.
        best_epoch: number of the record with these weights, from 1.
        temperature: positive number by which the logits are divided before the softmax, so that
            the probabilities are calibrated; it does not change predictions.
        words: the part that reads words; None if the layout has none, or if validation gave
            them no share.
        word_c: C of the words, which a refit uses; not stored.
        table: which of the tables of vectors ``state`` is for, from 0: validation may leave the
            first encoder out.
        further: the parts that read the vectors of further encoders, each with its share.
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
    table: int = 0
    further: tuple[VectorModel, ...] = ()
    steps: StepMeasurements | None = None

    @property
    def parameters(self) -> int:
        """Number of learned parameters, without measured statistics."""
        own = 0 if self.words is None else self.words.parameters
        return own + sum(
            parameter.numel() for module in self.modules for parameter in module.parameters()
        )

    @property
    def word_share(self) -> float:
        """Share of words in the logits, in [0, 1]."""
        return 0.0 if self.words is None else self.words.share

    @property
    def reads(self) -> tuple[int, ...]:
        """Which of the tables of vectors it reads, from 0; () if it reads words alone."""
        if self.layout == WORDS:
            return ()
        return self.table, *(model.table for model in self.further)

    @property
    def widths(self) -> tuple[int, ...]:
        """D of each table of vectors that it reads."""
        return (self.width, *(model.width for model in self.further)) if self.reads else ()

    @property
    def encoder_shares(self) -> tuple[float, ...]:
        """Share of each table of vectors in the sum of their logits; together 1."""
        shares = [1.0] if self.reads else []
        for model in self.further:
            shares = [*(share * (1 - model.share) for share in shares), model.share]
        return tuple(shares)

    def renumbered(self) -> TrainedHead:
        """Return the same head for the tables of vectors that it reads, without the others."""
        further = tuple(
            replace(model, table=number) for number, model in enumerate(self.further, 1)
        )
        return replace(self, table=0, further=further)

    @property
    def module(self) -> Head:
        """The head with its weights, in evaluation mode; of several encoders the first one."""
        return self.modules[0]

    @cached_property
    def modules(self) -> tuple[Head, ...]:
        """Build the head of each table of vectors with its weights, in evaluation mode."""
        states = [self.state, *(model.state for model in self.further)]
        return tuple(
            self._build(width, state) for width, state in zip(self.widths, states, strict=False)
        )

    def _build(self, width: int, weights: dict[str, np.ndarray]) -> Head:
        # The initial weights are soon replaced. Without memory, on the device "meta", some
        # layers would import torch's compiler, 0.8 s.
        with torch.random.fork_rng(devices=[]):
            head = head_type(self.head).build(self.settings, width, len(self.classes))
        state = {name: torch.from_numpy(value.copy()) for name, value in weights.items()}
        head.load_state_dict(state, assign=True)
        return head.eval()

    def logits(
        self, table: Features | FeatureTables, rows: np.ndarray, device: str = CPU
    ) -> np.ndarray:
        """Return (n, C) float32 logits of some texts.

        Args:
            table: vectors of N texts, their words, or both, as the layout says; of several
                encoders the vectors of each, in the order of the training.
            rows: (n,) int64 rows of the table.
            device: what to compute on, as :func:`heads.registry.device_of` gives it.

        Raises:
            SettingError: the table has another layout or width than in training.
            DeviceMemoryError: the memory of a GPU does not suffice.
        """
        tables = as_tables(table)
        vectors = self._read(tables)
        if len(rows) == 0:
            return np.zeros((0, len(self.classes)), dtype=np.float32)
        shares = (1.0, *(model.share for model in self.further))
        logits = np.zeros((len(rows), len(self.classes)), dtype=np.float32)
        for share, own, module in zip(shares, vectors, self.modules, strict=False):
            there = module if device == CPU else copy.deepcopy(module).to(device)
            logits = mix_logits(logits, compute_logits(there, own, rows, device), share)
        if self.words is None or tables.words is None:
            return logits
        words = self.words.logits(tables.words, rows)
        return mix_logits(logits, words, self.words.share) if vectors else words

    def _read(self, tables: FeatureTables) -> tuple[FeatureTable, ...]:
        """Return the vectors that it reads. Raises ``SettingError`` if a table is missing."""
        names = self.layout.split(",")
        read = tuple(tables.encoders[i] for i in self.reads if i < len(tables.encoders))
        widths = tuple(each.width for each in read)
        known = set(tables.layout.split(","))
        if not known.issuperset(names) or widths != self.widths:
            raise SettingError(
                f"this {self.head} head takes {self.layout} {_of_widths(self.widths)}, not "
                f"{tables.layout} {_of_widths([each.width for each in tables.encoders])}: use "
                "the encoder and layout that it was trained with"
            )
        return read

    def predict_proba(
        self, table: Features | FeatureTables, rows: np.ndarray, device: str = CPU
    ) -> np.ndarray:
        """Return (n, C) float32 probabilities: the softmax of the logits / ``temperature``.

        Arguments and errors are those of :meth:`logits`.
        """
        return softmax(self.logits(table, rows, device), self.temperature)


def _of_widths(widths: Sequence[int]) -> str:
    """Return how wide vectors are, for people."""
    several = "widths" if len(widths) > 1 else "width"
    return f"vectors of {several} {listed(widths) if widths else 0}"


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

    Each table has a model of its own: the vectors of each encoder a head of this kind, and
    words a logistic regression. Their logits are added one after another, and validation
    chooses the share of each. A part that adds nothing beyond noise is left out.

    Args:
        head: name of the head in the registry.
        settings: its settings, from :func:`heads.registry.make_settings`; the head gets them
            with the epochs that ``min_steps`` asks for.
        table: vectors of N texts, of one encoder or several, their words, or both, in a layout
            that the head takes.
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
    parts: list[TrainedHead] = []
    for number, vectors in enumerate(tables.encoders):
        problem = Problem(vectors, labels, *sides, len(classes), classes, device)
        parts.append(replace(_on_vectors(empty, problem, seed, on_epoch), table=number))
    if tables.words is not None:
        parts.append(_with_words(empty, tables, labels, *sides))
    return _join(parts, tables, labels, validation, device)


def _on_vectors(
    empty: TrainedHead, problem: Problem, seed: int, on_epoch: OnEpoch | None
) -> TrainedHead:
    """Return a head over the vectors of one encoder."""
    with without_compiler():
        fitted = head_type(empty.head).fit(empty.settings, problem, seed, on_epoch)
    table = problem.table
    return replace(empty, layout=table.layout, width=table.width, **vars(fitted))


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
    with without_compiler():
        words, history, best = fit_words(tables.words, labels, *sides, on_epoch)
    c = history[best - 1].value
    return replace(empty, history=history, best_epoch=best, words=words, word_c=c)


def _join(
    parts: Sequence[TrainedHead],
    tables: FeatureTables,
    labels: np.ndarray,
    validation: np.ndarray,
    device: str,
) -> TrainedHead:
    """Return the head that reads all tables, or fewer where those validate as well.

    Args:
        parts: a head that reads one table, for each of them.
    """
    joined = parts[0]
    if len(parts) == 1:
        return joined
    logits = joined.logits(tables, validation, device)
    for part in parts[1:]:
        own = part.logits(tables, validation, device)
        share = choose_share(labels[validation], logits, own)
        joined = _added(joined, part, share, tables.layout)
        logits = mix_logits(logits, own, share)
    return joined


def _added(first: TrainedHead, second: TrainedHead, share: float, layout: str) -> TrainedHead:
    """Return the head that adds the logits of two, of the second with its share.

    Args:
        layout: of the tables; it is that of the head if this reads words and vectors.
    """
    if share in (0.0, 1.0):
        return second if share else first
    if second.words is not None:
        words = replace(second.words, share=share)
        return replace(first, layout=layout, words=words, word_c=second.word_c)
    best = second.history[second.best_epoch - 1]
    model = VectorModel(second.table, second.width, share, second.state, best)
    return replace(first, further=(*first.further, model))


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
    of the words and all shares. The scores of the new head on validation texts mean nothing,
    since it has learned from them.

    Args:
        trained: what ``fit`` returned.
        table, labels: as for ``fit``.
        rows: (n,) int64 rows to learn from, usually training and validation rows.
        seed, device: as for ``fit``.

    Raises:
        BadVectorError, DivergedError, DeviceMemoryError: like ``fit``.
    """
    tables = as_tables(table)
    words = trained.words
    if words is not None and tables.words is not None:
        with without_compiler():
            words = refit_words(tables.words, labels, rows, words, trained.word_c)
    if trained.layout == WORDS or tables.vectors is None:
        return replace(trained, words=words)

    def learn(
        number: int, best: EpochRecord, near: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        vectors, none = tables.encoders[number], rows[:0]
        names = trained.classes
        problem = Problem(vectors, labels, rows, none, len(names), names, device, near)
        with without_compiler():
            return head_type(trained.head).refit(trained.settings, problem, seed, best)

    further = []
    for model in trained.further:
        assert model.best is not None  # stored heads are not trained again
        further.append(replace(model, state=learn(model.table, model.best, model.state)))
    best = trained.history[trained.best_epoch - 1]
    state = learn(trained.table, best, trained.state)
    return replace(trained, state=state, further=tuple(further), words=words)
