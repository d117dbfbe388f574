"""Looks into a head on some texts: dead and saturated units, and how far back it sees.

Both need one pass over a few hundred texts, in evaluation mode, on the processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from features.vectors.table import FeatureTable
from heads.head import SequenceHead
from heads.layers.dense import DenseStack
from heads.layers.recurrence import Layer
from heads.training.batches import batches

TEXTS = 512
"""Texts that units are judged on."""

SEEN_BACK = 128
"""Texts of which gradients are taken."""

BATCH = 64

DEAD_SHARE = 0.99
"""A unit is dead that is 0 for this share of the texts."""

SATURATED_SHARE, BOUND = 0.95, 0.01
"""A unit is saturated that is within ``BOUND`` of a bound for this share of its outputs."""

DISTANCES = (0, 10, 100)
"""Positions from the end that is read."""

AROUND = 2
"""Positions on either side of a distance that are averaged."""

LSTM = "lstm"

BOUNDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), LSTM: (-1.0, 1.0)}
"""Of what a unit gives, by its activation."""


Inputs = tuple[torch.Tensor, torch.Tensor, np.ndarray]


@dataclass(frozen=True)
class LayerActivity:
    """One layer on some texts.

    Attributes:
        name: such as ``dense 1`` or ``lstm 1``.
        kind: its activation, or ``lstm``.
        units: how many it has.
        dead, saturated: share of them.
    """

    name: str
    kind: str
    units: int
    dead: float
    saturated: float


def look_at_units(
    head: SequenceHead, table: FeatureTable, rows: np.ndarray
) -> tuple[LayerActivity, ...]:
    """Return the dense and recurrent layers of a head, or of its first member, inputs first.

    Args:
        head: on the processor; left in evaluation mode.
        table: vectors of N texts.
        rows: (n,) int64; the first ``TEXTS`` are used.
    """
    head.eval()
    member = _first_member(head)
    watched = [each for each in member.modules() if isinstance(each, DenseStack | Layer)]
    outputs: list[tuple[str, torch.Tensor]] = []
    hooks = [
        hook for module in watched for hook in (_watch(module, outputs),) if hook is not None
    ]
    passes = []
    try:
        with torch.no_grad():
            for x, mask, _ in _inputs(head, table, rows[:TEXTS]):
                outputs.clear()
                member.logits_of_members((member,), x, mask)
                passes.append(list(outputs))
    finally:
        for hook in hooks:
            hook.remove()
    counts: dict[str, int] = {}
    found = []
    for layer in zip(*passes, strict=True):  # the calls come in one order in every pass
        kind = layer[0][0]
        word = "lstm" if kind == LSTM else "dense"
        counts[word] = counts.get(word, 0) + 1
        values = torch.cat([output for _, output in layer])
        found.append(_activity(f"{word} {counts[word]}", kind, values))
    return tuple(found)


def _watch(
    module: torch.nn.Module, outputs: list[tuple[str, torch.Tensor]]
) -> torch.utils.hooks.RemovableHandle | None:
    """Collect what the units of a layer give: (n, U), kind by kind."""
    if isinstance(module, DenseStack):
        if not len(module.layers):
            return None
        kind = type(module.activation).__name__.lower()

        def dense(_: object, inputs: object, output: torch.Tensor) -> None:
            outputs.append((kind, output.flatten(0, -2)))

        hook: torch.utils.hooks.RemovableHandle = module.activation.register_forward_hook(dense)
        return hook

    def recurrent(_: object, inputs: object, states: list[torch.Tensor]) -> None:
        outputs.append((LSTM, torch.cat(list(states), dim=2).flatten(0, 1)))

    return module.register_forward_hook(recurrent)


def _activity(name: str, kind: str, values: torch.Tensor) -> LayerActivity:
    """Judge the units of a layer by (n, U) outputs."""
    dead = saturated = 0.0
    if kind == "relu":
        dead = float(((values == 0).float().mean(dim=0) >= DEAD_SHARE).float().mean())
    if kind in BOUNDS:
        low, high = BOUNDS[kind]
        near = (values <= low + BOUND) | (values >= high - BOUND)
        saturated = float((near.float().mean(dim=0) >= SATURATED_SHARE).float().mean())
    return LayerActivity(name, kind, values.shape[1], dead, saturated)


def look_back(
    head: SequenceHead, table: FeatureTable, labels: np.ndarray, rows: np.ndarray
) -> tuple[float | None, ...]:
    """Return the norm of the loss's gradient by input position, over that at the end.

    Args:
        head: on the processor; left in evaluation mode.
        table: vectors of N texts.
        labels: (N,) int64 class ids.
        rows: (n,) int64 whose labels are below C; the first ``SEEN_BACK`` are used.

    Returns:
        One number per distance of ``DISTANCES`` from the end that is read; None beyond the
        texts.
    """
    head.eval()
    member = _first_member(head)
    both = any(
        isinstance(each, Layer) and len(each.directions) == 2 for each in member.modules()
    )
    norms: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for x, mask, own in _inputs(head, table, rows[:SEEN_BACK]):
        x.requires_grad_(True)
        with torch.enable_grad():
            logits = member.logits_of_members((member,), x, mask)[0]
            target = torch.from_numpy(labels[own])
            loss = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, x)
        steps = np.arange(mask.shape[1])
        lengths = mask.sum(dim=1).numpy()[:, None]
        distance = lengths - 1 - steps
        if both:
            distance = np.minimum(distance, steps)
        real = mask.numpy()
        norms.append(gradient.norm(dim=2).numpy()[real])
        places.append(np.broadcast_to(distance, real.shape)[real])
    return _by_distance(np.concatenate(norms), np.concatenate(places))


def _by_distance(norms: np.ndarray, places: np.ndarray) -> tuple[float | None, ...]:
    means: list[float | None] = []
    for distance in DISTANCES:
        near = np.abs(places - distance) <= AROUND
        means.append(float(norms[near].mean()) if near.any() else None)
    first = means[0] or 1e-30
    return tuple(None if mean is None else mean / first for mean in means)


def _first_member(head: SequenceHead) -> SequenceHead:
    member = head.member_heads()[0]
    assert isinstance(member, SequenceHead)
    return member


def _inputs(head: SequenceHead, table: FeatureTable, rows: np.ndarray) -> list[Inputs]:
    """Return (x, mask, rows) of some texts, standardised as the head does it."""
    found = []
    for positions, batch in batches(
        table, rows, BATCH, None, head.max_vectors, head.min_vectors
    ):
        mask = batch.mask
        if head.max_vectors:
            mask = mask & (mask.long().cumsum(dim=1) <= head.max_vectors)
        with torch.no_grad():
            x = head.inputs(batch.x, mask)
        found.append((x.detach(), mask, rows[positions]))
    return found
