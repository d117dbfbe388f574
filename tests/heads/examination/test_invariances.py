"""Which comparison fails for which fault."""

from __future__ import annotations

import pytest
import torch

from features.errors import ModuleError
from heads.examination.invariances import measure_invariances
from heads.examination.module import ForeignModule
from tests.support.doctor import foreign
from tests.support.tables import WIDTH, cluster_problem, marker_problem


def broken(kind: type[torch.nn.Module]) -> tuple[str, ...]:
    problem = marker_problem()
    torch.manual_seed(0)
    module = ForeignModule(kind(WIDTH, problem.classes), problem.classes)
    return measure_invariances(module, problem.table, problem.train).broken


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (foreign.MeanOf, ()),
        (foreign.LogSoftmax, ()),
        (foreign.ReadsPadding, ("alone", "padding")),
        (foreign.MixesTexts, ("alone", "neighbours")),
        (foreign.Constant, ()),
    ],
)
def test_the_comparison_that_fails_names_the_fault(
    kind: type[torch.nn.Module], names: tuple[str, ...]
) -> None:
    assert broken(kind) == names


def test_dropout_in_evaluation_mode_fails_when_asked_twice() -> None:
    assert "repeat" in broken(foreign.DropsAlways)


def test_axes_that_are_mixed_are_seen() -> None:
    class TimeFirst(torch.nn.Module):
        def __init__(self, width: int, classes: int) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(width, classes)  # without batch_first

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            states: torch.Tensor = self.lstm(x)[0]
            return states[:, 0]

    assert {"neighbours", "order"} <= set(broken(TimeFirst))


def test_one_vector_per_text_has_no_padding() -> None:
    problem = cluster_problem()
    module = ForeignModule(foreign.MeanOf(WIDTH, problem.classes), problem.classes)
    found = measure_invariances(module, problem.table, problem.train)
    assert "padding" not in found.differences
    assert not found.broken


def test_a_module_that_fails_for_one_text_is_told_with_its_place() -> None:
    class Squeezes(foreign.MeanOf):
        def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return super().pool(x, mask).squeeze(0)

    problem = marker_problem()
    module = ForeignModule(Squeezes(WIDTH, problem.classes), problem.classes)
    found = measure_invariances(module, problem.table, problem.train)
    assert set(found.broken) == {"alone", "neighbours"}
    assert "must return a tensor of shape (1, 3)" in found.failures["alone"]


class TakesThree(torch.nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor, more: int) -> torch.Tensor:
        return x


class Fails(foreign.MeanOf):
    def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        raise KeyError("nothing here")


def test_wrong_modules_are_refused_on_one_line() -> None:
    with pytest.raises(ModuleError, match=r"takes \(x, mask, more\)"):
        ForeignModule(TakesThree(), 3)
    problem = marker_problem()
    with pytest.raises(ModuleError, match=r"KeyError.*test_invariances.py, line \d+") as caught:
        measure_invariances(
            ForeignModule(Fails(WIDTH, 3), 3), problem.table, problem.validation
        )
    assert "\n" not in str(caught.value)


def test_lengths_are_given_where_they_are_asked_for() -> None:
    class Lengths(torch.nn.Module):
        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            return lengths.float()[:, None].expand(-1, 2)

    mask = torch.tensor([[True, True, False], [True, False, False]])
    found = ForeignModule(Lengths(), 2)(torch.zeros(2, 3, 4), mask)
    assert found.tolist() == [[2.0, 2.0], [1.0, 1.0]]
