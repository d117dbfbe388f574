"""The parts that heads share, against torch's own or by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.errors import SettingError
from heads.architectures.cnn import CnnHead, CnnSettings
from heads.layers.dense import ACTIVATIONS, DenseSettings, DenseStack
from heads.layers.dropout import Dropout
from heads.layers.init import initialize_lstm
from heads.layers.lstm_steps import unroll
from heads.layers.masking import gather, mask_to_minus_inf, pool_windows, reversal
from heads.layers.norm import BatchNorm
from heads.layers.recurrence import Layer, RecurrentSettings
from heads.registry import make_settings
from heads.training.trainer import Trainer, fit_by_steps
from tests.support.tables import marker_problem

TOLERANCE = 1e-5


def largest_difference(got: torch.Tensor, expected: torch.Tensor) -> float:
    largest = float((got - expected).detach().abs().max())
    print(f"largest difference: {largest:.1e}")
    return largest


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dense_layers_by_hand(name: str) -> None:
    torch.manual_seed(0)
    stack = DenseStack(DenseSettings(dense=(5, 3), dense_activation=name), 4, 0.5).eval()
    x = torch.randn(7, 4)
    function = {"gelu": torch.nn.functional.gelu, "elu": torch.nn.functional.elu}.get(
        name, getattr(torch, name, None)
    )
    first, second = stack.layers
    expected = function(second(function(first(x))))
    assert stack.width == 3
    assert largest_difference(stack(x), expected) < TOLERANCE


def test_no_dense_layers_change_nothing() -> None:
    stack = DenseStack(DenseSettings(), 4, 0.5)
    x = torch.randn(2, 4)
    assert stack.width == 4
    assert stack(x) is x
    assert not list(stack.parameters())


def test_dropout_comes_after_normalisation() -> None:
    torch.manual_seed(0)
    settings = DenseSettings(dense=(400,), dense_norm=True, dense_activation="sigmoid")
    got = DenseStack(settings, 4, 0.5)(torch.randn(64, 4))
    zeros = got == 0
    assert 0.45 < float(zeros.float().mean()) < 0.55
    kept = got[~zeros].detach() / 2
    assert float(kept.mean()) == pytest.approx(0.0, abs=0.02)
    assert float(kept.std()) == pytest.approx(1.0, abs=0.02)


def test_dropout_is_unbiased_and_off_in_evaluation() -> None:
    torch.manual_seed(0)
    dropout, x = Dropout(0.25), torch.ones(1000, 50, dtype=torch.bfloat16, requires_grad=True)
    got = dropout(x)
    assert got.dtype == torch.bfloat16
    assert got.float().unique().tolist() == pytest.approx([0.0, 4 / 3], rel=0.01)
    assert float((got == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    got.sum().backward()
    assert torch.equal(x.grad, got)
    assert dropout.eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_initial_weights_by_name() -> None:
    torch.manual_seed(0)

    def layers(how: str, *deviations: float) -> list[torch.nn.Linear]:
        settings = DenseSettings(
            dense=(300, 200), dense_init=how, dense_std=deviations or (0.05,)
        )
        return list(DenseStack(settings, 100, 0.0).requires_grad_(False).layers)

    first, second = layers("normal", 0.039, 0.55)
    assert float(first.weight.std()) == pytest.approx(0.039, rel=0.02)
    assert float(second.weight.std()) == pytest.approx(0.55, rel=0.02)
    assert not first.bias.any()
    first, second = layers("he_uniform")
    assert float(first.weight.abs().max()) == pytest.approx(np.sqrt(6 / 100), rel=0.01)
    assert float(second.weight.abs().max()) == pytest.approx(np.sqrt(6 / 300), rel=0.01)
    first, second = layers("orthogonal")
    assert largest_difference(first.weight.T @ first.weight, torch.eye(100)) < TOLERANCE
    assert largest_difference(second.weight @ second.weight.T, torch.eye(200)) < TOLERANCE
    torch.manual_seed(1)
    plain = torch.nn.Linear(100, 300)
    torch.manual_seed(1)
    assert torch.equal(layers("default")[0].weight, plain.weight)


def test_a_deviation_for_each_dense_layer_or_one_for_all() -> None:
    with pytest.raises(SettingError, match="2 values for 3 dense layers"):
        make_settings("cnn", {"dense": "8,8,8", "dense_std": "0.1,0.2"})
    settings = make_settings("cnn", {"dense": "8,8,8", "dense_std": "0.1"})
    assert settings.model_dump()["dense_std"] == (0.1,)


def test_orthogonal_gates() -> None:
    lstm = torch.nn.LSTM(16, 8)
    before = lstm.bias_ih_l0.clone()
    initialize_lstm(lstm, "orthogonal")
    for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0):
        for gate in weight.chunk(4):
            assert largest_difference(gate @ gate.T, torch.eye(8)) < TOLERANCE
    assert torch.equal(lstm.bias_ih_l0, before)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_that_of_torch_over_real_positions(training: bool) -> None:
    torch.manual_seed(0)
    ours, oracle = BatchNorm(3), torch.nn.BatchNorm1d(3)
    with torch.no_grad():
        ours.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
        ours.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
        oracle.weight.copy_(ours.weight)
        oracle.bias.copy_(ours.bias)
    mask = torch.rand(5, 7) < 0.6
    for _ in range(3):
        x = torch.randn(5, 7, 3) * 2 + 1
        got, expected = ours(x, mask[:, :, None]), oracle(x[mask])
    if not training:
        got, expected = ours.eval()(x, mask[:, :, None]), oracle.eval()(x[mask])
    assert largest_difference(got[mask], expected) < TOLERANCE
    assert largest_difference(ours.mean, oracle.running_mean) < TOLERANCE
    assert largest_difference(ours.variance, oracle.running_var) < TOLERANCE


@pytest.mark.parametrize("garbage", [0.0, 1e6])
def test_padding_does_not_move_batch_statistics(garbage: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 3, 2)
    padded = torch.nn.functional.pad(x, (0, 0, 0, 5), value=garbage)
    real = torch.nn.functional.pad(torch.ones(4, 3, 1, dtype=torch.bool), (0, 0, 0, 5))
    plain, masked = BatchNorm(2), BatchNorm(2)
    assert largest_difference(masked(padded, real)[:, :3], plain(x)) < TOLERANCE
    assert largest_difference(masked.mean, plain.mean) < TOLERANCE


def test_one_text_alone_is_no_error() -> None:
    norm = BatchNorm(2)
    assert torch.equal(norm(torch.tensor([[3.0, 4.0]])).detach(), torch.zeros(1, 2))
    assert bool(norm.variance.isfinite().all())


@pytest.mark.parametrize("positions", [1, 2])
def test_a_text_alone_moves_no_running_statistics(positions: int) -> None:
    norm = BatchNorm(2)
    real = torch.arange(4)[None, :, None] < positions
    norm(torch.tensor([[3.0, 4.0], [5.0, 9.0]] * 2)[None], real)
    moved = [not torch.equal(norm.mean, torch.zeros(2)), bool((norm.variance != 1.0).all())]
    assert moved == [positions > 1] * 2


def test_a_head_with_batch_norm_trains_alike_whatever_the_padding() -> None:
    settings = CnnSettings(
        batch_norm=True, dense=(8,), dense_norm=True, filters=4, input_dropout=0, dropout=0
    )
    torch.manual_seed(0)
    head = CnnHead(settings, 6, 3).train()
    x, mask = torch.randn(5, 4, 6), torch.ones(5, 4, dtype=torch.bool)
    mask[2:, 2:] = False
    expected = head(x, mask)
    got = head(
        torch.nn.functional.pad(x, (0, 0, 0, 9), value=torch.nan),
        torch.nn.functional.pad(mask, (0, 9)),
    )
    assert largest_difference(got, expected) < 1e-4


def test_averaged_weights_come_with_averaged_statistics() -> None:
    problem = marker_problem()
    settings = CnnSettings(batch_norm=True, epochs=12, batch_size=16)
    trainer = Trainer(CnnHead(settings, 6, 3), settings, problem, 0)
    trainer.learn(1)
    assert trainer.averaged.norm is not None
    assert not torch.equal(trainer.averaged.norm.mean, torch.zeros(3 * 128))
    fitted = fit_by_steps(CnnHead, settings, problem, 0)
    assert fitted.history[fitted.best_epoch - 1].validation_accuracy > 0.95


@pytest.mark.parametrize("steps", [1, 11])
@pytest.mark.parametrize("directions", [1, 2])
def test_unrolled_steps_are_torchs_lstm_forwards_and_backwards(
    directions: int, steps: int
) -> None:
    torch.manual_seed(0)
    lstms = [torch.nn.LSTM(5, 7, batch_first=True) for _ in range(directions)]
    x = torch.randn(3, steps, 5, requires_grad=True)
    backwards = reversal(torch.tensor([[11], [4], [1]]).clamp_max(steps), steps)
    weighed = torch.randn(directions, 3, steps, 7)
    expected = [
        lstm(each)[0] for lstm, each in zip(lstms, (x, gather(x, backwards)), strict=False)
    ]
    got = unroll(lstms, x, backwards)
    assert largest_difference(got, torch.stack(expected)) < TOLERANCE
    learned = [x, *(weight for lstm in lstms for weight in lstm.parameters())]
    for mine, theirs in zip(
        torch.autograd.grad((got * weighed).sum(), learned),
        torch.autograd.grad((torch.stack(expected) * weighed).sum(), learned),
        strict=True,
    ):
        assert largest_difference(mine, theirs) < 1e-4


def test_recurrent_dropout_takes_the_same_units_at_every_step() -> None:
    """A unit whose hidden state is dropped is one whose recurrent weights are 0."""
    torch.manual_seed(0)
    lstm, x = torch.nn.LSTM(5, 4, batch_first=True), torch.randn(2, 9, 5)
    kept = torch.tensor([2.0, 0.0, 2.0, 0.0])
    scaled = torch.nn.LSTM(5, 4, batch_first=True)
    scaled.load_state_dict(lstm.state_dict())
    with torch.no_grad():
        scaled.weight_hh_l0.mul_(kept)
    backwards = torch.zeros(2, 9, dtype=torch.int64)
    (got,) = unroll([lstm], x, backwards, kept.expand(1, 2, 4))
    expected = scaled(x)[0]
    assert largest_difference(got, expected) < TOLERANCE
    weighed = torch.randn(2, 9, 4)
    (mine,) = torch.autograd.grad((got * weighed).sum(), [lstm.weight_hh_l0])
    (theirs,) = torch.autograd.grad((expected * weighed).sum(), [scaled.weight_hh_l0])
    assert largest_difference(mine, theirs * kept) < 1e-4


def test_recurrent_dropout_under_bfloat16_is_close_to_float32() -> None:
    torch.manual_seed(0)
    lstm, x = torch.nn.LSTM(16, 8, batch_first=True), torch.randn(4, 9, 16)
    backwards, kept = torch.zeros(4, 9, dtype=torch.int64), torch.full((1, 4, 8), 2.0)
    kept[:, :, ::2] = 0.0
    expected = unroll([lstm], x, backwards, kept)
    with torch.autocast("cpu", torch.bfloat16):
        got = unroll([lstm], x.bfloat16(), backwards, kept)
    assert got.dtype == torch.float32
    assert 0 < largest_difference(got, expected) < 0.02
    learned = list(lstm.parameters())
    for mine, theirs in zip(
        torch.autograd.grad(got.square().sum(), learned),
        torch.autograd.grad(expected.square().sum(), learned),
        strict=True,
    ):
        assert largest_difference(mine, theirs) < 0.03 * float(theirs.abs().max())


def test_recurrent_dropout_only_in_training() -> None:
    torch.manual_seed(0)
    layer = Layer(5, 64, 1, RecurrentSettings(recurrent_dropout=0.5))
    x, backwards = torch.randn(3, 6, 5), torch.zeros(3, 6, dtype=torch.int64)
    (expected,) = layer.eval()(x, backwards)
    (got,) = layer.train()(x, backwards)
    assert torch.allclose(got[:, 0], expected[:, 0], atol=TOLERANCE)  # no state before it
    assert not torch.allclose(got[:, 1], expected[:, 1], atol=1e-3)
    (again,) = layer.eval()(x, backwards)
    assert torch.equal(again, expected)


@pytest.mark.parametrize("width", [1, 2, 3, 10])
def test_windows_are_those_of_max_pool1d(width: int) -> None:
    x = torch.randn(2, 7, 3)
    oracle = torch.nn.functional.max_pool1d(x.transpose(1, 2), width, ceil_mode=True)
    assert torch.equal(pool_windows(x, width), oracle.transpose(1, 2))


def test_hidden_positions_win_no_window() -> None:
    x = torch.tensor([[[-5.0], [9.0], [9.0], [9.0]]])
    real = torch.tensor([[[True], [False], [False], [False]]])
    assert pool_windows(mask_to_minus_inf(x, real), 2).flatten().tolist() == [-5.0, -torch.inf]
