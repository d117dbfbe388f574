"""Training by gradient steps: fit -> epoch -> step. No I/O; global random state is restored.

The same problem, settings and seed on the same machine give the same weights, bit by bit. On a
GPU the initial weights and the batches are those of the processor, but the dropout is not: each
device has its own random numbers.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch

from features.errors import DivergedError
from heads.class_weights import class_weights
from heads.device import CPU, CUDA, MPS, computing, is_ampere
from heads.evaluation.metrics import accuracy, log_loss
from heads.head import SequenceHead, mean_logits
from heads.problem import EpochRecord, Fitted, OnEpoch, Problem
from heads.settings import TrainingSettings
from heads.training.batches import Batch, plan, seen_lengths
from heads.training.device_vectors import device_batches, device_statistics
from heads.training.inference import compute_logits
from heads.training.losses import cross_entropy, make_loss
from heads.training.monitor import Monitor
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
        DeviceMemoryError: the memory of a GPU does not suffice.
    """
    with training_on(problem.device, settings.precision):
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
        steps = trainer.monitor.result()
        return Fitted(_arrays(best_state), tuple(history), best, steps)


def refit_by_steps(
    build: Callable[[Any, int, int], SequenceHead],
    settings: TrainingSettings,
    problem: Problem,
    seed: int,
    best: EpochRecord,
) -> dict[str, np.ndarray]:
    """Train up to the best epoch on the same schedule, without using validation rows.

    Raises:
        BadVectorError, DivergedError, DeviceMemoryError: like ``fit_by_steps``.
    """
    with training_on(problem.device, settings.precision):
        trainer = start(build, settings, problem, seed)
        for epoch in range(1, best.epoch + 1):
            trainer.learn(epoch)
        return _arrays(trainer.averaged.state_dict())


def training_on(device: str, precision: str) -> AbstractContextManager[None]:
    """Return the context in which a head is trained on a device.

    Args:
        device: as ``heads.device.find_device`` gives it.
        precision: the setting; only ``float32`` keeps a GPU from rounding factors to TF32.

    Raises:
        DeviceMemoryError: within it, the memory of the GPU does not suffice.
    """
    return computing(device, tf32=precision != "float32" and is_ampere(device))


def start(
    build: Callable[[Any, int, int], SequenceHead],
    settings: TrainingSettings,
    problem: Problem,
    seed: int,
) -> Trainer:
    """Return a trainer before its first step."""
    return Trainer(initial_head(build, settings, problem, seed), settings, problem, seed)


def _arrays(state: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in state.items()}


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
    measured = device_statistics(problem.table, problem.train, head.max_vectors, problem.device)
    if measured is None:
        head.inputs.measure(problem.table, problem.train, head.max_vectors)
    else:
        head.inputs.set(*measured)
    return head


