"""What every head has in common: settings, the module, and what a fit takes and gives.

    settings + Problem ──fit──> Fitted (weights as plain arrays, history)
    settings + width + classes ──build──> Head (x, mask -> logits)

Settings are flat: what shapes the model and what trains it share one namespace, so that
``--set units=64`` and ``--set learning_rate=0.001`` read alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from heads.layers.standardize import Standardize


class Head(torch.nn.Module):
    """A classifier over the vectors of one text.

    Attributes:
        max_vectors: how many vectors of a text are seen at the most; 0: all.
        least_vectors: how many even a shorter text is padded to inside, for the memory that
            a batch takes.

    ``forward`` keeps no Python state and does not branch on values, so that the parameters
    of several heads of one shape can be stacked and trained together.
    """

    max_vectors: int = 0
    least_vectors: int = 0

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return logits of a batch; never a softmax.

        Args:
            x: (B, T, D) vectors, any float dtype. Needs no gradient.
            mask: (B, T) bool, True at real positions, which stand side by side. What ``x``
                holds before and after them is ignored.

        Returns:
            (B, C) logits.
        """
        raise NotImplementedError


class SequenceHead(Head):
    """A head over the standardised vectors of a text; subclasses define ``classify``.

    It has one member, itself; ``heads.architectures.ensemble`` has several.

    Args:
        width: D.
        input_dropout: share of features that training drops, the same ones from all vectors
            of a text (spatial dropout: Tompson et al., 2015, arXiv:1411.4280).
        max_vectors: only the first so many vectors of each text are seen; 0: all.
    """

    def __init__(self, width: int, input_dropout: float, max_vectors: int = 0) -> None:
        super().__init__()
        self.inputs = Standardize(width)
        self.input_dropout = torch.nn.Dropout(input_dropout)
        self.max_vectors = max_vectors

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`Head.forward`."""
        return mean_logits(self.votes(x, mask))

    def votes(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return (M, B, C) logits of each member, as ``forward`` takes its arguments; mostly M
        = 1."""
        if self.max_vectors:
            mask = mask & (mask.long().cumsum(dim=1) <= self.max_vectors)
        return self.vote(self.inputs(x, mask), mask)

    def vote(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, T, D) standardised, zero at padding, and (B, T) -> (M, B, C) logits."""
        return self.classify(self.drop(x), mask)[None]

    def drop(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) -> (B, T, D) with a share of the features of each text dropped."""
        if not self.training:
            return x
        kept: torch.Tensor = self.input_dropout(torch.ones_like(x[:, :1]))
        return x * kept

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(B, T, D) standardised, zero at padding, and (B, T) -> (B, C) logits."""
        raise NotImplementedError

    def learners(self) -> Sequence[torch.nn.Module]:
        """Return the M members, which share no weight and learn each by itself."""
        return (self,)


def mean_logits(votes: torch.Tensor) -> torch.Tensor:
    """(M, B, C) logits -> (B, C): logs of the mean probabilities; of one, itself."""
    if len(votes) == 1:
        return votes[0]
    return torch.log_softmax(votes.float(), dim=2).logsumexp(dim=0) - math.log(len(votes))
