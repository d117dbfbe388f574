"""``attention``: learned queries pool the vectors of a text by weighted means.

A self-attentive sentence embedding (Lin et al., 2017, arXiv:1703.03130), but with scores linear
in the vectors, which the encoder's layers have computed already. Scores and values of all
queries are one product.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from heads.architectures.settings import AttentionSettings
from heads.head import SequenceHead
from heads.layers.dense import DenseStack
from heads.layers.dropout import Dropout
from heads.layers.masking import mask_to_minus_inf, mean_of
from heads.layers.queries import weighted_means


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
        beside = []
        if self.mean:
            beside.append(mean_of(values.masked_fill(~real, 0.0), mask))
        if self.max:
            beside.append(mask_to_minus_inf(values, real).amax(dim=1))
        return self._answer(found, beside)

    @classmethod
    def logits_of_members(
        cls, members: Sequence[SequenceHead], x: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """See :meth:`SequenceHead.logits_of_members`.

        In training on vectors as they are, all members share their products, once a text has
        more vectors than a head has queries: then dropping features from the queries is less.
        """
        heads = [member for member in members if isinstance(member, AttentionHead)]
        first = heads[0]
        if first.values or not first.training or x.shape[1] <= first.queries:
            return super().logits_of_members(members, x, mask)
        factors = torch.cat([head.input_factors(x) for head in heads], dim=1)
        queries = torch.stack([head.projection.weight for head in heads])
        # A bias would add the same to all scores of a query, which changes no weight.
        found = weighted_means(x, mask, queries, factors).unbind(1)
        pooled = []
        if first.mean:
            pooled.append(mean_of(x, mask))
        if first.max:
            pooled.append(mask_to_minus_inf(x, mask[:, :, None]).amax(dim=1))
        logits = []
        for member, (head, kept) in enumerate(zip(heads, factors.unbind(1), strict=True)):
            beside = [part * kept for part in pooled]
            logits.append(head._answer(found[member], beside))
        return torch.stack(logits)

    def _answer(self, found: torch.Tensor, beside: list[torch.Tensor]) -> torch.Tensor:
        """Return (B, C) logits of (B, queries, F) found and of (B, F) poolings beside them."""
        parts = [found.flatten(1) if self.combine == "concat" else found.mean(dim=1)]
        pooled = torch.cat([*parts, *beside], dim=1)
        logits: torch.Tensor = self.output(self.dense(self.dropout(pooled)))
        return logits
