"""The plain loop, and one batch by heart."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from features.errors import ModuleError
from heads.examination.by_heart import learn_by_heart, mixed
from heads.examination.dropout import most_dropped
from heads.examination.gradients import gradient_by_distance, used_weights
from heads.examination.learning import Loop, learn, parts
from heads.examination.modes import mode_difference
from heads.examination.module import ForeignModule
from heads.examination.outputs import SOFTMAX
from tests.support.doctor import foreign
from tests.support.tables import WIDTH, make_table, marker_problem

LOOP = Loop(epochs=4, batch_size=32, learning_rate=1e-2)


def builder(kind: type[torch.nn.Module]) -> partial[torch.nn.Module]:
    return partial(kind, WIDTH, 3)


def test_it_learns_and_repeats() -> None:
    problem = marker_problem()
    first = learn(builder(foreign.MeanOf), problem, LOOP)
    again = learn(builder(foreign.MeanOf), problem, LOOP)
    assert np.array_equal(first.logits, again.logits)
    best = first.history[first.best - 1]
    assert best.validation_accuracy == max(each.validation_accuracy for each in first.history)
    assert best.validation_accuracy > 0.6
    assert not first.diverged


def test_a_text_that_is_left_over_alone_does_not_stop_batch_normalisation() -> None:
    def build() -> torch.nn.Module:
        module = foreign.MeanOf(WIDTH, 3)
        module.output = torch.nn.Sequential(torch.nn.BatchNorm1d(16), module.output)
        return module

    problem = marker_problem()
    loop = replace(LOOP, batch_size=len(problem.train) - 1)
    assert len(learn(build, problem, loop).history) == LOOP.epochs


def test_dropout_can_be_left_out() -> None:
    problem = marker_problem()
    dropped = learn(builder(foreign.DropsMuch), problem, LOOP)
    whole = learn(builder(foreign.DropsMuch), problem, replace(LOOP, dropout=False))
    assert whole.history[-1].train_loss < dropped.history[-1].train_loss
    assert most_dropped(dropped.module) == 0.97
    assert most_dropped(whole.module) == 0.0
    assert most_dropped(torch.nn.LSTM(2, 2, num_layers=2, dropout=0.4)) == 0.4


def test_batches_hold_every_text_once() -> None:
    table = make_table([3, 1, 3, 2, 5, 1, 1, 3])
    rows = np.array([7, 0, 2, 4, 5])
    for loop in (Loop(batch_size=2), Loop(batch_size=2, padded=False)):
        found = list(parts(table, rows, loop, np.random.default_rng(0)))
        assert sorted(np.concatenate([places for places, _ in found]).tolist()) == [*range(5)]
        if not loop.padded:
            assert all(bool(batch.mask.all()) for _, batch in found)


def test_more_padding_is_masked() -> None:
    table = make_table([3, 1])
    ((_, batch),) = parts(table, np.arange(2), Loop(more_padding=4))
    assert batch.x.shape == (2, 7, WIDTH)
    assert batch.mask.sum(dim=1).tolist() == [3, 1]


@pytest.mark.parametrize("kind", [foreign.MeanOf, foreign.LogSoftmax])
def test_sound_modules_learn_a_batch_by_heart(kind: type[torch.nn.Module]) -> None:
    found = learn_by_heart(builder(kind), marker_problem(), LOOP)
    assert found.learned
    assert not found.unmoved
    assert found.outputs.kind == "logits"


def test_a_constant_cannot_learn_by_heart() -> None:
    found = learn_by_heart(builder(foreign.Constant), marker_problem(), LOOP)
    assert not found.learned


def test_a_softmax_stays_one_while_it_learns() -> None:
    found = learn_by_heart(builder(foreign.Softmax), marker_problem(), LOOP)
    assert found.outputs.kind == SOFTMAX
    assert found.last_loss > 0.5  # the floor for 3 classes is 0.551


def test_weights_that_never_move_are_named_if_they_count() -> None:
    problem = marker_problem()
    found = learn_by_heart(builder(foreign.CutOff), problem, LOOP)
    assert found.unmoved == ("hidden.weight", "hidden.bias")
    module = ForeignModule(foreign.CutOff(WIDTH, 3), 3)
    module.module.register_parameter("idle", torch.nn.Parameter(torch.ones(2)))
    before = [each.clone() for each in module.parameters()]
    names = (*found.unmoved, "idle")
    assert set(used_weights(module, names, problem, LOOP)) == set(found.unmoved)
    assert all(map(torch.equal, before, module.parameters()))


def test_the_gradient_of_a_last_state_fades() -> None:
    class LastState(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(WIDTH, 8, batch_first=True)
            self.output = torch.nn.Linear(8, 3)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            states = self.lstm(x)[0]
            logits: torch.Tensor = self.output(states[torch.arange(len(x)), lengths - 1])
            return logits

    problem = marker_problem()
    torch.manual_seed(0)
    module = ForeignModule(LastState(), 3)
    found = gradient_by_distance(module, problem, LOOP, (0, 8, 100))
    assert found[8] < 0.2 * found[0]
    assert 100 not in found


def test_modes_differ_with_few_steps_of_batch_normalisation() -> None:
    class Normed(foreign.MeanOf):
        def __init__(self, width: int, classes: int) -> None:
            super().__init__(width, classes)
            self.norm = torch.nn.BatchNorm1d(width)

        def pool(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.norm(20 * super().pool(x, mask) + 5)
            return found

    problem = marker_problem()
    one = ForeignModule(Normed(WIDTH, 3), 3)
    other = ForeignModule(foreign.MeanOf(WIDTH, 3), 3)
    assert mode_difference(one, problem.table, problem.validation, LOOP) > 0.25
    assert mode_difference(other, problem.table, problem.validation, LOOP) < 1e-5


def test_texts_learned_by_heart_are_of_all_classes() -> None:
    problem = marker_problem()
    assert np.bincount(problem.labels[mixed(problem, 15)]).tolist() == [5, 5, 5]


def test_a_module_without_a_gradient_is_refused_on_one_line() -> None:
    class Detached(foreign.MeanOf):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return super().forward(x, mask).detach()

    with pytest.raises(ModuleError, match="has no gradient") as caught:
        learn(builder(Detached), marker_problem(), LOOP)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModuleError, match="must return a tensor of shape"):
        learn(lambda: torch.nn.Linear(WIDTH, 4), marker_problem(), LOOP)
