"""Every preset is the system that its source describes: shapes and counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.errors import SettingError
from heads.head import Head, SequenceHead
from heads.presets import PRESETS, SOURCES, check_head, find_preset
from heads.registry import head_type, make_settings
from heads.trained import TrainedHead, fit
from tests.support.tables import marker_problem

D, C = 10, 8


def build(name: str, width: int = D, classes: int = C) -> Head:
    preset = PRESETS[name]
    settings = make_settings(preset.head, preset.overrides(classes))
    return head_type(preset.head).build(settings, width, classes)


def lstm(units: int, width: int) -> int:
    """4 gates of units x (input + state) weights, and the two biases that torch has."""
    return 4 * units * (width + units + 2)


def dense(units: int, width: int) -> int:
    return units * width + units


# With D = 10 and C = 8; Keras has one bias of 4 units fewer in each LSTM.
COUNTS = {
    # 100 filters of 2 and of 6 taps, 200 biases; 200 maxima -> 270 -> C.
    "A1": 100 * (2 + 6) * D + 200 + dense(270, 200) + dense(C, 270),
    "A2": lstm(120, D) + dense(550, 120) + dense(C, 550),
    # Three branches of 100 filters, each with an LSTM of 80; 240 -> 270 -> C.
    "A3": 100 * (2 + 3 + 6) * D + 300 + 3 * lstm(80, 100) + dense(270, 240) + dense(C, 270),
    "A4": lstm(8, D) + lstm(8, 8) + dense(C, 8),
    # Scale and shift of 256 maps; 180 / 2 = 90 windows of 256 -> 160 -> C.
    "A5": 256 * 7 * D + 256 + 2 * 256 + dense(160, 90 * 256) + dense(C, 160),
    "B1": lstm(100, D) + dense(C, 100),
    "B2": lstm(100, D) + dense(128, 100) + dense(64, 128) + dense(C, 64),
    "B3": lstm(100, D)
    + dense(128, 100)
    + dense(64, 128)
    + dense(32, 64)
    + 2 * (128 + 64 + 32)
    + dense(C, 32),
    # C // 4 = 2 units.
    "B4": lstm(2, D) + dense(C, 2),
    "B5": lstm(2, D) + dense(C, 2),
    "C1": lstm(128, D) + dense(C, 128),
    "C2": lstm(128, D) + dense(C, 128),
    # D filters of 3 taps over D features, normalised; an LSTM over D maps.
    "C4": D * 3 * D + D + 2 * D + lstm(128, D) + dense(C, 128),
    "C5": lstm(128, D) + lstm(128, 128) + dense(C, 128),
    # Three members, each with 32 means of D features -> 256 -> C.
    "LONG": 3 * (dense(32, D) + dense(256, 32 * D) + dense(C, 256)),
}

SHAPES = {
    "A1": {
        "convolutions.weight": (800, D),
        "dense.layers.0.weight": (270, 200),
        "output.weight": (C, 270),
    },
    "A2": {
        "layers.0.directions.0.weight_ih_l0": (480, D),
        "layers.0.directions.0.weight_hh_l0": (480, 120),
        "dense.layers.0.weight": (550, 120),
        "output.weight": (C, 550),
    },
    "A3": {
        "convolutions.weight": (1100, D),
        "lstms.0.directions.0.weight_ih_l0": (320, 100),
        "lstms.2.directions.0.weight_hh_l0": (320, 80),
        "dense.layers.0.weight": (270, 240),
        "output.weight": (C, 270),
    },
    "A4": {
        "layers.0.directions.0.weight_ih_l0": (32, D),
        "layers.1.directions.0.weight_ih_l0": (32, 8),
        "output.weight": (C, 8),
    },
    "A5": {
        "convolutions.weight": (7 * 256, D),
        "norm.weight": (256,),
        "dense.layers.0.weight": (160, 23_040),
        "output.weight": (C, 160),
    },
    "B1": {"layers.0.directions.0.weight_hh_l0": (400, 100), "output.weight": (C, 100)},
    "B2": {
        "dense.layers.0.weight": (128, 100),
        "dense.layers.1.weight": (64, 128),
        "output.weight": (C, 64),
    },
    "B3": {
        "dense.layers.2.weight": (32, 64),
        "dense.norms.0.weight": (128,),
        "dense.norms.2.weight": (32,),
        "output.weight": (C, 32),
    },
    "B4": {"layers.0.directions.0.weight_ih_l0": (8, D), "output.weight": (C, 2)},
    "B5": {"layers.0.directions.0.weight_ih_l0": (8, D), "output.weight": (C, 2)},
    "C1": {"layers.0.directions.0.weight_ih_l0": (512, D), "output.weight": (C, 128)},
    "C2": {"layers.0.directions.0.weight_ih_l0": (512, D), "output.weight": (C, 128)},
    "C4": {
        "convolutions.weight": (3 * D, D),
        "norm.weight": (D,),
        "lstms.0.directions.0.weight_ih_l0": (512, D),
        "output.weight": (C, 128),
    },
    "C5": {"layers.1.directions.0.weight_ih_l0": (512, 128), "output.weight": (C, 128)},
    "LONG": {
        "members.0.projection.weight": (32, D),
        "members.2.dense.layers.0.weight": (256, 32 * D),
        "members.2.output.weight": (C, 256),
    },
}

DROPOUTS = {
    # input (spatial), recurrent, between layers, before and after dense layers
    "A1": (0, 0, None, 0.6),
    "A2": (0, 0, 0, 0.5),
    "A3": (0, 0, 0.6, 0.6),
    "A4": (0, 0.2, 0.2, 0),
    "A5": (0, 0, None, 0.4),
    "B1": (1 - 0.8 * 0.8, 0.2, 0, 0),
    "B2": (0, 0, 0, 0.5),
    "B3": (1 - 0.6 * 0.6, 0.4, 0, 0),
    "B4": (0, 0, 0, 0),
    "B5": (0, 0, 0, 0),
    "C1": (0, 0, 0, 0),
    "C2": (0, 0, 0, 0),
    "C4": (0, 0, 0, 0),
    "C5": (0, 0, 0, 0),
}

# optimiser, texts a step, most epochs; None where the source says nothing
TRAINING = {
    "A1": ("rmsprop", 64, 15),
    "A2": ("rmsprop", 60, 20),
    "A3": ("rmsprop", 64, 20),
    "A4": ("adam", None, None),
    "A5": (None, None, 5),
    "B1": ("adam", 100, 50),
    "B2": (None, 100, 50),
    "B3": (None, 100, 50),
    "B4": (None, 100, 50),
    "B5": (None, 128, 100),
}


def test_every_preset_is_checked() -> None:
    names = set(PRESETS)
    assert names == set(COUNTS) == set(SHAPES)
    assert set(SOURCES) == set(DROPOUTS)
    assert set(TRAINING) < set(SOURCES)
    for preset in PRESETS.values():
        assert preset.what
        assert "\n" not in preset.what


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_by_hand(name: str) -> None:
    head = build(name)
    assert sum(parameter.numel() for parameter in head.parameters()) == COUNTS[name]


@pytest.mark.parametrize("name", PRESETS)
def test_layer_shapes_by_hand(name: str) -> None:
    state = build(name).state_dict()
    for layer, shape in SHAPES[name].items():
        assert tuple(state[layer].shape) == shape, layer


@pytest.mark.parametrize("name", SOURCES)
def test_dropouts_of_the_source(name: str) -> None:
    head = build(name)
    inputs, recurrent, between, dense_ = DROPOUTS[name]
    assert isinstance(head, SequenceHead)
    assert head.input_dropout.p == pytest.approx(inputs)
    assert head.dropout.p == head.dense.dropout.p == dense_
    if between is not None:
        assert head.layer_dropout.p == between
    rates = [m.recurrent_dropout for m in head.modules() if hasattr(m, "recurrent_dropout")]
    assert set(rates) <= {recurrent}


@pytest.mark.parametrize("name", SOURCES)
def test_training_of_the_source(name: str) -> None:
    settings = make_settings(PRESETS[name].head, PRESETS[name].overrides(C)).model_dump()
    optimizer, batch_size, epochs = TRAINING.get(name, (None, None, None))
    assert settings["optimizer"] == optimizer or optimizer is None
    assert settings["batch_size"] == batch_size or batch_size is None
    assert settings["epochs"] == epochs or epochs is None
    assert settings["learning_rate"] == 1e-3
    assert settings["schedule"] == "constant"
    assert not any(
        settings[name]
        for name in ("warmup", "averaging", "clip", "label_smoothing", "weight_decay")
    )
    assert (settings["loss"], settings["hardest"]) == (
        ("hardest", 16) if name == "B5" else ("cross_entropy", 16)
    )


def test_activations_and_first_weights_of_the_source() -> None:
    torch.manual_seed(0)
    assert isinstance(build("A1").dense.activation, torch.nn.ReLU)
    assert isinstance(build("A2").dense.activation, torch.nn.ELU)
    assert isinstance(build("B3").dense.activation, torch.nn.Sigmoid)
    deviations = [float(layer.weight.detach().std()) for layer in build("B3").dense.layers]
    assert deviations == pytest.approx([0.039, 0.55, 0.55], rel=0.05)
    he = build("B2").dense.layers[0].weight.detach()
    assert float(he.abs().max()) == pytest.approx(np.sqrt(6 / 100), rel=0.01)
    for weight in build("C1").layers[0].directions[0].all_weights[0][:2]:
        for gate in weight.detach().chunk(4):
            small = gate.T @ gate if gate.shape[0] > gate.shape[1] else gate @ gate.T
            assert torch.allclose(small, torch.eye(len(small)), atol=1e-5)


@pytest.mark.parametrize(("classes", "units"), [(2, 1), (7, 1), (8, 2), (14, 3), (62, 15)])
def test_units_from_the_number_of_classes(classes: int, units: int) -> None:
    assert PRESETS["B4"].overrides(classes)["units"] == units


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("garbage", [0.0, float("nan")])
@torch.no_grad()
def test_appended_padding_changes_nothing(name: str, garbage: float) -> None:
    torch.manual_seed(0)
    head = build(name).eval()
    assert isinstance(head, SequenceHead)
    head.inputs.center.uniform_(-1.0, 1.0)
    x, lengths = torch.randn(4, 70, D), torch.tensor([1, 23, 70, 51])
    mask = torch.arange(70) < lengths[:, None]
    x = x.masked_fill(~mask[:, :, None], garbage)
    expected = head(x, mask)
    more = torch.nn.functional.pad(x, (0, 0, 0, 13), value=garbage)
    got = head(more, torch.nn.functional.pad(mask, (0, 13)))
    alone = torch.cat(
        [head(x[i : i + 1, :n], mask[i : i + 1, :n]) for i, n in enumerate(lengths)]
    )
    largest = float(max((got - expected).abs().max(), (alone - expected).abs().max()))
    print(f"largest difference: {largest:.1e}")
    assert largest < 1e-5


def train(name: str) -> TrainedHead:
    problem = marker_problem(48)
    preset = PRESETS[name]
    settings = make_settings(preset.head, {**preset.overrides(3), "epochs": 2})
    rows = (problem.train, problem.validation)
    return fit(
        preset.head, settings, problem.table, problem.labels, *rows, ("a", "b", "c"), seed=1
    )


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_and_repeats_itself(name: str) -> None:
    first, second = train(name), train(name)
    assert len(first.history) == 2
    assert all(np.isfinite(record.train_loss) for record in first.history)
    for key, value in first.state.items():
        assert value.tobytes() == second.state[key].tobytes(), key
        assert np.isfinite(value).all()


def test_names() -> None:
    assert find_preset("b3") is PRESETS["B3"]
    with pytest.raises(SettingError, match="no preset is called 'Z9'; choose one of: A1, A2,"):
        find_preset("Z9")
    check_head("lstm", "B3")
    with pytest.raises(SettingError, match="B3 is one of head lstm, not cnn: leave --head out"):
        check_head("cnn", "B3")
