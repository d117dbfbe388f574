"""``meanmax``: a linear layer over mean and maximum of the vectors of a text."""

from __future__ import annotations

import torch

from heads.architectures.settings import MeanMaxSettings
from heads.head import SequenceHead
from heads.layers.dense import DenseStack
from heads.layers.dropout import Dropout
from heads.layers.masking import mask_to_minus_inf, mean_of


class MeanMaxHead(SequenceHead):
    """Mean and maximum of the vectors side by side, dropout, a linear layer."""

    def __init__(self, settings: MeanMaxSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.dropout = Dropout(settings.dropout)
        self.dense = DenseStack(settings, 2 * width, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        highest = mask_to_minus_inf(x, mask[:, :, None]).amax(dim=1)
        pooled = torch.cat([mean_of(x, mask), highest], dim=1)
        logits: torch.Tensor = self.output(self.dense(self.dropout(pooled)))
        return logits
