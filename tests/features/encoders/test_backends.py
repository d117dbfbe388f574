"""Back ends agree with each other, and the faster one is found out by trying."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from features.encoders.backends import pytorch, selection
from features.encoders.backends.base import Inputs, Run
from features.encoders.backends.selection import FasterBackend
from features.encoders.description.hub import EMBEDDED
from features.encoders.description.model import find_model
from features.encoders.transformer import TransformerEncoder
from features.errors import EncoderError, SettingError
from tests.support.transformers import SENTENCES

TOLERANCE = 1e-5
LEAST_COSINE = 0.9999
MASK = "attention_mask"


def unasked() -> object:
    raise AssertionError("the transformer is not needed yet")


OWN = pytorch.TorchBackend(unasked, {})


def quiet(texts: int, tokens: int) -> None:
    """Nobody watches the progress."""


def made_up_texts(count: int) -> list[str]:
    """Texts of 1 to 60 words, most of them short."""
    rng = np.random.default_rng(0)
    words = np.array(" ".join(SENTENCES).split())
    return [
        " ".join(rng.choice(words, size=1 + int(rng.exponential(12)) % 60))
        for _ in range(count)
    ]


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_openvino_gives_the_hidden_states_of_torch(
    tiny_models: dict[str, Path], family: str
) -> None:
    pytest.importorskip("features.encoders.backends.openvino")
    model = find_model(str(tiny_models[family]))
    specs = [
        model.spec("tokens", (0, 1), dtype="float32"),
        model.spec("pooled", dtype="float32"),
    ]
    one, other = (
        TransformerEncoder(model, "cpu", 40, backend).encode(SENTENCES, specs, quiet)
        for backend in ("torch", "openvino")
    )
    for expected, got in zip(one, other, strict=True):
        assert np.abs(got.values - expected.values).max() < TOLERANCE


@pytest.mark.parametrize(("family", "stops"), [("bert", True), ("xlnet", False)])
def test_torch_runs_no_layer_above_those_asked_for(
    tiny_models: dict[str, Path], family: str, stops: bool
) -> None:
    """XLNet's layers hold their states in another shape, so it runs whole."""
    model = find_model(str(tiny_models[family]))
    encoder = TransformerEncoder(model, "cpu", 20, "torch")
    encoder.backend = pytorch.TorchBackend(encoder._load, {})  # also of a BERT
    specs = [model.spec("tokens", (1,), dtype="float32"), model.spec("tokens", (0, 1))]
    stack = pytorch.stack_of(encoder._load())
    assert stack is not None
    runs = []
    stack[1].register_forward_hook(lambda *given: runs.append(1))
    batches: list[int] = []
    lower = encoder.encode(SENTENCES, specs, lambda texts, tokens: batches.append(texts))
    assert len(batches) > 2
    assert len(runs) == (1 if stops else len(batches)), "only the first batch runs whole"
    both = [*specs, model.spec("pooled", dtype="float32")]
    whole = TransformerEncoder(model, "cpu", 20, "torch").encode(SENTENCES, both, quiet)
    for one, other in zip(lower, whole[:2], strict=True):
        assert np.array_equal(one.values, other.values)


def test_torch_runs_whole_where_the_layers_see_another_shape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a Longformer's do: it pads within, but for lengths of a whole number of windows."""

    class Inner(torch.nn.Module):
        def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
            return hidden_states + 1

    class Windowed(torch.nn.Module):
        config = SimpleNamespace(num_hidden_layers=2)
        device = torch.device("cpu")

        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList([Inner(), Inner()])

        def forward(self, input_ids: torch.Tensor, **given: object) -> SimpleNamespace:
            length = input_ids.shape[1]
            states = torch.nn.functional.pad(input_ids, (0, -length % 4)).float()[..., None]
            hidden = [states]
            for layer in self.layers:
                hidden.append(layer(hidden[-1]))
            cut = tuple(each[:, :length] for each in hidden)
            return SimpleNamespace(hidden_states=cut, last_hidden_state=cut[-1])

    model = Windowed()
    monkeypatch.setattr(pytorch, "shows_layers", lambda transformer: True)
    with pytorch.TorchBackend(lambda: model, {}).running((1,), "float32") as run:
        for length in (4, 3, 8):
            found = run({"input_ids": torch.ones(2, length, dtype=torch.int64)})
            assert found[1].shape == (2, length, 1)
            assert bool((found[1] == 2).all())


