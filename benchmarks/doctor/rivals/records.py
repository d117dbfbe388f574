"""Records of a training as debugging tools keep them: losses, gradients, updates, units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from benchmarks.doctor.case import Trial
from features.errors import DivergedError
from heads.evaluation.metrics import accuracy, log_loss
from heads.registry import head_type, make_settings
from heads.settings import TrainingSettings
from heads.training.batches import batches as padded_batches
from heads.training.inference import compute_logits
from heads.training.trainer import Step, Trainer, initial_head, training_on

EVERY = 4
"""Steps from one measured step to the next."""

SEEN = 64
"""Validation texts whose activations are looked at."""


@dataclass
class Records:
    """What tools of this kind record of a training.

    Attributes:
        rate: step size; 0 of heads without.
        train_loss, train_accuracy, loss, accuracy: of each epoch; the latter two on validation.
        steps: loss of each step.
        first, last, mean, zeros: of the gradients of each epoch: norms of the first and last
            weights, mean magnitude, largest share of zeros in a tensor.
        updates: log10 of update / weights, median over the tensors, of measured steps.
        dead, saturated, large: largest share of a layer's units; ``large``: values beyond 5.
        outside, magnitude: share of inputs outside [-1, 1], and their mean magnitude.
        counts: training texts of each class.
        dropout: largest share that is dropped.
        finite: no loss was NaN or infinite.
        zeroed: loss with inputs of zeros, over that with the inputs.
    """

    rate: float = 0.0
    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    zeros: list[float] = field(default_factory=list)
    updates: list[float] = field(default_factory=list)
    dead: float = 0.0
    saturated: float = 0.0
    large: float = 0.0
    outside: float = 0.0
    magnitude: float = 0.0
    counts: tuple[int, ...] = ()
    dropout: float = 0.0
    finite: bool = True
    zeroed: float = math.inf


class Watch:
    """Collects records; a trainer or the loop of a user's head tells it of its steps."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.records, self.step = trial, Records(), 0
        self._before: list[torch.Tensor] = []
        self._epoch: list[tuple[float, float, float, float]] = []

    def gradients(self, head: torch.nn.Module, loss: float) -> None:
        """Look at the gradients of a step, before they are clipped."""
        self.records.steps.append(loss)
        self.step += 1
        if self.step % EVERY != 1:
            return
        tensors = _matrices(head)
        slopes = [each.grad for each in tensors if each.grad is not None]
        if slopes:
            norms = [float(slope.norm()) for slope in slopes]
            mean = float(np.mean([float(slope.abs().mean()) for slope in slopes]))
            zeros = max(float((slope == 0).float().mean()) for slope in slopes)
            self._epoch.append((norms[0], norms[-1], mean, zeros))
        self._before = [each.detach().clone() for each in tensors]

    def moved(self, head: torch.nn.Module) -> None:
        """Look at how far a step went."""
        if not self._before:
            return
        ratios = [
            float((now.detach() - then).norm() / then.norm().clamp_min(1e-12))
            for now, then in zip(_matrices(head), self._before, strict=True)
        ]
        self.records.updates.append(math.log10(max(float(np.median(ratios)), 1e-30)))
        self._before = []

    def epoch(self, train_loss: float, train_accuracy: float, logits: np.ndarray) -> None:
        """Close an epoch; logits are those of the validation texts."""
        labels = self.trial.seen_labels[self.trial.validation]
        records = self.records
        records.train_loss.append(train_loss)
        records.train_accuracy.append(train_accuracy)
        records.loss.append(log_loss(labels, logits))
        records.accuracy.append(accuracy(labels, logits.argmax(axis=1)))
        if self._epoch:
            columns = np.median(np.array(self._epoch), axis=0).tolist()
            for name, value in zip(("first", "last", "mean", "zeros"), columns, strict=True):
                getattr(records, name).append(value)
        self._epoch = []

    def epoch_of_user(self, head: torch.nn.Module, epoch: int) -> None:
        """Close an epoch of a user's head."""
        from benchmarks.doctor.candidates.foreign import outputs

        learned = outputs(head, self.trial.table, self.trial.train)
        labels = self.trial.seen_labels[self.trial.train]
        right = accuracy(labels, learned.argmax(axis=1))
        self.epoch(
            log_loss(labels, learned),
            right,
            outputs(head, self.trial.table, self.trial.validation),
        )


class WatchedTrainer(Trainer):
    """The project's trainer, which tells a watch of its steps."""

    watch: Watch
    last_loss = math.nan

    def _clip(self) -> torch.Tensor:
        self.watch.gradients(self.head, self.last_loss)
        return super()._clip()

    def step(self, batch: Any, epoch: int) -> Step:
        """See :meth:`Trainer.step`."""
        step = super().step(batch, epoch)
        self.last_loss = step.loss / len(batch.rows)
        self.watch.moved(self.head)
        return step


