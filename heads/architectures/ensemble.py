"""Several heads of one kind over the same vectors, whose probabilities are averaged.

A deep ensemble (Lakshminarayanan, Pritzel and Blundell, 2017, arXiv:1612.01474). Members differ
in their first weights and in what dropout takes from them; batches, standardised once, are
shared. Over frozen vectors that is as cheap as it gets: M members cost M times the products of
one, and nothing of the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from heads.head import SequenceHead
from heads.settings import TrainingSettings


class Ensemble(SequenceHead):
    """M members; its logits are the logs of their mean probabilities.

    Args:
        width: D.
        members: M untrained heads for vectors of that width; this head standardises for them.
    """

    def __init__(self, width: int, members: Sequence[SequenceHead]) -> None:
        first = members[0]
        super().__init__(width, 0.0, first.max_vectors)
        self.least_vectors = first.least_vectors
        self.members = torch.nn.ModuleList(members)
        for member in members:
            del member.inputs

    def vote(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.vote`."""
        return torch.stack([self._ask(member, x, mask) for member in self.members])

    def learners(self) -> Sequence[torch.nn.Module]:
        """See :meth:`SequenceHead.learners`."""
        return tuple(self.members)

    @staticmethod
    def _ask(member: torch.nn.Module, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert isinstance(member, SequenceHead)
        return member.classify(member.drop(x), mask)


def build_members(
    build: Callable[[Any, int, int], SequenceHead],
    settings: TrainingSettings,
    width: int,
    classes: int,
) -> SequenceHead:
    """Return an untrained head of as many members as the settings say; of one, just that.

    Args:
        build: (settings, D, C) -> an untrained member.
    """
    members = [build(settings, width, classes) for _ in range(settings.members)]
    return members[0] if len(members) == 1 else Ensemble(width, members)
