"""What a run learned about an encoder is used by the next one, and is never stale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from features.encoders import transformer
from features.encoders.backends.known import CONVERTED, GRAPH, Known
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.transformer import TransformerEncoder
from features.errors import EncoderError
from features.storage.location import user_folder
from tests.support.transformers import SENTENCES, save_bert

openvino = pytest.importorskip("features.encoders.backends.openvino")


def encoded(model: EncoderModel, backend: str, layers: tuple[int, ...] = (1,)) -> np.ndarray:
    """The token vectors of a fresh encoder, which must have run in OpenVINO unless torch is
    asked for."""
    encoder = TransformerEncoder(model, "cpu", backend=backend)
    spec = model.spec("tokens", layers, dtype="float32")
    (block,) = encoder.encode(SENTENCES, [spec], lambda texts, tokens: None)
    assert encoder.backend.name == ("torch" if backend == "torch" else "openvino")
    return block.values


def known(model: EncoderModel) -> Known:
    return Known(model, torch.get_num_threads())


def never(*arguments: object) -> object:
    raise AssertionError("the transformer was loaded")


@pytest.fixture
def model(tiny_models: dict[str, Path]) -> EncoderModel:
    return find_model(str(tiny_models["bert"]))


def graphs() -> list[Path]:
    return sorted((user_folder() / CONVERTED).glob(f"*/{GRAPH}"))


def test_the_next_run_neither_loads_nor_converts(
    model: EncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encoded(model, "openvino")
    assert np.abs(expected - encoded(model, "torch")).max() < 1e-5
    assert known(model).segments() is not None
    with monkeypatch.context() as patch:
        patch.setattr(transformer, "load_transformer", never)
        assert np.array_equal(encoded(model, "openvino"), expected)
        with pytest.raises(EncoderError, match="was loaded"):  # not compared with torch yet
            encoded(model, "openvino", (2,))
    other = encoded(model, "openvino", (2,))
    monkeypatch.setattr(transformer, "load_transformer", never)
    assert np.array_equal(encoded(model, "openvino", (2,)), other)
    assert len(graphs()) == 1


def test_auto_begins_with_what_was_faster(
    model: EncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encoded(model, "openvino")
    known(model).note_seconds((1,), "float32", (1.0, 2.0))
    slower = TransformerEncoder(model, "cpu", backend="auto")
    monkeypatch.setattr(slower.backend, "_left", 0)
    spec = model.spec("tokens", (1,), dtype="float32")
    slower.encode(SENTENCES, [spec], lambda texts, tokens: None)
    assert slower.backend.name == "torch"
    known(model).note_seconds((1,), "float32", (2.0, 1.0))
    monkeypatch.setattr(transformer, "load_transformer", never)
    assert np.array_equal(encoded(model, "auto"), expected)


def test_auto_checks_what_it_begins_with_and_leaves_what_fails(
    model: EncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded(model, "openvino")
    known(model).note_seconds((1,), "float32", (2.0, 1.0))
    spec = model.spec("tokens", (1,), dtype="float32")
    expected = encoded(model, "torch")

    refused = TransformerEncoder(model, "cpu", backend="auto")
    asked = []

    def check(other: object, layers: Sequence[int], precision: str) -> None:
        asked.append((tuple(layers), precision))
        raise EncoderError("other vectors")

    monkeypatch.setattr(refused.backend, "check", check)
    (block,) = refused.encode(SENTENCES, [spec], lambda texts, tokens: None)
    assert asked == [((1,), "float32")]
    assert refused.backend.name == "torch"
    assert np.array_equal(block.values, expected)

    def fails(*arguments: object) -> object:
        raise EncoderError("cannot be compiled")

    monkeypatch.setattr(openvino.OpenVinoBackend, "_compile", fails)
    failing = TransformerEncoder(model, "cpu", backend="auto")
    (block,) = failing.encode(SENTENCES, [spec], lambda texts, tokens: None)
    assert failing.backend.name == "torch"
    assert np.array_equal(block.values, expected)


def test_auto_keeps_what_it_measured(
    model: EncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = TransformerEncoder(model, "cpu", backend="auto")
    monkeypatch.setattr(encoder.backend, "_left", 1)
    spec = model.spec("tokens", (1,), dtype="float32")
    for _ in range(2):
        encoder.encode(SENTENCES, [spec], lambda texts, tokens: None)
    seconds = known(model).seconds((1,), "float32")
    assert seconds is not None
    assert min(seconds) > 0
    assert known(model).seconds((2,), "float32") is None
    assert known(model).seconds((1,), "bfloat16") is None
    assert Known(model, 99).seconds((1,), "float32") is None


def test_what_holds_for_layers_together_holds_for_each(
    model: EncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = encoded(model, "openvino", (1, 2))
    known(model).note_seconds((2,), "float32", (9.0, 8.0))
    known(model).note_seconds((1, 2), "float32", (2.0, 1.0))
    assert known(model).seconds((1,), "float32") == (2.0, 1.0)
    assert known(model).seconds((2,), "float32") == (9.0, 8.0), "it was measured"
    assert known(model).seconds((0,), "float32") is None
    monkeypatch.setattr(transformer, "load_transformer", never)
    one = encoded(model, "auto", (1,))
    assert np.abs(one - both[:, : one.shape[1]]).max() < 1e-5


@pytest.mark.parametrize(
    ("reason", "again"), [("other vectors", False), ("bad_alloc: not enough memory", True)]
)
def test_auto_remembers_that_the_other_gives_other_vectors(
    model: EncoderModel, monkeypatch: pytest.MonkeyPatch, reason: str, again: bool
) -> None:
    asked: list[tuple[int, ...]] = []

    def check(other: object, layers: Sequence[int], precision: str) -> None:
        asked.append(tuple(layers))
        raise EncoderError(reason)

    for _ in range(2):
        encoder = TransformerEncoder(model, "cpu", backend="auto")
        monkeypatch.setattr(encoder.backend, "_left", 0)
        monkeypatch.setattr(encoder.backend, "check", check)
        spec = model.spec("tokens", (1,), dtype="float32")
        encoder.encode(SENTENCES, [spec], lambda texts, tokens: None)
        assert encoder.backend.name == "torch"
    assert asked == [(1,)] * (2 if again else 1)


@pytest.mark.parametrize("name", [GRAPH, "model.bin"])
def test_a_damaged_conversion_is_made_again(model: EncoderModel, name: str) -> None:
    expected = encoded(model, "openvino")
    (graph,) = graphs()
    path = graph.with_name(name)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + b"\1" + whole[-8:])
    assert known(model).conversion() is None
    assert np.array_equal(encoded(model, "openvino"), expected)
    assert known(model).conversion() == graph
    path.unlink()
    assert np.array_equal(encoded(model, "openvino"), expected)


def test_other_weights_have_a_conversion_of_their_own(
    model: EncoderModel, tmp_path: Path
) -> None:
    expected = encoded(model, "openvino")
    other = find_model(str(save_bert(tmp_path / "other", seed=1)))
    assert known(other).segments() is None
    assert np.abs(encoded(other, "openvino") - encoded(other, "torch")).max() < 1e-5
    assert np.abs(encoded(other, "openvino") - expected).max() > 1e-2
    assert len(graphs()) == 2


def test_nothing_is_kept_of_own_code_nor_where_nothing_can_be(
    model: EncoderModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = known(replace(model, trust_remote_code=True))
    own.note_checked((1,), "float32")
    assert not own.checked((1,), "float32")
    assert not own.keep(lambda graph: graph.write_text("graph"), segments=True)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        assert np.abs(encoded(model, "openvino") - encoded(model, "torch")).max() < 1e-5
    assert known(model).segments() is None
