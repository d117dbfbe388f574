"""Heads as users write them, with their faults, and the loop that trains them.

A head is built by (width, classes) and called with (B, T, D) vectors and a (B, T) mask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.doctor.candidates.faults import REPORT, TUNE, deal
from benchmarks.doctor.case import Case, Outcome, Pair, Trial, constant, outcome
from benchmarks.doctor.material import Ingredients
from features.vectors.table import FeatureTable

EPOCHS, BATCH, RATE, UNITS = 15, 32, 2e-3, 64


class UserHead(nn.Module):
    """A small head: convolution or LSTM, a pooling, a linear layer; and what is done wrong.

    Args:
        kind: ``cnn``, ``lstm`` or ``mean``.
        pooling: ``max``, ``last``, ``padded_last``, ``padded_mean`` or ``padded_max``.
        after: ``none``, ``softmax``, ``sigmoid``, ``both`` or ``log``, done to the logits.
        fault: ``none``, ``frozen``, ``dropout`` in evaluation, ``axes`` mixed, ``carried``
            state, or classes ``turned`` in evaluation.
    """

    def __init__(
        self,
        kind: str,
        pooling: str,
        after: str,
        fault: str,
        width: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.kind, self.pooling, self.after, self.fault = kind, pooling, after, fault
        if kind == "cnn":
            self.body: nn.Module = nn.Conv1d(width, UNITS, 3, padding=1)
        elif kind == "lstm":
            self.body = nn.LSTM(width, UNITS, batch_first=fault != "axes")
        else:
            self.body = nn.Linear(width, UNITS)
        self.output = nn.Linear(UNITS, classes)
        self.carried: Tensor | None = None

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return what the user takes for logits."""
        if self.kind == "cnn":
            states = torch.relu(self.body(x.transpose(1, 2))).transpose(1, 2)
        elif self.kind == "lstm":
            states = self.body(x)[0]
        else:
            states = torch.relu(self.body(x))
        pooled = self._pool(states, mask)
        if self.fault == "frozen":
            pooled = torch.relu(pooled.detach())
        if self.fault == "dropout":
            pooled = nn.functional.dropout(pooled, 0.7, training=True)
        if self.fault == "carried":
            before = self.carried
            if before is not None:
                pooled = 0.5 * pooled + 0.5 * before
            self.carried = pooled.detach().mean(dim=0, keepdim=True)
        logits: Tensor = self.output(pooled)
        if self.after in ("softmax", "both"):
            logits = logits.softmax(dim=1)
        if self.after == "log":  # harmless: cross-entropy does it once more
            logits = logits.log_softmax(dim=1)
        if self.after in ("sigmoid", "both"):
            logits = logits.sigmoid()
        if self.fault == "turned" and not self.training:
            logits = logits.roll(1, dims=1)
        return logits

    def _pool(self, states: Tensor, mask: Tensor) -> Tensor:
        if self.pooling == "padded_last":
            return states[:, -1]
        if self.pooling == "padded_mean":
            return states.mean(dim=1)
        if self.pooling == "padded_max":
            return states.amax(dim=1)
        if self.pooling == "last":
            last = (mask.sum(dim=1) - 1).clamp_min(0)
            return states[torch.arange(len(states)), last]
        return states.masked_fill(~mask[:, :, None], -1e4).amax(dim=1)