@contextmanager
def seeded(seed: int, epoch: int, device: str = CPU) -> Iterator[None]:
    """Seed torch's global generator and that of a device during the block, and restore both.

    Each epoch has its own seed, so random numbers drawn between epochs do not matter.
    """
    gpus = [torch.device(device)] if device.startswith(CUDA) else []
    apples = torch.mps.get_rng_state() if device == MPS else None
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        yield
    if apples is not None:
        torch.mps.set_rng_state(apples)


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
        monitor: measures every k-th step.
    """

    def __init__(
        self, head: SequenceHead, settings: TrainingSettings, problem: Problem, seed: int
    ) -> None:
        self.device = problem.device
        averaged = copy.deepcopy(head) if settings.averaging else head
        self.head = head.to(self.device)
        self.averaged = averaged.to(self.device)
        self.settings = settings
        self.problem = problem
        self.seed = seed
        self.bfloat16 = use_bfloat16(settings.precision, self.device)
        self.labels = torch.from_numpy(problem.labels).to(self.device)
        weights = _class_weights(settings, problem)
        self.loss = make_loss(settings, None if weights is None else weights.to(self.device))
        self.optimizer = make_optimizer(settings, head.parameters())
        lengths = seen_lengths(problem.table, problem.train, head.max_vectors)
        parts = plan(lengths, settings.batch_size, min_vectors=head.min_vectors)
        self.steps = settings.epochs * len(parts)
        self.done = 0
        self.monitor = Monitor(self.head.member_heads()[0], self.steps, settings.clip)

    def epoch(self, epoch: int) -> EpochRecord:
        """Train on all training texts once, then evaluate on the validation texts."""
        started = time.perf_counter()
        steps = self.learn(epoch)
        texts = len(self.problem.train)
        validation = self.problem.validation
        # In the precision of the training: epochs are compared with each other alone.
        logits = compute_logits(
            self.averaged, self.problem.table, validation, self.device, self.bfloat16
        )
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
        with seeded(self.seed, epoch, self.device):
            self.head.train()
            if self.device == CPU:
                steps = [self.step(batch, epoch) for batch in self.parts(epoch)]
            else:
                steps = self._learn_ahead(epoch)
        self.monitor.note_norms([step.gradient_norm for step in steps])
        return steps

    def _learn_ahead(self, epoch: int) -> list[Step]:
        """Take all steps of an epoch without waiting for a GPU's numbers; read them at the end.

        A loss that is not finite is found only then.
        """
        before = self.done
        outcomes = []
        for batch in self.parts(epoch):
            loss, norm, member_logits, labels = self._descend(batch)
            self._move()
            mean, right = _measured(member_logits, labels)
            outcomes.append(torch.stack([loss, norm, mean, right]))
        found = torch.stack(outcomes).tolist()
        for step, (loss, norm, _, _) in enumerate(found, start=before + 1):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise self._diverged(loss, norm, epoch, step)
        return [Step(mean, round(right), norm) for _, norm, mean, right in found]

    def parts(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, in order."""
        random = np.random.default_rng([self.seed, epoch])
        size = self.settings.batch_size
        table, rows = self.problem.table, self.problem.train
        max_vectors, min_vectors = self.head.max_vectors, self.head.min_vectors
        for _, batch in device_batches(
            table, rows, size, self.device, random, max_vectors, min_vectors
        ):
            yield batch

    def step(self, batch: Batch, epoch: int) -> Step:
        """Train on one batch: forward, loss, backward, clip, optimizer, average."""
        loss, gradient_norm, member_logits, labels = self._descend(batch)
        norm = float(gradient_norm)
        if not (math.isfinite(float(loss)) and math.isfinite(norm)):
            raise self._diverged(float(loss), norm, epoch, self.done)
        self._move()
        logits = mean_logits(member_logits)
        return Step(
            loss=float(cross_entropy(logits, labels)) * len(labels),
            right=int((logits.argmax(dim=1) == labels).sum()),
            gradient_norm=norm,
        )

    def _descend(
        self, batch: Batch
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute and clip the gradient of a batch.

        Returns:
            loss, gradient norm before clipping, (M, B, C) float32 logits, (B,) labels.
        """
        self.done += 1
        self.optimizer.param_groups[0]["lr"] = self.size(self.done)
        labels = self.labels[torch.from_numpy(batch.rows).to(self.device, non_blocking=True)]
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.bfloat16):
            member_logits = self.head.member_logits(batch.x, batch.mask).float()
        # Their sum: no weight is shared, so each member descends its own loss.
        loss = torch.stack([self.loss(each, labels) for each in member_logits]).sum()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.monitor.due(self.done):
            self.monitor.note_gradients()
        return loss.detach(), self._clip(), member_logits.detach(), labels

    def _move(self) -> None:
        """Take the step along the clipped gradient."""
        self.optimizer.step()
        if self.monitor.due(self.done):
            self.monitor.note_update()
        self._average()

    def size(self, step: int) -> float:
        """Return the step size at step 1..steps."""
        return step_size(self.settings, step, self.steps)

    def _clip(self) -> torch.Tensor:
        """Clip the gradient of each member; return the mean norm before clipping."""
        max_norm = self.settings.clip or math.inf
        clip = torch.nn.utils.clip_grad_norm_
        norms = [clip(member.parameters(), max_norm) for member in self.head.member_heads()]
        return torch.stack(norms).mean()

    @torch.no_grad()
    def _average(self) -> None:
        """Move the averaged weights towards the current ones, faster in the first steps."""
        if self.averaged is self.head:
            return
        decay = min(self.settings.averaging, (1 + self.done) / (10 + self.done))
        if self.device != CPU:  # all at once: a GPU waits for each call
            theirs = list(_numbers(self.averaged)), list(_numbers(self.head))
            torch._foreach_lerp_(*theirs, 1.0 - decay)
            return
        pairs = zip(_numbers(self.averaged), _numbers(self.head), strict=True)
        for average, present in pairs:
            average.lerp_(present, 1.0 - decay)

    def _diverged(self, loss: float, norm: float, epoch: int, step: int) -> DivergedError:
        rate = self.settings.learning_rate
        return DivergedError(
            f"the loss must stay finite, but is {loss} with a gradient of norm {norm} at step "
            f"{step} (epoch {epoch}): lower learning_rate, now {rate:g}, for example "
            f"--set learning_rate={rate / 10:g}"
        )


def _measured(
    member_logits: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the summed cross-entropy of a batch and how many labels are right, as float32."""
    logits = mean_logits(member_logits)
    right = (logits.argmax(dim=1) == labels).sum()
    return cross_entropy(logits, labels) * len(labels), right.float()


def _numbers(head: SequenceHead) -> Iterator[torch.Tensor]:
    """Yield the weights and the statistics that a head measures in training."""
    return chain(head.parameters(), head.buffers())


def _class_weights(settings: TrainingSettings, problem: Problem) -> torch.Tensor | None:
    names = problem.names or tuple(map(str, range(problem.classes)))
    weights = class_weights(settings.class_weights, problem.labels[problem.train], names)
    return None if weights is None else torch.from_numpy(weights)


def use_bfloat16(precision: str, device: str = CPU) -> bool:
    """Return whether training multiplies in bfloat16; ``auto``: if the device has instructions
    for it.
    """
    if precision == "auto":
        cpu = torch.cpu
        if torch.device(device).type == CPU:
            return bool(cpu._is_amx_tile_supported() or cpu._is_avx512_bf16_supported())
        return is_ampere(device)
    return precision == "bfloat16"
