"""A batch that does not fit halves the token budget; a text that does not fit is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from features.encoders.backends import bert
from features.encoders.backends.base import Inputs
from features.encoders.backends.bert import Bert
from features.encoders.batching import run_batches
from features.encoders.description.model import find_model
from features.encoders.transformer import TransformerEncoder
from features.errors import DeviceMemoryError
from tests.support.transformers import SENTENCES

LENGTHS = np.array([3, 30, 7, 12, 1, 12, 5, 8], dtype=np.int32)

ERRORS = {
    "CUDA": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "processor": RuntimeError(
        "DefaultCPUAllocator: can't allocate memory: 1099511627776 bytes"
    ),
    "OpenVINO": RuntimeError("Exception from src/inference: std::bad_alloc"),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
    "Python": MemoryError(),
}


class Memory:
    """Fits batches up to so many padded tokens, and remembers what was tried and done."""

    def __init__(self, most: int, error: BaseException) -> None:
        self.most, self.error = most, error
        self.tried: list[int] = []
        self.done: list[int] = []

    def run(self, rows: np.ndarray) -> None:
        size = len(rows) * int(LENGTHS[rows].max())
        self.tried.append(size)
        if size > self.most:
            raise self.error
        self.done += rows.tolist()


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
def test_the_budget_is_halved_until_all_fit_and_each_text_runs_once(
    error: BaseException,
) -> None:
    memory = Memory(35, error)
    budget = run_batches(LENGTHS, 1000, memory.run, str)
    assert sorted(memory.done) == list(range(len(LENGTHS)))
    assert memory.tried[:4] == [240, 120, 60, 30]
    assert budget == 30
    again = Memory(35, error)
    assert run_batches(LENGTHS, budget, again.run, str) == 30
    assert max(again.tried) <= 35


def test_a_text_that_does_not_fit_alone_is_named_and_ends_the_run() -> None:
    memory = Memory(20, MemoryError())
    with pytest.raises(DeviceMemoryError, match="text 1 does not fit in memory by itself"):
        run_batches(LENGTHS, 1000, memory.run, lambda row: f"text {row}")
    assert memory.done == []


def test_other_errors_pass_through_unchanged() -> None:
    error = RuntimeError("size of tensor a must match")
    with pytest.raises(RuntimeError, match="must match"):
        run_batches(LENGTHS, 1000, Memory(0, error).run, str)


def small(most: int, forward: Callable[..., object]) -> Callable[..., object]:
    """A forward pass on a device that holds so many tokens."""

    def limited(own: Bert, inputs: Inputs, layers: Sequence[int]) -> object:
        if inputs["input_ids"].numel() > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(own, inputs, layers)

    return limited


def test_an_encoder_short_of_memory_gives_the_same_vectors(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = find_model(str(tiny_models["bert"]))
    specs = [model.spec(layout, dtype="float32") for layout in ("pooled", "tokens")]
    counted: list[int] = []
    plenty = TransformerEncoder(model, "cpu", 10_000).encode(SENTENCES, specs, lambda *_: None)
    encoder = TransformerEncoder(model, "cpu", 10_000)
    forward = Bert.hidden_states
    monkeypatch.setattr(Bert, "hidden_states", small(60, forward))
    blocks = encoder.encode(SENTENCES, specs, lambda texts, _: counted.append(texts))
    assert encoder.token_budget <= 60
    assert sum(counted) == len(SENTENCES)
    for block, expected in zip(blocks, plenty, strict=True):
        assert np.abs(block.values - expected.values).max() < 1e-5
    monkeypatch.setattr(Bert, "hidden_states", small(4, forward))
    with pytest.raises(DeviceMemoryError, match=r"a text of \d+ tokens \('the quick brown fox"):
        encoder.encode(SENTENCES, specs, lambda *_: None)


def full(*arguments: object, **named: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_an_encoder_that_does_not_fit_on_the_device_is_one_line(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(DeviceMemoryError, match="does not fit in the free memory of cpu"):
        TransformerEncoder(find_model(str(tiny_models["xlnet"])), "cpu")
    model = find_model(str(tiny_models["bert"]))
    encoder = TransformerEncoder(model, "cpu", backend="torch")
    monkeypatch.setattr(bert, "safe_open", full)
    with pytest.raises(DeviceMemoryError, match="does not fit in the free memory of cpu"):
        encoder.encode(SENTENCES, [model.spec("pooled")], lambda *_: None)