def batches(
    table: FeatureTable, rows: np.ndarray, size: int, rng: np.random.Generator | None
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Yield rows, (B, T, D) vectors with zeros behind each text, and the (B, T) mask."""
    order = rows if rng is None else rng.permutation(rows)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        lengths = table.lengths[part]
        x = np.zeros((len(part), int(lengths.max()), table.width), np.float32)
        for i, row in enumerate(part.tolist()):
            x[i, : lengths[i]] = table.sequence(row)
        mask = np.arange(x.shape[1]) < lengths[:, None]
        yield part, torch.from_numpy(x), torch.from_numpy(mask)


def train_foreign(trial: Trial, seed: int) -> Outcome:
    """Train a user's head with Adam and cross-entropy on its outputs, and judge it."""
    started = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = learn(trial, seed)
    if head is None:
        return constant(trial, time.perf_counter() - started)
    sides = (outputs(head, trial.table, rows) for rows in (trial.validation, trial.fresh))
    return outcome(trial, *sides, time.perf_counter() - started, head)


def learn(trial: Trial, seed: int, watch: Any = None) -> nn.Module | None:
    """Return the learned head; None if the loss is not finite.

    Args:
        watch: told of every step and epoch, see ``rivals.Watch``.
    """
    assert trial.build is not None
    head: nn.Module = trial.build(trial.table.width, len(trial.classes))
    optimizer = torch.optim.Adam(head.parameters(), RATE)
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(trial.seen_labels)
    head.train()
    for epoch in range(1, EPOCHS + 1):
        for rows, x, mask in batches(trial.table, trial.train, BATCH, rng):
            loss = nn.functional.cross_entropy(head(x, mask), labels[torch.from_numpy(rows)])
            if not torch.isfinite(loss):
                return None
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if watch is not None:
                watch.gradients(head, float(loss.detach()))
            optimizer.step()
            if watch is not None:
                watch.moved(head)
        if watch is not None:
            watch.epoch_of_user(head, epoch)
            head.train()
    return head


@torch.no_grad()
def outputs(head: nn.Module, table: FeatureTable, rows: np.ndarray) -> np.ndarray:
    """Return (n, C) float32 outputs in evaluation mode."""
    head.eval()
    parts = [head(x, mask).numpy() for _, x, mask in batches(table, rows, BATCH, None)]
    return np.concatenate(parts).astype(np.float32)


FAULTY: tuple[tuple[str, int, tuple[dict[str, str], ...]], ...] = (
    (
        "output_squashed",
        1,
        (
            {"kind": "cnn", "after": "softmax"},
            {"kind": "lstm", "after": "softmax"},
            {"kind": "mean", "after": "softmax"},
            {"kind": "cnn", "after": "log"},
        ),
    ),
    (
        "output_squashed",
        2,
        (
            {"kind": "cnn", "after": "both"},
            {"kind": "lstm", "after": "both"},
            {"kind": "mean", "after": "sigmoid"},
        ),
    ),
    (
        "batch_dependence",
        1,
        (
            {"kind": "lstm", "pooling": "padded_last"},
            {"kind": "cnn", "pooling": "padded_mean"},
            {"kind": "mean", "pooling": "padded_max"},
        ),
    ),
    (
        "batch_dependence",
        2,
        (
            {"kind": "lstm", "fault": "axes"},
            {"kind": "cnn", "fault": "carried"},
            {"kind": "lstm", "pooling": "padded_mean"},
        ),
    ),
    ("gradient_fault", 1, ({"kind": "lstm", "fault": "frozen"},)),
    ("gradient_fault", 2, ({"kind": "cnn", "fault": "frozen"},)),
    (
        "scored_otherwise",
        1,
        ({"kind": "cnn", "fault": "turned"}, {"kind": "lstm", "fault": "dropout"}),
    ),
    (
        "scored_otherwise",
        2,
        ({"kind": "mean", "fault": "turned"}, {"kind": "cnn", "fault": "dropout"}),
    ),
)
"""Cause, variant, and what is done wrong."""

CORPORA = {TUNE: ("trec6", "E"), REPORT: ("banking77", "sst2", "isear")}
USUAL = {"pooling": "max", "after": "none", "fault": "none"}


def foreign_cases(half: str) -> Iterator[Case]:
    """Yield the faults of heads that a user brings, and the same heads without them."""
    for cause, variant, faults in FAULTY:
        if (variant == 1) != (half == TUNE):
            continue
        for number, fault in enumerate(faults):
            for corpus in CORPORA[half]:
                name = f"{cause}/{variant}/{corpus}/user-{fault['kind']}/{number}"
                accepted = ("batch_dependence", "gradient_fault") if "fault" in fault else ()
                yield Case(name, half, (cause,), partial(_make, fault, corpus), accepted)


def builder(fault: dict[str, str]) -> Callable[[int, int], Any]:
    """Return what builds such a head from (width, classes)."""
    chosen = {**USUAL, **fault}
    return partial(
        UserHead, chosen["kind"], chosen["pooling"], chosen["after"], chosen["fault"]
    )


def _make(
    fault: dict[str, str], corpus: str, ingredients: Ingredients, rng: np.random.Generator
) -> Pair:
    trial = deal(ingredients.material(corpus), "meanmax", {}, rng)
    faulty = replace(trial, build=builder(fault))
    return Pair(faulty, replace(trial, build=builder({"kind": fault["kind"]})))
