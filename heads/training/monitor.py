"""Measures the steps of a training: how far they move the weights, and their gradients.

It reads weights and gradients and changes neither, and draws no random number: the weights that
are learned are the same to the bit. Only every k-th step is measured, so it costs little.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from heads.evaluation.measurements import StepMeasurements, TensorMeasurements

EVERY = 16
"""Of this many steps one is measured, in a long training."""

FEWEST = 10
"""Measured steps of a short training: then every step counts more."""

MOST = 1e30
"""Stands for a number that is not finite, which JSON does not have."""

FAR = 10.0
"""A gradient this many times as long as ``clip`` is far beyond it."""


class Monitor:
    """Collects what is measured on every k-th step.

    Args:
        member: the head, or the first of its members.
        steps: how many steps the training takes at most.
        clip: maximum norm of the gradient; 0: it is not clipped.
    """

    def __init__(self, member: torch.nn.Module, steps: int, clip: float) -> None:
        self.named = [(name, each) for name, each in member.named_parameters() if each.ndim > 1]
        self.every = max(1, min(EVERY, steps // FEWEST))
        self.clip = clip
        self.before: list[torch.Tensor] = []
        self.gradients: list[torch.Tensor] = []
        self.ratios: list[torch.Tensor] = []
        self.norms: list[float] = []

    def due(self, step: int) -> bool:
        """Return whether a step, from 1, is measured."""
        return (step - 1) % self.every == 0 and bool(self.named)

    @torch.no_grad()
    def note_gradients(self) -> None:
        """Note the gradients' norms of this step, before they are clipped."""
        weights = [weight for _, weight in self.named]
        grads = [torch.zeros_like(each) if each.grad is None else each.grad for each in weights]
        self.gradients.append(torch.stack(torch._foreach_norm(grads)))
        self.before = [each.detach().clone() for each in weights]

    @torch.no_grad()
    def note_update(self) -> None:
        """Note how far this step has moved the weights."""
        sizes = torch.stack(torch._foreach_norm(self.before))
        torch._foreach_sub_(self.before, [weight.detach() for _, weight in self.named])
        moved = torch.stack(torch._foreach_norm(self.before))
        self.ratios.append(moved / sizes.clamp_min(1e-12))
        self.before = []

    def note_norms(self, norms: Sequence[float]) -> None:
        """Note the norm of the whole gradient of each step of an epoch, before clipping."""
        self.norms += norms

    def result(self) -> StepMeasurements | None:
        """Return what was measured; None if no step was taken."""
        if not self.norms or not self.ratios:
            return None
        norms, ratios, gradients = (
            np.nan_to_num(np.asarray(each, dtype=np.float64), nan=MOST, posinf=MOST)
            for each in (
                self.norms,
                torch.stack(self.ratios).double().cpu().numpy(),
                torch.stack(self.gradients).double().cpu().numpy(),
            )
        )
        quarter = max(1, len(ratios) // 4)
        early, late = np.median(ratios[:quarter], axis=0), np.median(ratios[-quarter:], axis=0)
        typical, gradient = np.median(ratios, axis=0), np.median(gradients, axis=0)
        limit = self.clip or np.inf
        return StepMeasurements(
            steps=len(norms),
            measured=len(ratios),
            clipped_share=float((norms > limit).mean()),
            far_clipped_share=float((norms > FAR * limit).mean()),
            gradient_norm=float(np.median(norms)),
            tensors=tuple(
                TensorMeasurements(
                    name=name,
                    size=weight.numel(),
                    update_ratio=float(typical[i]),
                    early_ratio=float(early[i]),
                    late_ratio=float(late[i]),
                    gradient_norm=float(gradient[i]),
                )
                for i, (name, weight) in enumerate(self.named)
            ),
        )