def record(trial: Trial, seed: int) -> Records:
    """Train as the run did, bit by bit the same, and return its records."""
    watch = Watch(trial)
    table, rows = trial.table, trial.train
    records = watch.records
    inputs = table.values[table.offsets[rows]].astype(np.float32)
    records.outside = float(np.mean(np.abs(inputs) > 1))
    records.magnitude = float(np.abs(inputs).mean())
    records.counts = tuple(np.bincount(trial.seen_labels[rows]).tolist())
    if trial.build is not None:
        from benchmarks.doctor.candidates.foreign import learn

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = learn(trial, seed, watch)
        records.finite, records.rate = head is not None, 2e-3
        return records
    settings = trial.resolved()
    if isinstance(settings, TrainingSettings):
        _watched(trial, settings, seed, watch)
    else:
        _one_epoch(trial, seed, watch)
    return records


def _watched(trial: Trial, settings: TrainingSettings, seed: int, watch: Watch) -> None:
    """Train by steps as ``heads.training.trainer.fit_by_steps`` does."""
    from heads.problem import Problem

    records = watch.records
    records.rate = settings.learning_rate
    dropped = [settings.input_dropout, getattr(settings, "dropout", 0.0)]
    records.dropout = max(dropped)
    sides = trial.train, trial.validation
    names = trial.known
    problem = Problem(trial.table, trial.seen_labels, *sides, len(names), names)
    with training_on(problem.device, settings.precision):
        head = initial_head(head_type(trial.head).build, settings, problem, seed)  # type: ignore[arg-type]
        trainer = WatchedTrainer(head, settings, problem, seed)
        trainer.watch = watch
        best, best_key = 0, (-math.inf, -math.inf)
        for epoch in range(1, settings.epochs + 1):
            try:
                steps = trainer.learn(epoch)
            except DivergedError:
                records.finite = False
                return
            texts = len(trial.train)
            logits = compute_logits(trainer.averaged, trial.table, trial.validation)
            loss = sum(step.loss for step in steps) / texts
            watch.epoch(loss, sum(step.right for step in steps) / texts, logits)
            key = records.accuracy[-1], -records.loss[-1]
            if key > best_key:
                best, best_key = epoch, key
            elif epoch - best >= settings.patience:
                break
        _activations(
            trainer.averaged, trial, records, getattr(settings, "dense_activation", "")
        )


def _one_epoch(trial: Trial, seed: int, watch: Watch) -> None:
    """Record a head that takes no steps as one epoch."""
    from heads.trained import fit

    settings = make_settings(trial.head, dict(trial.settings))
    sides = trial.train, trial.validation
    head = fit(trial.head, settings, trial.table, trial.seen_labels, *sides, trial.known, seed)
    learned = head.logits(trial.table, trial.train)
    labels = trial.seen_labels[trial.train]
    right = accuracy(labels, learned.argmax(axis=1))
    watch.epoch(log_loss(labels, learned), right, head.logits(trial.table, trial.validation))


@torch.no_grad()
def _activations(head: Any, trial: Trial, records: Records, activation: str) -> None:
    """Look at the units of the dense layers, and at the loss with inputs of zeros."""
    seen: list[torch.Tensor] = []
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, out: seen.append(out.detach().flatten(0, -2))
        )
        for name, module in head.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.endswith("output")
    ]
    head.eval()
    rows = trial.validation[:SEEN]
    labels = torch.from_numpy(trial.seen_labels[rows].copy())
    losses = []
    for zero in (False, True):
        logits = []
        order = []
        for positions, batch in padded_batches(
            trial.table, rows, SEEN, None, head.max_vectors, head.min_vectors
        ):
            x = torch.zeros_like(batch.x) if zero else batch.x
            logits.append(head(x, batch.mask).float())
            order.append(positions)
        if not zero:
            for hook in hooks:
                hook.remove()
        where = torch.from_numpy(np.concatenate(order))
        chosen = labels[where].clamp_max(logits[0].shape[1] - 1)
        losses.append(float(torch.nn.functional.cross_entropy(torch.cat(logits), chosen)))
    records.zeroed = losses[1] / max(losses[0], 1e-9)
    for values in seen:
        if activation in ("relu", "gelu", "elu"):
            records.dead = max(records.dead, _share(values <= 0, 0.99))
        bound = {"sigmoid": 17.0, "tanh": 9.5}.get(activation)
        if bound is not None:
            records.saturated = max(records.saturated, _share(values.abs() > bound, 0.95))
        records.large = max(records.large, float((values.abs() >= 5).float().mean()))


def _matrices(head: torch.nn.Module) -> list[torch.nn.Parameter]:
    return [each for each in head.parameters() if each.dim() >= 2]


def _share(hit: torch.Tensor, least: float) -> float:
    """Return the share of units that are hit on so large a share of the texts."""
    return float((hit.float().mean(dim=0) >= least).float().mean())
