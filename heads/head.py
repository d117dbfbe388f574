"""The interface of all heads.

    settings + Problem ──fit──> Fitted (weights as plain arrays, history)
    settings + width + classes ──build──> Head (x, mask -> logits)

Settings are flat: those of the model and those of its training have one namespace, so that
``--set units=64`` and ``--set learning_rate=0.001`` look alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from heads.layers.standardize import Standardize


class Head(torch.nn.Module):
    """A classifier over the vectors of one text.

    Attributes:
        max_vectors: maximum number of vectors used per text, the first ones; 0: all.
        min_vectors: number of vectors to which shorter texts are padded inside the head; batch
            sizes depend on it, to limit memory.

    ``forward`` keeps no Python state and does not branch on values, so that the parameters of
    several heads of one shape can be stacked and trained together.
    """

    max_vectors: int = 0
    min_vectors: int = 0

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the logits of a batch, without a softmax.

        Args:
            x: (B, T, D) vectors, any float dtype; needs no gradient.
            mask: (B, T) bool, True at real positions, which are contiguous. The values of ``x``
                at other positions are ignored.

        Returns:
            (B, C) logits.
        """
        raise NotImplementedError


class SequenceHead(Head):
    """A head over the standardised vectors of a text; subclasses define ``classify``.

    It has one member, itself; ``heads.architectures.ensemble`` has several.

    Args:
        width: D.
        input_dropout: share of features dropped in training, the same ones from all vectors of
            a text (spatial dropout: Tompson et al., 2015, arXiv:1411.4280).
        max_vectors: maximum number of vectors used per text, the first ones; 0: all.
    """

    def __init__(self, width: int, input_dropout: float, max_vectors: int = 0) -> None:
        super().__init__()
        self.inputs = Standardize(width)
        self.input_dropout = torch.nn.Dropout(input_dropout)
        self.max_vectors = max_vectors

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`Head.forward`."""
        return mean_logits(self.member_logits(x, mask))

    def member_logits(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return (M, B, C) logits of the M members; arguments as for ``forward``."""
        if self.max_vectors:
            mask = mask & (mask.long().cumsum(dim=1) <= self.max_vectors)
        return self.logits_of_standardized(self.inputs(x, mask), mask)

    def logits_of_standardized(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return (M, B, C) logits of the M members.

        Args:
            x: (B, T, D) standardised vectors, zero at padding.
            mask: (B, T) bool.
        """
        return self.logits_of_members((self,), x, mask)

    @classmethod
    def logits_of_members(
        cls, members: Sequence[SequenceHead], x: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return (M, B, C) logits of M heads of this class, alike but for their weights.

        A head whose members can share products overrides this.

        Args:
            x: (B, T, D) standardised vectors, zero at padding.
            mask: (B, T) bool.
        """
        logits = [member.classify(member.drop_inputs(x), mask) for member in members]
        return logits[0][None] if len(logits) == 1 else torch.stack(logits)

    def drop_inputs(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, T, D) with some features of each text set to 0, in training."""
        return x * self.input_factors(x) if self.training else x

    def input_factors(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, 1, D) factors of the features of each text: 0, or 1 / (1 - share dropped).

        Args:
            x: (B, T, D) vectors.
        """
        dropout_mask: torch.Tensor = self.input_dropout(torch.ones_like(x[:, :1]))
        return dropout_mask

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return (B, C) logits.

        Args:
            x: (B, T, D) standardised vectors, zero at padding.
            mask: (B, T) bool.
        """
        raise NotImplementedError

    def member_heads(self) -> Sequence[torch.nn.Module]:
        """Return the M members, which share no weight and are trained separately."""
        return (self,)


def mean_logits(member_logits: torch.Tensor) -> torch.Tensor:
    """Return (B, C) logits of the mean probabilities, from (M, B, C) logits of M members."""
    if len(member_logits) == 1:
        return member_logits[0]
    return torch.log_softmax(member_logits.float(), dim=2).logsumexp(dim=0) - math.log(
        len(member_logits)
    )
