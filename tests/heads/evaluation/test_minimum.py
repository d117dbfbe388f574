"""The bounded search against scipy's, and against minima known by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from heads.evaluation.minimum import find_minimum

FUNCTIONS: list[Callable[[float], float]] = [
    lambda x: (x - 1.0) ** 2,
    lambda x: abs(x - 0.3) ** 1.5,
    lambda x: math.exp(x) - 2 * x,
    lambda x: x,
    lambda x: -x,
    lambda x: math.cosh(x + 0.7) + 0.1 * x,
    lambda x: 0.0,
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("low", "high"), [(-2.3, 2.3), (-0.1, 5.0), (-3.0, 0.2)])
@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
def test_it_is_that_of_scipy_to_the_bit(
    function: Callable[[float], float], low: float, high: float, tolerance: float
) -> None:
    calls: list[float] = []

    def counted(x: float) -> float:
        calls.append(x)
        return function(x)

    expected = minimize_scalar(
        counted, bounds=(low, high), method="bounded", options={"xatol": tolerance}
    )
    theirs = [*calls]
    calls.clear()
    assert find_minimum(counted, low, high, tolerance) == float(expected.x)
    assert calls == [float(x) for x in theirs]


def test_random_losses_have_the_minimum_of_scipy() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        a, b, c = random.normal(size=3).tolist()
        f = lambda x, a=a, b=b, c=c: math.log(math.exp(a * x) + math.exp(-b * b * x)) + c * x  # noqa: E731
        expected = minimize_scalar(f, bounds=(-2, 3), method="bounded", options={"xatol": 1e-4})
        assert find_minimum(f, -2, 3, 1e-4) == float(expected.x)


def test_the_minimum_is_found() -> None:
    assert find_minimum(lambda x: (x - 1) ** 2, -2.0, 3.0, 1e-6) == pytest.approx(1.0, abs=1e-6)
