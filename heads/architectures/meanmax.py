"""``meanmax``: a linear layer over mean and maximum of the vectors of a text."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from heads.architectures.settings import MeanMaxSettings
from heads.head import SequenceHead
from heads.layers.dense import DenseStack
from heads.layers.dropout import Dropout
from heads.layers.masking import mean_and_maximum


class MeanMaxHead(SequenceHead):
    """Mean and maximum of the vectors side by side, dropout, a linear layer."""

    def __init__(self, settings: MeanMaxSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.dropout = Dropout(settings.dropout)
        self.dense = DenseStack(settings, 2 * width, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    @classmethod
    def logits_of_members(
        cls, members: Sequence[SequenceHead], x: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """See :meth:`SequenceHead.logits_of_members`.

        The members pool the same vectors, and a feature may as well be dropped after pooling:
        its factor is the same for all vectors of a text, and not negative.
        """
        pooled = mean_and_maximum(x, mask)
        heads = [member for member in members if isinstance(member, MeanMaxHead)]
        return torch.stack([head._answer(x, pooled) for head in heads])

    def _answer(self, x: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
        """Return (B, C) logits of (B, 2, D) mean and maximum of x (B, T, D)."""
        kept = pooled * self.input_factors(x) if self.training else pooled
        logits: torch.Tensor = self.output(self.dense(self.dropout(kept.flatten(1))))
        return logits
