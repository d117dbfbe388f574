"""Heads without an order of vectors: a perceptron over one vector, or over mean and maximum."""

from __future__ import annotations

import torch
from pydantic import Field

from heads.head import SequenceSettings, TrainingSettings
from heads.layers.dense import DenseSettings, DenseStack, Units
from heads.layers.dropout import Dropout
from heads.layers.masking import hide, mean_of
from heads.layers.standardize import SequenceHead


class MlpSettings(DenseSettings, TrainingSettings):
    """Settings of ``mlp``."""

    dense: Units = Field(
        (256,), max_length=64, description="units of the dense layers before the last one"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="share dropped after each dense layer")


class MlpHead(SequenceHead):
    """The mean of the vectors (of the pooled layout: the one), then dense layers."""

    def __init__(self, settings: MlpSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout)
        self.dense = DenseStack(settings, width, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        logits: torch.Tensor = self.output(self.dense(mean_of(x, mask)))
        return logits


class MeanMaxSettings(DenseSettings, SequenceSettings):
    """Settings of ``meanmax``."""

    # At the 2e-3 of the other heads a linear layer is still learning after 20 epochs.
    learning_rate: float = Field(1e-2, gt=0, le=1e3, description="peak step size")
    dropout: float = Field(
        0.5, ge=0, lt=1, description="share dropped after pooling and after each dense layer"
    )


class MeanMaxHead(SequenceHead):
    """Mean and maximum of the vectors side by side, dropout, a linear layer."""

    def __init__(self, settings: MeanMaxSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.dropout = Dropout(settings.dropout)
        self.dense = DenseStack(settings, 2 * width, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        highest = hide(x, mask[:, :, None]).amax(dim=1)
        pooled = torch.cat([mean_of(x, mask), highest], dim=1)
        logits: torch.Tensor = self.output(self.dense(self.dropout(pooled)))
        return logits
