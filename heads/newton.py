"""Newton's method for a smooth convex objective, its steps found by conjugate gradients.

A step solves ``H step = -gradient`` only roughly, by products of the Hessian H with directions
(Dembo, Eisenstat and Steihaug, Inexact Newton methods, SIAM Journal on Numerical Analysis,
1982). The gradient is exact, so products may be less precise than it: that costs further steps,
and moves no optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

ROUGHLY = 0.3
"""Share of the gradient that a step may leave, in the norm of the preconditioner."""

DECREASE = 1e-4
"""Least decrease of the objective, as a share of what the gradient promises (Armijo)."""

HALVINGS = 30

WEAKER = (1e-3, 1e-2, 1e-1)
"""Shares of C that are solved roughly first where no optimum is near: from zero weights the
steps of a large C lead too far."""

ROUGH = 0.03
"""Tolerance of these."""

Linear = Callable[[torch.Tensor], torch.Tensor]
"""A linear map of tensors of one shape."""


@dataclass(frozen=True, eq=False)
class Point:
    """The objective at a point.

    Attributes:
        place: the unknowns.
        loss: the objective there.
        rounding: by how much rounding may change the loss.
        gradient: of the shape of ``place``, in the precision of the products.
        distance: how far from the optimum it is, in the unit of the tolerance.
        product: the Hessian times a direction.
        precondition: about the inverse of the Hessian times a direction.
    """

    place: torch.Tensor
    loss: float
    rounding: float
    gradient: torch.Tensor
    distance: float
    product: Linear
    precondition: Linear


Evaluate = Callable[[torch.Tensor], Point]
"""Gives the objective at a place."""


def minimize(evaluate: Evaluate, start: torch.Tensor, tolerance: float, most: int) -> Point:
    """Return a point whose distance is at most ``tolerance``, if rounding admits one.

    Args:
        evaluate: gives the objective.
        start: where it begins.
        tolerance: maximum distance.
        most: maximum number of products with the Hessian.
    """
    point = evaluate(start)
    while point.distance > tolerance and most > 0:
        step, used = _step(point, most)
        most -= used
        following = _along(evaluate, point, step)
        stuck = following.loss >= point.loss and following.distance >= point.distance
        if stuck:
            break
        point = following
    return point


def approach(
    solve: Callable[[float, torch.Tensor, float], Point],
    c: float,
    start: torch.Tensor,
    tolerance: float,
) -> torch.Tensor:
    """Return a place near the optimum of an inverse regularisation, from zero weights.

    Args:
        solve: gives the optimum of an inverse regularisation, from a start and to a tolerance.
        c: the inverse regularisation.
        start: zero weights.
        tolerance: that of the optimum.
    """
    place = start
    for share in WEAKER:
        place = solve(share * c, place, max(tolerance, ROUGH)).place
    return place


def _step(point: Point, most: int) -> tuple[torch.Tensor, int]:
    """Return a step, and how many products it took: preconditioned conjugate gradients."""
    rest = -point.gradient
    step = torch.zeros_like(rest)
    scaled = point.precondition(rest)
    direction = scaled.clone()
    size = _dot(rest, scaled)
    goal = ROUGHLY**2 * size
    used = 0
    while used < most:
        product = point.product(direction)
        used += 1
        curvature = _dot(direction, product)
        if not curvature > 0:  # along a direction that changes nothing, or by rounding
            break
        length = size / curvature
        step.add_(direction, alpha=length)
        rest.sub_(product, alpha=length)
        scaled = point.precondition(rest)
        following = _dot(rest, scaled)
        if following <= goal:
            break
        direction.mul_(following / size).add_(scaled)
        size = following
    return step, used


def _along(evaluate: Evaluate, point: Point, step: torch.Tensor) -> Point:
    """Return a point with a lower loss along a step: its end, or half of it, and so on."""
    slope = _dot(step, point.gradient)
    length = 1.0
    for _ in range(HALVINGS):
        found = evaluate(point.place + length * step.to(point.place.dtype))
        if found.loss <= point.loss + DECREASE * length * slope + point.rounding:
            return found
        length /= 2
    return point


def _dot(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.dot(one.flatten(), other.flatten()))
