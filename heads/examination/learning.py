"""Learning with a module of the user's own, by the plain loop.

The loop is the one that most code has: shuffled batches that are padded to their longest text,
Adam with a constant step size, cross-entropy of what the module returns. What counts is that
one thing at a time can be changed, with the same seed.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from features.errors import ModuleError
from features.vectors.table import FeatureTable
from heads.class_weights import balanced_weights
from heads.evaluation.metrics import accuracy, log_loss
from heads.examination.dropout import without_dropout
from heads.examination.module import Build, ForeignModule, failure
from heads.examination.outputs import LOGITS
from heads.problem import Problem
from heads.training.batches import Batch, gather, plan, seen_lengths
from heads.training.losses import cross_entropy
from heads.training.trainer import seeded

SCORED = 2000
"""Most training texts that are scored in the end."""


@dataclass(frozen=True)
class Loop:
    """How a module is trained.

    Attributes:
        epochs: passes over the training texts; the best on validation is kept.
        batch_size: texts per step.
        learning_rate: step size of Adam, constant.
        seed: of initial weights, order of the texts and dropout.
        reading: what the output is taken for; see :mod:`heads.examination.outputs`.
        max_vectors: use only the first so many vectors of a text; 0: all.
        padded: whether texts of different lengths share a batch; otherwise there is no padding.
        more_padding: padded positions that every batch gets besides.
        unfrozen: whether weights that the module froze learn, too.
        dropout: whether the dropout layers of the module drop anything.
        balanced: whether every class weighs inversely to its frequency in the loss.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    seed: int = 0
    reading: str = LOGITS
    max_vectors: int = 0
    padded: bool = True
    more_padding: int = 0
    unfrozen: bool = False
    dropout: bool = True
    balanced: bool = False


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean cross-entropy over the training texts, with dropout, and validation."""

    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, eq=False)
class Learned:
    """The result of a training.

    Attributes:
        module: with the weights of the best epoch, in evaluation mode.
        loop: how it was trained.
        history: one record per epoch; it ends early where the loss became NaN or infinite.
        best: number of the best epoch, from 1; 0 if the first one ended in NaN.
        logits: (m, C) float32 of the validation rows.
        train_rows: (k,) training rows that were scored, at most ``SCORED``.
        train_logits: (k, C) float32 of these, in evaluation mode.
        seconds: of the training.
    """

    module: ForeignModule
    loop: Loop
    history: tuple[Epoch, ...]
    best: int
    logits: np.ndarray
    train_rows: np.ndarray
    train_logits: np.ndarray
    seconds: float

    @property
    def diverged(self) -> bool:
        """Whether the loss became NaN or infinite."""
        return len(self.history) < self.loop.epochs

    @property
    def resting_loss(self) -> float:
        """Return the lowest mean loss of an epoch; NaN without epochs."""
        return min((each.train_loss for each in self.history), default=math.nan)


def learn(build: Build, problem: Problem, loop: Loop) -> Learned:
    """Train a module; return it with the weights of the epoch that was best on validation.

    Args:
        build: makes the module.
        problem: what to learn from.
        loop: how.

    Raises:
        ModuleError: the module fails.
    """
    started = time.perf_counter()
    with seeded(loop.seed, 0):
        module = ForeignModule(build(), problem.classes, loop.reading)
    if loop.unfrozen:
        module.requires_grad_(True)
    if not loop.dropout:
        without_dropout(module)
    optimizer = torch.optim.Adam(trainable(module), lr=loop.learning_rate)
    truth = problem.labels[problem.validation]
    history: list[Epoch] = []
    best, found = (-math.inf, -math.inf), 0
    state = copy.deepcopy(module.state_dict())
    for epoch in range(1, loop.epochs + 1):
        loss = _pass(module, optimizer, problem, loop, epoch)
        if not math.isfinite(loss):
            break
        logits = predict(module, problem.table, problem.validation, loop)
        record = Epoch(loss, log_loss(truth, logits), accuracy(truth, logits.argmax(axis=1)))
        history.append(record)
        key = (record.validation_accuracy, -record.validation_loss)
        if key > best:
            best, found, state = key, epoch, copy.deepcopy(module.state_dict())
    module.load_state_dict(state)
    known = problem.train[:SCORED]
    return Learned(
        module,
        loop,
        tuple(history),
        found,
        predict(module, problem.table, problem.validation, loop),
        known,
        predict(module, problem.table, known, loop),
        time.perf_counter() - started,
    )


def as_given(build: Build, problem: Problem, loop: Loop) -> Learned:
    """Return a module as it is, without training it; ``loop`` says how it is asked.

    Raises:
        ModuleError: the module fails.
    """
    started = time.perf_counter()
    module = ForeignModule(build(), problem.classes, loop.reading)
    known = problem.train[:SCORED]
    return Learned(
        module,
        loop,
        (),
        0,
        predict(module, problem.table, problem.validation, loop),
        known,
        predict(module, problem.table, known, loop),
        time.perf_counter() - started,
    )


def _pass(
    module: ForeignModule,
    optimizer: torch.optim.Optimizer,
    problem: Problem,
    loop: Loop,
    epoch: int,
) -> float:
    """Learn from all training texts once; return the mean loss, or NaN where it stopped."""
    total, seen = 0.0, 0
    labels = torch.from_numpy(problem.labels)
    weights = None
    if loop.balanced:
        own = balanced_weights(problem.labels[problem.train], problem.classes)
        weights = torch.from_numpy(own)
    random = np.random.default_rng([loop.seed, epoch])
    with seeded(loop.seed, epoch):
        module.train()
        for _, batch in parts(problem.table, problem.train, loop, random):
            if len(batch.rows) == 1 and loop.padded and loop.batch_size > 1:
                continue  # what is left over: batch normalisation cannot learn from one text
            truth = labels[torch.from_numpy(batch.rows)]
            loss = step(module, optimizer, batch, truth, weights)
            if not math.isfinite(loss):
                return math.nan
            total += loss * len(batch.rows)
            seen += len(batch.rows)
    return total / max(seen, 1)


def step(
    module: ForeignModule,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    labels: torch.Tensor,
    weights: torch.Tensor | None = None,
) -> float:
    """Take one step on a batch; return its mean cross-entropy before, by weights of classes."""
    loss = cross_entropy(module(batch.x, batch.mask), labels, class_weights=weights)
    optimizer.zero_grad()
    descend(loss)
    optimizer.step()
    return float(loss.detach())


def descend(loss: torch.Tensor) -> None:
    """Compute the gradients of a loss.

    Raises:
        ModuleError: no weight has one, or the graph of an earlier call is needed.
    """
    try:
        loss.backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise ModuleError(
            f"the module has no gradient: {failure(error)}; its output must come from its "
            "weights by operations of torch, without detach, no_grad or a state of an earlier "
            "call"
        ) from error


def trainable(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Return the parameters that ask for a gradient.

    Raises:
        ModuleError: there are none.
    """
    found = [each for each in module.parameters() if each.requires_grad]
    if not found:
        raise ModuleError(
            "the module has nothing to learn: none of its parameters asks for a gradient; make "
            "layers attributes of the module, lists of them a torch.nn.ModuleList"
        )
    return found


