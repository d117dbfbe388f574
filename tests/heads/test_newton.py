"""Newton's method with rough steps: it reaches the optimum, and stops where rounding does."""

from __future__ import annotations

import torch

from heads.newton import Point, approach, minimize

CENTRE = torch.linspace(-2, 2, 12, dtype=torch.float64).reshape(4, 3)
CURVATURES = torch.logspace(-3, 3, 12, dtype=torch.float64).reshape(4, 3)


def softly(place: torch.Tensor) -> Point:
    """A sum of log cosh, whose full steps from afar lead too far, and a small square."""
    apart = place - CENTRE
    slopes = torch.tanh(apart) + 0.01 * apart
    curved = (1 - torch.tanh(apart) ** 2 + 0.01).float()
    loss = float((torch.logaddexp(apart, -apart) + 0.005 * apart**2).sum())
    return Point(
        place,
        loss,
        1e-14,
        slopes.float(),
        float(slopes.abs().max()),
        lambda direction: curved * direction,
        lambda direction: direction,
    )


def stretched(place: torch.Tensor) -> Point:
    """A square whose curvatures differ a million times."""
    slopes = CURVATURES * (place - CENTRE)
    return Point(
        place,
        float((slopes * (place - CENTRE)).sum() / 2),
        0.0,
        slopes.float(),
        float(slopes.abs().max()),
        lambda direction: CURVATURES.float() * direction,
        lambda direction: direction / CURVATURES.float() ** 0.9,
    )


def test_products_in_float32_reach_the_optimum_of_float64() -> None:
    found = minimize(stretched, torch.zeros_like(CENTRE), 1e-9, 500)
    assert found.distance <= 1e-9
    assert (found.place - CENTRE).abs().max() < 1e-6


def test_steps_that_lead_too_far_are_halved() -> None:
    found = minimize(softly, torch.full_like(CENTRE, 8.0), 1e-10, 500)
    assert found.distance <= 1e-10


def test_products_are_counted_and_an_unreachable_tolerance_ends() -> None:
    asked = []

    def counted(place: torch.Tensor) -> Point:
        point = softly(place)

        def product(direction: torch.Tensor) -> torch.Tensor:
            asked.append(1)
            return point.product(direction)

        fields = {**vars(point), "product": product}
        return Point(**fields)

    few = minimize(counted, torch.full_like(CENTRE, 8.0), 1e-10, 3)
    assert len(asked) == 3
    assert few.loss < softly(torch.full_like(CENTRE, 8.0)).loss
    minimize(counted, torch.zeros_like(CENTRE), 0.0, 10_000)
    assert len(asked) < 500


def test_a_large_c_is_approached_by_smaller_ones() -> None:
    asked: list[tuple[float, float]] = []

    def solve(c: float, place: torch.Tensor, tolerance: float) -> Point:
        asked.append((c, tolerance))
        return softly(place + 1)

    place = approach(solve, 50.0, torch.zeros_like(CENTRE), 1e-4)
    assert [c for c, _ in asked] == [0.05, 0.5, 5.0]
    assert {tolerance for _, tolerance in asked} == {0.03}
    assert torch.equal(place, torch.full_like(CENTRE, 3.0))
