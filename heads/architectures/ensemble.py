"""Ensemble: several heads of one kind over the same vectors, with averaged probabilities.

A deep ensemble (Lakshminarayanan, Pritzel and Blundell, 2017, arXiv:1612.01474). Members differ
in their initial weights and their dropout; they share batches, which are standardised once. So
M members cost M times the products of one, and the encoder runs only once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from heads.head import SequenceHead
from heads.settings import TrainingSettings


class Ensemble(SequenceHead):
    """M members; its logits are the logarithms of their mean probabilities.

    Args:
        width: D.
        members: M untrained heads for that width; the ensemble standardises the input for them.
    """

    def __init__(self, width: int, members: Sequence[SequenceHead]) -> None:
        first = members[0]
        super().__init__(width, 0.0, first.max_vectors)
        self.min_vectors = first.min_vectors
        self.members = torch.nn.ModuleList(members)
        for member in members:
            del member.inputs

    def logits_of_standardized(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.logits_of_standardized`."""
        members = [member for member in self.members if isinstance(member, SequenceHead)]
        return type(members[0]).logits_of_members(members, x, mask)

    def member_heads(self) -> Sequence[torch.nn.Module]:
        """See :meth:`SequenceHead.member_heads`."""
        return tuple(self.members)


def build_members(
    build: Callable[[Any, int, int], SequenceHead],
    settings: TrainingSettings,
    width: int,
    classes: int,
) -> SequenceHead:
    """Build an untrained head with as many members as the settings say.

    Args:
        build: (settings, D, C) -> an untrained member.
        settings: settings of all members, and their number.
        width: D.
        classes: C.
    """
    members = [build(settings, width, classes) for _ in range(settings.members)]
    return members[0] if len(members) == 1 else Ensemble(width, members)
