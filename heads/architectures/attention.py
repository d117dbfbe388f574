"""``attention``: learned queries pool the vectors of a text by weighted means.

A self-attentive sentence embedding (Lin et al., 2017, arXiv:1703.03130), but with scores linear
in the vectors, which the encoder's layers have computed already. Scores and values of all
queries are one product.
"""

from __future__ import annotations

import torch

from heads.architectures.settings import AttentionSettings
from heads.head import SequenceHead
from heads.layers.dense import DenseStack
from heads.layers.dropout import Dropout
from heads.layers.masking import mask_to_minus_inf, mean_of


class AttentionHead(SequenceHead):
    """Softmax-weighted means by several queries, dropout, dense layers."""

    def __init__(self, settings: AttentionSettings, width: int, classes: int) -> None:
        super().__init__(width, settings.input_dropout, settings.max_vectors)
        self.queries = settings.queries
        self.combine = settings.combine
        self.mean = settings.beside in ("mean", "both")
        self.max = settings.beside in ("max", "both")
        self.values = settings.values
        # The queries come first, then the value features, so that both are one product.
        self.projection = torch.nn.Linear(width, settings.queries + settings.values)
        wide = settings.values or width
        parts = (settings.queries if settings.combine == "concat" else 1) + self.mean + self.max
        self.dropout = Dropout(settings.dropout)
        self.dense = DenseStack(settings, wide * parts, settings.dropout)
        self.output = torch.nn.Linear(self.dense.width, classes)

    def classify(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`SequenceHead.classify`."""
        real = mask[:, :, None]
        projected = self.projection(x)
        scores = projected[:, :, : self.queries].float()
        values = torch.relu(projected[:, :, self.queries :]) if self.values else x
        weights = torch.softmax(mask_to_minus_inf(scores, real), dim=1)
        found = weights.transpose(1, 2).to(values.dtype) @ values  # (B, queries, features)
        parts = [found.flatten(1) if self.combine == "concat" else found.mean(dim=1)]
        if self.mean:
            parts.append(mean_of(values.masked_fill(~real, 0.0), mask))
        if self.max:
            parts.append(mask_to_minus_inf(values, real).amax(dim=1))
        logits: torch.Tensor = self.output(self.dense(self.dropout(torch.cat(parts, dim=1))))
        return logits
