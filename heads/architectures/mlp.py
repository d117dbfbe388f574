"""``mlp``: dense layers over one vector per text."""

from __future__ import annotations

import torch

from heads.architectures.settings import MlpSettings
from heads.head import SequenceHead
from heads.layers.dense import DenseStack
from heads.layers.masking import mean_of


class MlpHead(SequenceHead):
    """Dense layers over the mean of the vectors; in the pooled layout, over the only vector."""

    def __init__(self, settings: MlpSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout)
        self.dense = DenseStack(settings, width, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        logits: torch.Tensor = self.output(self.dense(mean_of(x, mask)))
        return logits