@torch.no_grad()
def predict(
    module: ForeignModule, table: FeatureTable, rows: np.ndarray, loop: Loop
) -> np.ndarray:
    """Return (n, C) float32 logits, batch by batch in the order of the rows.

    Args:
        module: left in evaluation mode.
        table: vectors of N texts.
        rows: (n,) int64.
        loop: size of the batches, and how texts are cut and padded.
    """
    module.eval()
    found = np.zeros((len(rows), module.classes), np.float32)
    for places, batch in parts(table, rows, loop):
        found[places] = module(batch.x, batch.mask).numpy()
    return found


def parts(
    table: FeatureTable, rows: np.ndarray, loop: Loop, random: np.random.Generator | None = None
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Yield batches of float32 vectors with the places of their texts in ``rows``.

    Args:
        random: shuffles texts and batches; None: in the order of the rows.
    """
    lengths = seen_lengths(table, rows, loop.max_vectors)
    groups = (
        [np.arange(len(rows))]
        if loop.padded
        else [np.flatnonzero(lengths == each) for each in np.unique(lengths)]
    )
    planned = []
    for group in groups:
        # Lengths are hidden from the plan, so that it mixes them as a plain loop does.
        longest = np.full(len(group), lengths[group].max())
        planned += [group[one] for one in plan(longest, loop.batch_size, random)]
    if random is not None:
        planned = [planned[place] for place in random.permutation(len(planned))]
    for places in planned:
        batch = gather(table, rows[places], loop.max_vectors)
        x, mask = batch.x.float(), batch.mask
        if loop.more_padding:
            x = torch.nn.functional.pad(x, (0, 0, 0, loop.more_padding))
            mask = torch.nn.functional.pad(mask, (0, loop.more_padding))
        yield places, Batch(batch.rows, x, mask)
