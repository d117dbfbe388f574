"""Operations on the real positions of a batch: move to the front, reverse, pool, mask."""

from __future__ import annotations

import torch

from heads.settings import Pooling

# Numbers worked on at a time on a processor: so few stay in its cache from pass to pass.
PIECE = 1 << 18


def to_front(x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Move the real positions of each text to the front, in order.

    Args:
        x: (B, T, D).
        mask: (B, T) bool.

    Returns:
        (B, T, D) and (B, 1) int64 lengths.
    """
    order = torch.argsort(mask.logical_not().to(torch.uint8), dim=1, stable=True)
    return gather(x, order), mask.sum(dim=1, keepdim=True)


def reversal(lengths: torch.Tensor, steps: int) -> torch.Tensor:
    """Return (B, steps) indices that reverse each text and leave its padding at the end.

    Args:
        lengths: (B, 1) int64.
        steps: T.
    """
    position = torch.arange(steps, device=lengths.device)
    return torch.where(position < lengths, lengths - 1 - position, position)


def gather(x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Return x (B, T, D) at the positions ``order`` (B, S): (B, S, D)."""
    return x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))


def mask_to_minus_inf(x: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Return x (B, T, F) with minus infinity where ``real`` (B, T, 1 or F) is False."""
    return x + torch.zeros_like(real, dtype=x.dtype).masked_fill(~real, -torch.inf)


def mean_of(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the (B, D) mean over the real positions of x (B, T, D), zero at padding."""
    return x.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp_min(1)


def mean_and_maximum(x: torch.Tensor, mask: torch.Tensor, piece: int = PIECE) -> torch.Tensor:
    """Return the (B, 2, D) mean and maximum over the real positions of x (B, T, D), zero at
    padding; about ``piece`` numbers at a time.
    """
    texts = max(1, piece // x[0].numel()) if in_pieces(x) else 0
    if not texts or texts >= len(x):  # on export len() would fix the number of texts
        highest = mask_to_minus_inf(x, mask[:, :, None]).amax(dim=1)
        return torch.stack([mean_of(x, mask), highest], dim=1)
    parts = zip(torch.split(x, texts), torch.split(mask, texts), strict=True)
    return torch.cat([mean_and_maximum(*part) for part in parts])


def in_pieces(x: torch.Tensor) -> bool:
    """Return whether memory is slower than the arithmetic on x, whose shape is known."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def pool_windows(x: torch.Tensor, width: int) -> torch.Tensor:
    """Return the maxima of adjacent windows: (B, T, F) to (B, T / width rounded up, F).

    The last window may be shorter, so that no position is lost. Masked positions are minus
    infinity, so a window without a real position gives minus infinity.
    """
    # Padded by as much whatever T is, then cut: that way T may stay free in an exported model.
    x = torch.nn.functional.pad(x, (0, 0, 0, width - 1), value=-torch.inf)
    whole = x[:, : x.shape[1] // width * width]
    return whole.reshape(x.shape[0], -1, width, x.shape[2]).amax(dim=2)


def pool_states(states: torch.Tensor, lengths: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Pool the states of one direction to (B, U).

    Args:
        states: (B, T, U), in the order of the steps.
        lengths: (B, 1) int64.
        pooling: how.
    """
    if pooling == "last":
        return gather(states, (lengths - 1).clamp_min(0))[:, 0]
    padding = (torch.arange(states.shape[1], device=lengths.device) >= lengths)[:, :, None]
    if pooling == "max":
        # No state is below -1, the infimum of o tanh(c).
        return states.masked_fill(padding, -1.0).amax(dim=1)
    return states.masked_fill(padding, 0.0).sum(dim=1) / lengths.clamp_min(1)
