"""Operations are counted as torch counts them; the report says what was reached."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from features.encoders.description.model import find_model
from features.encoders.roofline import forward_flops, measured_peak
from features.encoding.job import EncodingReport
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.errors import EncoderError
from features.store.store import FeatureStore
from pipeline.encoding.speed import Speed, measure_speed, sequences
from pipeline.encoding.vectors import Vectors
from tests.support.encoders import CountingEncoder
from tests.support.transformers import SENTENCES


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
@pytest.mark.parametrize("tokens", [3, 24])
def test_operations_are_those_that_torch_counts(
    tiny_models: dict[str, Path], family: str, tokens: int
) -> None:
    folder = tiny_models[family]
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    model.pooler = None  # its output is not used
    ids = torch.full((1, tokens), 7)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    config = json.loads((folder / "config.json").read_text())
    assert forward_flops(config, np.array([tokens])) == counter.get_total_flops()
    many = forward_flops(config, np.array([tokens, tokens]), np.array([2, 1]))
    assert many == 3 * counter.get_total_flops()


def test_operations_of_an_unknown_configuration_are_refused() -> None:
    with pytest.raises(EncoderError, match="states none of intermediate_size"):
        forward_flops({"hidden_size": 8, "num_hidden_layers": 1}, np.array([3]))


def test_the_roofline_is_what_a_product_takes() -> None:
    a = torch.ones((1024, 1024))
    taken = []
    for _ in range(4):
        start = time.perf_counter()
        a @ a
        taken.append(time.perf_counter() - start)
    peak = measured_peak("float32")
    assert 0.2 < peak / (2 * 1024**3 / min(taken)) < 20


def encoded(root: Path, folder: Path, *layouts: str) -> Vectors:
    """Vectors of a counting encoder under a real model's specs, with a report made up."""
    model = find_model(str(folder))
    specs = [replace(model.spec(layout), width=4) for layout in layouts]
    spaces = tuple(FeatureStore(root).space(spec) for spec in specs)
    plan = plan_encoding(SENTENCES, spaces)
    report = encode(plan, SENTENCES, spaces, CountingEncoder)
    made_up = EncodingReport(report.encoded, report.tokens, 3.0, 1.0, "torch")
    return Vectors(model, spaces, plan, made_up)


@pytest.mark.parametrize("there", ["pooled", "sentences"])
def test_sequences_are_those_of_the_vectors_that_were_missing(
    tiny_models: dict[str, Path], tmp_path: Path, there: str
) -> None:
    other = {"pooled": "sentences", "sentences": "pooled"}[there]
    alone = sequences(encoded(tmp_path / "alone", tiny_models["bert"], other))
    encoded(tmp_path / "both", tiny_models["bert"], there)
    both = sequences(encoded(tmp_path / "both", tiny_models["bert"], "pooled", "sentences"))
    whole = sequences(encoded(tmp_path / "new", tiny_models["bert"], "pooled", "sentences"))
    for got, expected, more in zip(both, alone, whole, strict=True):
        assert got.tolist() == expected.tolist()
        assert len(more) == 2 * len(SENTENCES)


def test_speed_leaves_out_loading_and_tokens_that_were_cut(
    tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    vectors = encoded(tmp_path, tiny_models["bert"], "pooled", "tokens")
    seen = sum(len(text.split()) for text in SENTENCES)
    assert measure_speed(vectors) == Speed(seen, 2.0, "torch", "float32")
    share = measure_speed(vectors, roofline=True)
    assert share is not None
    assert share.achieved is not None
    assert share.peak is not None
    lengths, counts = sequences(vectors)
    config = json.loads((tiny_models["bert"] / "config.json").read_text())
    assert share.achieved == pytest.approx(forward_flops(config, lengths, counts) / 2.0)
    facts = share.to_dict()
    assert facts["tokens_a_second"] == round(seen / 2, 1)
    assert facts["roofline_share"] == round(share.achieved / share.peak, 3)
    assert f"{seen / 2:,.0f} tokens per second with torch in float32; " in share.to_text()
    assert "GFLOP/s that this machine's matrix products reach" in share.to_text()


def test_the_roofline_is_that_of_the_devices_that_encoded(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def peak(precision: str, device: str) -> float:
        asked.append(device)
        return 1e12

    monkeypatch.setattr("features.encoders.roofline.measured_peak", peak)
    vectors = encoded(tmp_path, tiny_models["bert"], "pooled")
    for devices, expected in (((), 1e12), (("cuda",), 1e12), (("cuda:0", "cuda:1"), 2e12)):
        report = replace(vectors.report, devices=devices)
        speed = measure_speed(replace(vectors, report=report), roofline=True)
        assert speed is not None
        assert speed.peak == expected
    assert asked == ["cpu", "cuda", "cuda:0"]


def test_speed_of_a_run_that_encoded_nothing_is_none(
    tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    encoded(tmp_path, tiny_models["bert"], "pooled")
    again = encoded(tmp_path, tiny_models["bert"], "pooled")
    assert again.report.encoded == 0
    assert measure_speed(again, roofline=True) is None
