"""Weighted means of a text's vectors for the queries of several heads, in products they share.

Features dropped from all vectors of a text may as well be dropped from the queries that meet
them, and from what the queries find. So nothing as large as the vectors is made per head, and
the queries of all heads are one product per text.
"""

from __future__ import annotations

import torch

from heads.layers.masking import mask_to_minus_inf


def weighted_means(
    x: torch.Tensor, mask: torch.Tensor, queries: torch.Tensor, factors: torch.Tensor
) -> torch.Tensor:
    """Return the softmax-weighted means of the vectors of each text.

    The same as softmax(x' queries) applied to x', with x' = x * factors, but for rounding. The
    weights are float32 before they are rounded to the dtype of ``x``.

    Args:
        x: (B, T, D) vectors, float32 or bfloat16; needs no gradient.
        mask: (B, T) bool, True at real positions.
        queries: (M, Q, D) of M heads.
        factors: (B, M, D) of the features, at least 0; needs no gradient.

    Returns:
        (B, M, Q, D), in the dtype of ``x``.
    """
    texts, heads, width = factors.shape
    factors = factors.to(x.dtype)[:, :, None]
    asked = (queries.to(x.dtype) * factors).flatten(1, 2)
    # One text's scores per row of memory, so that the softmax runs along it.
    scores = torch.bmm(asked, x.transpose(1, 2)).float()
    weights = torch.softmax(mask_to_minus_inf(scores, mask[:, None]), dim=2)
    found = torch.bmm(weights.to(x.dtype), x)
    return found.view(texts, heads, -1, width) * factors
