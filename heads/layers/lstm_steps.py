"""LSTM layers step by step, both directions at once, with a hand-written gradient.

torch's CPU kernel runs one direction after the other and always computes a gradient for the
input, which frozen vectors do not need. Here the inputs of all steps are one product per
direction, with a gradient only if autograd needs it. What depends on the step before is one
small product, and the gradient of the recurrent weights is one product at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable


def unroll(
    lstms: Sequence[torch.nn.LSTM],
    x: torch.Tensor,
    backwards: torch.Tensor,
    dropout_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the states of one LSTM per direction over the same input.

    Args:
        lstms: G = 1 or 2 LSTMs of one layer: forward, and backward.
        x: (B, T, D).
        backwards: (B, T) int64, the indices of :func:`heads.layers.masking.reversal`.
        dropout_mask: (G, B, U) float32 by which the hidden state is multiplied before every
            step (Gal and Ghahramani, A theoretically grounded application of dropout in
            recurrent neural networks, 2016, arXiv:1512.05287); None: no recurrent dropout.

    Returns:
        (G, B, T, U) float32, each direction in the order of its steps.
    """
    texts, steps = backwards.shape
    forwards = torch.arange(steps, device=x.device).expand(texts, -1)
    orders = torch.stack([forwards, backwards][: len(lstms)])
    rows = orders + steps * torch.arange(texts, device=x.device)[:, None]
    running = x.flatten(0, 1).index_select(0, rows.transpose(1, 2).flatten())
    of_input, of_hidden, bias, other_bias = (
        torch.stack(each) for each in zip(*(lstm.all_weights[0] for lstm in lstms), strict=True)
    )
    inputs = torch.baddbmm(
        (bias + other_bias)[:, None],
        running.view(len(lstms), texts * steps, -1),
        of_input.transpose(1, 2),
    )
    by_step = inputs.float().view(len(lstms), steps, texts, -1)
    states: torch.Tensor = _Steps.apply(by_step, of_hidden, dropout_mask)  # type: ignore[no-untyped-call]
    return states.transpose(1, 2)


class _Steps(torch.autograd.Function):
    """Inputs of the gates (G, T, B, 4 U), recurrent weights (G, 4 U, U) -> states (G, T, B, U).

    All in float32. A unit's gates are enter, forget, candidate and leave, in torch's order.
    """

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        of_hidden: torch.Tensor,
        dropout_mask: torch.Tensor | None,
    ) -> torch.Tensor:
        units = of_hidden.shape[2]
        gates = torch.empty_like(inputs)
        cells, bent, states = gates.new_empty(3, *gates.shape[:3], units)
        hidden = cell = torch.zeros_like(states[:, 0])
        recurrent = of_hidden.transpose(1, 2)
        for step in range(gates.shape[1]):
            gate = gates[:, step]
            fed = hidden if dropout_mask is None else hidden * dropout_mask
            torch.baddbmm(inputs[:, step], fed, recurrent, out=gate)
            gate[..., : 2 * units].sigmoid_()
            gate[..., 2 * units : 3 * units].tanh_()
            gate[..., 3 * units :].sigmoid_()
            enter, forget, candidate, leave = gate.chunk(4, dim=2)
            cell = torch.mul(forget, cell, out=cells[:, step]).addcmul_(enter, candidate)
            torch.tanh(cell, out=bent[:, step])
            hidden = torch.mul(leave, bent[:, step], out=states[:, step])
        ctx.save_for_backward(gates, cells, bent, states, of_hidden, dropout_mask)
        return states  # type: ignore[no-any-return]

    @staticmethod
    @once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Any) -> Any:  # type: ignore[override]
        """Return the gradients of the gates' inputs and the recurrent weights."""
        gates, cells, bent, states, of_hidden, dropout_mask = ctx.saved_tensors
        (of_states,) = gradients
        slopes = _slopes(gates, cells, bent)
        leave, forget = gates.chunk(4, dim=3)[3], gates.chunk(4, dim=3)[1]
        of_cell = torch.addcmul(leave, leave * bent, bent, value=-1)
        hidden = torch.zeros_like(states[:, 0])
        cell = torch.zeros_like(hidden)
        for step in reversed(range(states.shape[1])):
            hidden += of_states[:, step]
            cell.addcmul_(hidden, of_cell[:, step])
            change = slopes[:, step].view(*hidden.shape[:2], 4, -1)
            change[:, :, :3].mul_(cell[:, :, None])
            change[:, :, 3].mul_(hidden)
            cell.mul_(forget[:, step])
            hidden = torch.bmm(slopes[:, step], of_hidden)
            if dropout_mask is not None:
                hidden.mul_(dropout_mask)
        # The first step was fed zeros.
        fed = states[:, :-1] if dropout_mask is None else states[:, :-1] * dropout_mask[:, None]
        of_weights = torch.bmm(slopes[:, 1:].flatten(1, 2).transpose(1, 2), fed.flatten(1, 2))
        return slopes, of_weights, None


def _slopes(gates: torch.Tensor, cells: torch.Tensor, bent: torch.Tensor) -> torch.Tensor:
    """Return the derivative of the cell by the input of each gate, and of the state by the
    last.

    Args:
        gates: (G, T, B, 4 U).
        cells, bent: (G, T, B, U) cells and their hyperbolic tangents.

    Returns:
        (G, T, B, 4 U).
    """
    enter, forget, candidate, leave = gates.chunk(4, dim=3)
    slopes = torch.empty_like(gates)
    of_enter, of_forget, of_candidate, of_leave = slopes.chunk(4, dim=3)
    torch.addcmul(enter, enter, enter, value=-1, out=of_enter).mul_(candidate)
    torch.addcmul(forget, forget, forget, value=-1, out=of_forget)
    of_forget[:, 1:].mul_(cells[:, :-1])
    of_forget[:, 0] = 0.0
    torch.addcmul(enter, enter * candidate, candidate, value=-1, out=of_candidate)
    torch.addcmul(leave, leave, leave, value=-1, out=of_leave).mul_(bent)
    return slopes
