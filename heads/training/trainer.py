"""Training by gradient steps: fit -> epoch -> step. No I/O; global random state is restored.

The same problem, settings and seed on the same machine give the same weights, bit by bit.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch

from features.errors import DivergedError
from heads.class_weights import class_weights
from heads.evaluation.metrics import accuracy, log_loss
from heads.head import SequenceHead, mean_logits
from heads.problem import EpochRecord, Fitted, OnEpoch, Problem
from heads.settings import TrainingSettings
from heads.training.batches import Batch, batches, plan, seen_lengths
from heads.training.inference import compute_logits
from heads.training.losses import cross_entropy, make_loss
from heads.training.optimizers import make_optimizer, step_size


def fit_by_steps(
    build: Callable[[Any, int, int], SequenceHead],
    settings: TrainingSettings,
    problem: Problem,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Train a head until validation stops improving; return the best weights.

    Best is the highest validation accuracy, ties broken by the lower validation loss.

    Args:
        build: (settings, D, C) -> untrained head.
        settings: settings of the head.
        problem: what to learn from.
        seed: seed of initial weights, order of the texts and dropout.
        on_epoch: called after every epoch.

    Raises:
        BadVectorError: a training vector is not finite.
        DivergedError: the loss became NaN or infinite.
    """
    trainer = start(build, settings, problem, seed)
    history: list[EpochRecord] = []
    best, best_key, best_state = 0, (-math.inf, -math.inf), trainer.head.state_dict()
    for epoch in range(1, settings.epochs + 1):
        record = trainer.epoch(epoch)
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)
        key = (record.validation_accuracy, -record.held_out_loss)
        if key > best_key:
            best, best_key = epoch, key
            best_state = copy.deepcopy(trainer.averaged.state_dict())
        elif epoch - best >= settings.patience:
            break
    return Fitted(_arrays(best_state), tuple(history), best)


def refit_by_steps(
    build: Callable[[Any, int, int], SequenceHead],
    settings: TrainingSettings,
    problem: Problem,
    seed: int,
    best: EpochRecord,
) -> dict[str, np.ndarray]:
    """Train up to the best epoch on the same schedule, without using validation rows.

    Raises:
        BadVectorError, DivergedError: like ``fit_by_steps``.
    """
    trainer = start(build, settings, problem, seed)
    for epoch in range(1, best.epoch + 1):
        trainer.learn(epoch)
    return _arrays(trainer.averaged.state_dict())


def start(
    build: Callable[[Any, int, int], SequenceHead],
    settings: TrainingSettings,
    problem: Problem,
    seed: int,
) -> Trainer:
    """Return a trainer before its first step."""
    return Trainer(initial_head(build, settings, problem, seed), settings, problem, seed)


def _arrays(state: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in state.items()}


def initial_head(
    build: Callable[[Any, int, int], SequenceHead],
    settings: TrainingSettings,
    problem: Problem,
    seed: int,
) -> SequenceHead:
    """Build a head with initial weights from the seed and measured inputs.

    Raises:
        BadVectorError: a training vector is not finite.
    """
    with seeded(seed, 0):
        head = build(settings, problem.table.width, problem.classes)
    head.inputs.measure(problem.table, problem.train, head.max_vectors)
    return head


@contextmanager
def seeded(seed: int, epoch: int) -> Iterator[None]:
    """Seed torch's global generator during the block, and restore it on exit.

    Each epoch has its own seed, so random numbers drawn between epochs do not matter.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        yield


@dataclass(frozen=True)
class Step:
    """The result of one step: sums over the batch, and the gradient's norm before clipping."""

    loss: float
    right: int
    gradient_norm: float