def test_openvino_of_the_embedded_encoder_stays_within_the_stated_tolerance() -> None:
    pytest.importorskip("features.encoders.backends.openvino")
    model = find_model(EMBEDDED)
    texts = made_up_texts(200)
    (exact,) = TransformerEncoder(model, "cpu", backend="torch").encode(
        texts, [model.spec("pooled", dtype="float32")], quiet
    )
    encoder = TransformerEncoder(model, "cpu", backend="openvino")
    for precision in ("float32", "bfloat16"):
        spec = model.spec("pooled", dtype="float32", precision=precision)
        (block,) = encoder.encode(texts, [spec], quiet)
        assert encoder.backend.name == "openvino"
        cosine = float((block.values * exact.values).sum(axis=1).min())
        print(f"openvino in {precision}: smallest cosine to float32 torch {cosine:.6f}")
        assert cosine >= LEAST_COSINE


def test_openvino_reports_its_use_to_nobody() -> None:
    pytest.importorskip("features.encoders.backends.openvino")
    converter = importlib.import_module("openvino.tools.ovc.convert_impl")
    assert converter.tm.__name__ == "openvino.tools.ovc.telemetry_stub"


def test_a_model_that_cannot_be_converted_is_one_clear_line(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("features.encoders.backends.openvino")
    module = importlib.import_module("features.encoders.backends.openvino")
    tried = []

    def fail(*args: object, **kwargs: object) -> None:
        tried.append(1)
        raise RuntimeError("no conversion rule for aten::odd\nmore lines")

    monkeypatch.setattr(module.openvino, "convert_model", fail)
    model = find_model(str(tiny_models["bert"]))
    encoder = TransformerEncoder(model, "cpu", backend="openvino")
    with pytest.raises(EncoderError, match=r"converted to OpenVINO \(no .* aten::odd\); pass"):
        encoder.encode(SENTENCES, [model.spec("pooled")], quiet)
    automatic = TransformerEncoder(model, "cpu", backend="auto")
    monkeypatch.setattr(automatic.backend, "_left", 1)
    for _ in range(3):
        automatic.encode(SENTENCES, [model.spec("pooled")], quiet)
    assert automatic.backend.name == "torch"
    assert len(tried) == 2, "once when asked for, once by itself"


def test_a_conversion_that_gives_something_else_is_refused(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a model whose trace does not hold for other texts."""
    module = pytest.importorskip("features.encoders.backends.openvino")
    convert = module.openvino.convert_model

    class Other(module.HiddenStates):  # type: ignore[name-defined,misc]
        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor
        ) -> tuple[torch.Tensor, ...]:
            return tuple(super().forward(input_ids.flip(1), attention_mask))

    def converted(own: torch.nn.Module, example_input: Inputs) -> object:
        return convert(Other(own.transformer, own.options), example_input=example_input)

    monkeypatch.setattr(module.openvino, "convert_model", converted)
    model = find_model(str(tiny_models["bert"]))
    encoder = TransformerEncoder(model, "cpu", backend="openvino")
    with pytest.raises(
        EncoderError, match=r"does not give .* \(cosine 0\.\d+ in layer 2\); pass"
    ):
        encoder.encode(SENTENCES, [model.spec("pooled")], quiet)


def test_openvino_that_is_missing_or_on_a_gpu_is_refused_and_auto_takes_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_gpu, on_cpu = torch.device("cuda:0"), torch.device("cpu")
    with pytest.raises(SettingError, match=r"runs on the processor.*cuda:0"):
        selection.make_backend("openvino", OWN, unasked, on_gpu, {})
    assert selection.make_backend("auto", OWN, unasked, on_gpu, {}).name == "torch"
    monkeypatch.setattr(selection, "installed", lambda: False)
    with pytest.raises(SettingError, match=r"pip install 'manyheads\[openvino\]'"):
        selection.make_backend("openvino", OWN, unasked, on_cpu, {})
    assert selection.make_backend("auto", OWN, unasked, on_cpu, {}) is OWN


def test_an_openvino_that_does_not_work_here_is_one_line_and_auto_stays_with_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(name: str) -> object:
        raise RuntimeError("libtbb.so:\nno such file")

    monkeypatch.setattr(selection, "installed", lambda: True)
    monkeypatch.setattr(selection.importlib, "import_module", broken)
    on_cpu = torch.device("cpu")
    with pytest.raises(EncoderError, match=r"does not work here \(libtbb.so: no such file\)"):
        selection.make_backend("openvino", OWN, unasked, on_cpu, {})
    automatic = selection.make_backend("auto", OWN, unasked, on_cpu, {})
    assert isinstance(automatic, FasterBackend)
    assert automatic._faster((1,), "float32").name == "torch"


class Timed:
    """A back end whose forward pass takes a given time on a clock of its own."""

    now = 0.0

    def __init__(self, name: str, seconds: float) -> None:
        self.name, self.seconds = name, seconds
        self.runs = 0

    @contextmanager
    def running(self, layers: Sequence[int], precision: str) -> Iterator[Run]:
        def run(inputs: Inputs) -> dict[int, torch.Tensor]:
            self.runs += 1
            Timed.now += self.seconds
            return {}

        yield run


@pytest.mark.parametrize(("seconds", "chosen"), [(0.5, "openvino"), (0.99, "torch")])
def test_auto_changes_after_enough_work_and_only_for_the_faster_one(
    seconds: float, chosen: str
) -> None:
    first, other = Timed("torch", 1.0), Timed("openvino", seconds)
    backend = FasterBackend(first, lambda: other, pays_after=100, clock=lambda: Timed.now)
    inputs = {"input_ids": torch.zeros((5, 10), dtype=torch.int64)}
    names = []
    for _ in range(4):
        with backend.running([1], "float32") as run:
            run(inputs)
        names.append(backend.name)
    assert names == ["torch", "torch", chosen, chosen]
    tried = other.runs
    with backend.running([1], "float32") as run:
        run(inputs)
    assert other.runs == tried + (chosen == "openvino"), "it is tried once only"
    with backend.running([1], "bfloat16") as run:
        run(inputs)
    assert other.runs > tried + 1, "and once more for other work"


def test_auto_changes_within_one_long_unit_of_work() -> None:
    first, other = Timed("torch", 1.0), Timed("openvino", 0.5)
    backend = FasterBackend(first, lambda: other, pays_after=100, clock=lambda: Timed.now)
    inputs = {"input_ids": torch.zeros((5, 10), dtype=torch.int64)}
    names = []
    with backend.running([1], "float32") as run:
        for _ in range(4):
            run(inputs)
            names.append(backend.name)
        tried = other.runs
        run(inputs)
    assert names == ["torch", "torch", "openvino", "openvino"]
    assert other.runs == tried + 1


def test_a_slow_encoder_is_tried_on_some_texts() -> None:
    class PerText(Timed):
        @contextmanager
        def running(self, layers: Sequence[int], precision: str) -> Iterator[Run]:
            def run(inputs: Inputs) -> dict[int, torch.Tensor]:
                texts = len(inputs["attention_mask"])
                sizes.append(texts)
                Timed.now += texts * self.seconds
                return {}

            yield run

    sizes: list[int] = []
    inputs = {name: torch.zeros((40, 5), dtype=torch.int64) for name in ("input_ids", MASK)}
    backends = [PerText("torch", 0.25), PerText("openvino", 0.125)]
    found = selection.trial(backends, inputs, [1], "float32", lambda: Timed.now)
    assert found == [1.0, 0.5]
    assert sizes[:2] == [40, 40]
    assert set(sizes[2:]) == {4}
