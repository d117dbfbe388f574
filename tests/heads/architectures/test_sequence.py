"""The sequence heads: exact under padding, and the architectures that they claim to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from heads.architectures.cnn import CnnHead, CnnSettings
from heads.architectures.lstm import LstmHead, LstmSettings
from heads.head import Head, SequenceHead
from heads.layers.convolution import Convolutions
from heads.layers.standardize import Standardize, statistics
from heads.registry import head_type, make_settings
from tests.support.tables import make_table

WIDTH = 5
CLASSES = 4
LENGTHS = (1, 2, 7, 4, 7)
TOLERANCE = 1e-5


def case(name: str, **settings: object) -> Callable[[], Head]:
    """Builds a small head of that name, untrained."""
    return lambda: head_type(name).build(make_settings(name, settings), WIDTH, CLASSES)


BUILDERS = {
    "cnn valid": case("cnn", kernels=(2, 3), filters=4, padding="valid"),
    "cnn flatten": case("cnn", kernels=(3,), filters=4, max_vectors=5, pooling="flatten"),
    "cnn norm": case("cnn", kernels=(1, 4), filters=4, batch_norm=True, dense=(6,)),
    "cnn_lstm parallel": case("cnn_lstm", filters=4, units=3, dense=(5,)),
    "cnn_lstm sequential": case(
        "cnn_lstm", form="sequential", filters=0, kernels=(3,), pool=3, batch_norm=True
    ),
    "cnn_lstm both ways": case("cnn_lstm", filters=4, bidirectional=True, pooling="mean"),
    "lstm last dense": case(
        "lstm", pooling="last", dense=(6, 5), dense_norm=True, recurrent_dropout=0.3
    ),
    "attention": case("attention", queries=3, values=0),
    "attention values": case("attention", values=4, combine="mean", beside="both"),
    "meanmax": case("meanmax", dense=(4,)),
    "meanmax first": case("meanmax", max_vectors=3),
    "cnn": lambda: CnnHead(CnnSettings(kernels=(1, 2, 3, 6), filters=8), WIDTH, CLASSES),
    "cnn wide": lambda: CnnHead(CnnSettings(kernels=(9,), filters=3), WIDTH, CLASSES),
    **{
        f"lstm {pooling} {directions} x{layers}": (
            lambda pooling=pooling, directions=directions, layers=layers: LstmHead(
                LstmSettings(
                    units=7, layers=layers, bidirectional=directions == 2, pooling=pooling
                ),
                WIDTH,
                CLASSES,
            )
        )
        for pooling in ("last", "max", "mean")
        for directions in (1, 2)
        for layers in (1, 2)
    },
}


def random_batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH, generator=generator)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return x.masked_fill(~mask[:, :, None], 0.0), mask


def ready(name: str) -> Head:
    """The head in evaluation mode, with input statistics that do not map zero to zero."""
    torch.manual_seed(3)
    head = BUILDERS[name]()
    if isinstance(head, SequenceHead):
        head.inputs.center.uniform_(-1.0, 1.0)
        head.inputs.scale.uniform_(0.5, 2.0)
    return head.eval()


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("garbage", [0.0, 1e4, float("nan"), float("inf")])
@torch.no_grad()
def test_appended_padding_changes_nothing(name: str, garbage: float) -> None:
    head = ready(name)
    x, mask = random_batch()
    expected = head(x, mask)
    padded = torch.nn.functional.pad(x, (0, 0, 0, 9))
    padded_mask = torch.nn.functional.pad(mask, (0, 9))
    padded[~padded_mask] = garbage
    largest = float((head(padded, padded_mask) - expected).abs().max())
    print(f"largest difference: {largest:.1e}")
    assert largest < TOLERANCE


@pytest.mark.parametrize("name", BUILDERS)
@torch.no_grad()
def test_a_batch_gives_what_each_text_gives_alone(name: str) -> None:
    head = ready(name)
    x, mask = random_batch()
    together = head(x, mask)
    largest = 0.0
    for row, length in enumerate(LENGTHS):
        alone = head(x[row : row + 1, :length], mask[row : row + 1, :length])
        largest = max(largest, float((alone[0] - together[row]).abs().max()))
    print(f"largest difference: {largest:.1e}")
    assert largest < TOLERANCE


@pytest.mark.parametrize("name", BUILDERS)
@torch.no_grad()
def test_padding_may_stand_in_front(name: str) -> None:
    head = ready(name)
    x, mask = random_batch()
    largest = float(
        (head(x.roll(3, 1), mask.roll(3, 1))[[0, 1, 3]] - head(x, mask)[[0, 1, 3]]).abs().max()
    )
    print(f"largest difference: {largest:.1e}")
    assert largest < TOLERANCE


@pytest.mark.parametrize("name", BUILDERS)
def test_no_gradient_reaches_the_inputs_and_all_reaches_the_weights(name: str) -> None:
    head = ready(name)
    x, mask = random_batch()
    head(x, mask).square().sum().backward()
    assert x.grad is None
    for parameter_name, parameter in head.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("steps", [1, 2, 5, 11])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 6, 7])
def test_one_product_is_conv1d_forwards_and_backwards(kernel: int, steps: int) -> None:
    torch.manual_seed(0)
    filters = 4
    ours = Convolutions(WIDTH, filters, (2, kernel))
    oracle = torch.nn.Conv1d(WIDTH, filters, kernel, padding="same")
    rows = slice(2 * filters, (2 + kernel) * filters)
    with torch.no_grad():
        block = ours.weight[rows].view(kernel, filters, WIDTH)
        oracle.weight.copy_(block.permute(1, 2, 0))
        oracle.bias.copy_(ours.bias[filters:])
    x = torch.randn(3, steps, WIDTH)
    got = ours(x)[:, :, filters:] + ours.bias[filters:]
    expected = oracle(x.transpose(1, 2)).transpose(1, 2)
    direction = torch.randn_like(expected)
    (got * direction).sum().backward()
    (expected * direction).sum().backward()
    gradient = ours.weight.grad[rows].view(kernel, filters, WIDTH).permute(1, 2, 0)
    largest = max(
        float((got - expected).detach().abs().max()),
        float((gradient - oracle.weight.grad).abs().max()),
    )
    print(f"largest difference: {largest:.1e}")
    assert largest < TOLERANCE


@pytest.mark.parametrize("per_filter", [False, True])
@pytest.mark.parametrize("kernels", [(1,), (2, 3, 4), (6, 1)])
def test_the_gradient_of_maxima_is_that_of_the_product(
    kernels: tuple[int, ...], per_filter: bool
) -> None:
    torch.manual_seed(0)
    convolutions = Convolutions(WIDTH, 4, kernels)
    lengths = torch.tensor([1, 9, 4])
    x = torch.randn(3, 9, WIDTH)
    real = (torch.arange(9) < lengths[:, None])[:, :, None]
    x = x * real
    if per_filter:
        real = real.repeat(1, 1, 4 * len(kernels))
        real[1, :3, ::2] = False  # as padding="valid": other positions per filter
    ours = convolutions.maxima(x, real)
    expected = convolutions(x).masked_fill(~real, -torch.inf).amax(dim=1)
    assert torch.equal(ours, expected)
    direction = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad(ours, convolutions.weight, direction)
    (dense,) = torch.autograd.grad(expected, convolutions.weight, direction)
    assert torch.allclose(gradient, dense, atol=TOLERANCE)
    assert dense.abs().sum() > 0


def test_maxima_have_a_gradient_for_vectors_that_want_one() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, WIDTH, requires_grad=True)
    real = torch.ones(2, 5, 1, dtype=torch.bool)
    Convolutions(WIDTH, 4, (2, 3)).maxima(x, real).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


@torch.no_grad()
def test_cnn_is_convolution_relu_maximum_dense() -> None:
    head = ready("cnn")
    x, mask = random_batch()
    for row, length in enumerate(LENGTHS):
        inputs = (x[row, :length] - head.inputs.center) * head.inputs.scale
        pooled, first, place = [], 0, 0
        for kernel in (1, 2, 3, 6):
            block = head.convolutions.weight[first : first + 8 * kernel].view(kernel, 8, WIDTH)
            sides = torch.nn.functional.pad(inputs.T[None], ((kernel - 1) // 2, kernel // 2))
            bias = head.convolutions.bias[place : place + 8]
            maps = torch.nn.functional.conv1d(sides, block.permute(1, 2, 0), bias)[0]
            pooled.append(torch.relu(maps).amax(dim=1))
            first, place = first + 8 * kernel, place + 8
        expected = head.output(torch.cat(pooled))
        largest = float((expected - head(x, mask)[row]).abs().max())
        print(f"largest difference: {largest:.1e}")
        assert largest < TOLERANCE


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("pooling", ["last", "max", "mean"])
@torch.no_grad()
def test_lstm_is_that_of_packed_sequences(layers: int, pooling: str) -> None:
    torch.manual_seed(0)
    units = 7
    head = LstmHead(LstmSettings(units=units, layers=layers, pooling=pooling), WIDTH, CLASSES)
    oracle = torch.nn.LSTM(WIDTH, units, layers, batch_first=True, bidirectional=True)
    for depth, layer in enumerate(head.layers):
        for lstm, suffix in zip(layer.directions, ("", "_reverse"), strict=True):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                theirs = getattr(oracle, f"{kind}_l{depth}{suffix}")
                theirs.copy_(getattr(lstm, f"{kind}_l0"))
    x, mask = random_batch()
    packed = pack_padded_sequence(
        x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    states, (last, _) = oracle(packed)
    padded, _ = pad_packed_sequence(states, batch_first=True)
    if pooling == "last":
        pooled = torch.cat([last[-2], last[-1]], dim=1)
    elif pooling == "max":
        pooled = padded.masked_fill(~mask[:, :, None], -torch.inf).amax(dim=1)
    else:
        pooled = padded.sum(dim=1) / torch.tensor(LENGTHS)[:, None]
    largest = float((head.eval()(x, mask) - head.output(pooled)).abs().max())
    print(f"largest difference: {largest:.1e}")
    assert largest < TOLERANCE


def count(head: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in head.parameters())


def test_parameter_counts_by_hand() -> None:
    # 384 x 100 x (2 + 6) taps, 2 x 100 biases, 200 x 7 + 7 of the dense layer.
    cnn = CnnHead(CnnSettings(kernels=(2, 6), filters=100), 384, 7)
    assert count(cnn) == 307_200 + 200 + 1_407
    # A direction: 4 gates of 120 x (384 + 120) weights and two biases; 120 x 7 + 7.
    one = LstmHead(LstmSettings(units=120, bidirectional=False), 384, 7)
    assert count(one) == 4 * 120 * (384 + 120 + 2) + 847
    # Second layer: 4 gates of 8 x (16 + 8 + 2) in each direction; 16 x 7 + 7.
    two = LstmHead(LstmSettings(units=8, layers=2), 384, 7)
    assert count(two) == 2 * 4 * 8 * (384 + 8 + 2) + 2 * 4 * 8 * (16 + 8 + 2) + 119


def test_initial_weights_are_bounded_as_those_of_conv1d() -> None:
    torch.manual_seed(0)
    ours = Convolutions(16, 50, (1, 4))
    for rows, kernel in ((slice(0, 50), 1), (slice(50, 250), 4)):
        bound = 1 / np.sqrt(16 * kernel)
        assert 0.9 * bound < float(ours.weight[rows].detach().abs().max()) <= bound


def test_statistics_are_those_of_the_training_vectors_only() -> None:
    table = make_table([3, 1, 4, 2], dtype="float32")
    center, deviation = statistics(table, np.array([2, 0]))
    vectors = np.concatenate([table.sequence(0), table.sequence(2)]).astype(np.float64)
    assert np.allclose(center, vectors.mean(axis=0), atol=1e-12)
    assert np.allclose(deviation, vectors.std(axis=0), atol=1e-12)


def test_statistics_survive_a_large_mean() -> None:
    table = make_table([500], dtype="float32")
    shifted = type(table)(table.values + np.float32(4096.0), table.offsets, table.layout)
    _, deviation = statistics(shifted, np.array([0]))
    expected = shifted.values.astype(np.float64).std(axis=0)
    assert np.allclose(deviation, expected, rtol=1e-9)


def test_standardised_inputs_keep_a_constant_feature_finite() -> None:
    inputs = Standardize(2)
    table = make_table([4], width=2, dtype="float32")
    values = table.values.copy()
    values[:, 1] = 3.0
    inputs.measure(type(table)(values, table.offsets, table.layout), np.array([0]))
    got = inputs(torch.from_numpy(values)[None].half(), torch.ones(1, 4, dtype=torch.bool))
    assert got.dtype == torch.float32
    assert float(got[0, :, 1].abs().max()) < 1e-3
    assert float(got[0, :, 0].std(correction=0)) == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("mean", [60.0, 400.0])
def test_a_large_mean_is_taken_off_before_rounding_to_bfloat16(mean: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 200, 3) + torch.tensor([mean, -mean, 0.0])
    inputs = Standardize(3)
    inputs.center.copy_(x[0].mean(0))
    mask = torch.ones(1, 200, dtype=torch.bool)
    expected, before = (x - inputs.center)[0], x.clone()
    with torch.autocast("cpu", torch.bfloat16):
        got = inputs(x, mask)
    assert got.dtype == torch.bfloat16
    assert float((got[0].float() - expected).abs().max()) < 0.02  # half a unit of bfloat16 at 4
    assert torch.equal(x, before)


def test_input_dropout_takes_a_feature_from_all_vectors_of_a_text() -> None:
    head = head_type("cnn").build(make_settings("cnn", {"input_dropout": "0.5"}), 64, 3)
    x = torch.ones(8, 5, 64)
    mask = torch.ones(8, 5, dtype=torch.bool)
    torch.manual_seed(0)
    prepared = head.train().drop_inputs(head.inputs(x, mask))
    assert set(prepared.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(prepared, prepared[:, :1].expand_as(prepared))
    assert 0.3 < float((prepared == 0).float().mean()) < 0.7
    assert torch.equal(head.eval().drop_inputs(head.inputs(x, mask)), x)