class Trainer:
    """The state of a training: weights, averaged weights, optimizer, number of steps.

    Attributes:
        head: the weights that are trained.
        averaged: the averaged weights, or ``head`` itself without averaging.
    """

    def __init__(
        self, head: SequenceHead, settings: TrainingSettings, problem: Problem, seed: int
    ) -> None:
        self.head = head
        self.averaged = copy.deepcopy(head) if settings.averaging else head
        self.settings = settings
        self.problem = problem
        self.seed = seed
        self.bfloat16 = use_bfloat16(settings.precision)
        self.labels = torch.from_numpy(problem.labels)
        self.loss = make_loss(settings, _class_weights(settings, problem))
        self.optimizer = make_optimizer(settings, head.parameters())
        lengths = seen_lengths(problem.table, problem.train, head.max_vectors)
        parts = plan(lengths, settings.batch_size, min_vectors=head.min_vectors)
        self.steps = settings.epochs * len(parts)
        self.done = 0

    def epoch(self, epoch: int) -> EpochRecord:
        """Train on all training texts once, then evaluate on the validation texts."""
        started = time.perf_counter()
        steps = self.learn(epoch)
        texts = len(self.problem.train)
        validation = self.problem.validation
        logits = compute_logits(self.averaged, self.problem.table, validation)
        labels = self.problem.labels[validation]
        return EpochRecord(
            epoch=epoch,
            train_loss=sum(step.loss for step in steps) / texts,
            train_accuracy=sum(step.right for step in steps) / texts,
            validation_loss=log_loss(labels, logits),
            validation_accuracy=accuracy(labels, logits.argmax(axis=1)),
            value=self.optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
            gradient_norm=sum(step.gradient_norm for step in steps) / len(steps),
        )

    def learn(self, epoch: int) -> list[Step]:
        """Train on all training texts once."""
        with seeded(self.seed, epoch):
            self.head.train()
            return [self.step(batch, epoch) for batch in self.parts(epoch)]

    def parts(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, in order."""
        random = np.random.default_rng([self.seed, epoch])
        size = self.settings.batch_size
        table, rows = self.problem.table, self.problem.train
        max_vectors, min_vectors = self.head.max_vectors, self.head.min_vectors
        for _, batch in batches(table, rows, size, random, max_vectors, min_vectors):
            yield batch

    def step(self, batch: Batch, epoch: int) -> Step:
        """Train on one batch: forward, loss, backward, clip, optimizer, average."""
        self.done += 1
        size = self.size(self.done)
        self.optimizer.param_groups[0]["lr"] = size
        labels = self.labels[torch.from_numpy(batch.rows)]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            member_logits = self.head.member_logits(batch.x, batch.mask).float()
        # Their sum: no weight is shared, so each member descends its own loss.
        loss = torch.stack([self.loss(each, labels) for each in member_logits]).sum()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = self._clip()
        if not (math.isfinite(float(loss.detach())) and math.isfinite(norm)):
            raise self._diverged(float(loss.detach()), norm, epoch)
        self.optimizer.step()
        self._average()
        logits = mean_logits(member_logits.detach())
        return Step(
            loss=float(cross_entropy(logits, labels)) * len(labels),
            right=int((logits.argmax(dim=1) == labels).sum()),
            gradient_norm=norm,
        )

    def size(self, step: int) -> float:
        """Return the step size at step 1..steps."""
        return step_size(self.settings, step, self.steps)

    def _clip(self) -> float:
        """Clip the gradient of each member; return the mean norm before clipping."""
        max_norm = self.settings.clip or math.inf
        clip = torch.nn.utils.clip_grad_norm_
        norms = [clip(member.parameters(), max_norm) for member in self.head.member_heads()]
        return float(torch.stack(norms).mean())

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the current ones, faster in the first steps."""
        if self.averaged is self.head:
            return
        decay = min(self.settings.averaging, (1 + self.done) / (10 + self.done))
        pairs = zip(_numbers(self.averaged), _numbers(self.head), strict=True)
        for average, present in pairs:
            average.lerp_(present, 1.0 - decay)

    def _diverged(self, loss: float, norm: float, epoch: int) -> DivergedError:
        rate = self.settings.learning_rate
        return DivergedError(
            f"the loss must stay finite, but is {loss} with a gradient of norm {norm} at step "
            f"{self.done} (epoch {epoch}): lower learning_rate, now {rate:g}, for example "
            f"--set learning_rate={rate / 10:g}"
        )


def _numbers(head: SequenceHead) -> Iterator[torch.Tensor]:
    """Yield the weights and the statistics that a head measures in training."""
    return chain(head.parameters(), head.buffers())


def _class_weights(settings: TrainingSettings, problem: Problem) -> torch.Tensor | None:
    names = problem.names or tuple(map(str, range(problem.classes)))
    weights = class_weights(settings.class_weights, problem.labels[problem.train], names)
    return None if weights is None else torch.from_numpy(weights)


def use_bfloat16(precision: str) -> bool:
    """Return whether training multiplies in bfloat16; ``auto``: if the CPU has instructions for
    it.
    """
    if precision == "auto":
        cpu = torch.cpu
        return bool(cpu._is_amx_tile_supported() or cpu._is_avx512_bf16_supported())
    return precision == "bfloat16"
