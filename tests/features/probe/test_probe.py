"""The probe: what padding, a back end, a precision or a wrong path would change is found."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from features import FeatureStore, encode, load_encoder
from features.encoders.backends.base import Inputs, Run
from features.encoders.backends.bert import BertBackend
from features.encoders.backends.selection import FasterBackend
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.transformer import TransformerEncoder
from features.encoding.plan import plan_encoding
from features.encoding.processes import encode_on_devices
from features.encoding.recheck import compare_sample
from features.errors import EncoderError
from features.probe import reference
from features.probe.probe import prepare
from features.store.manifest import SpaceManifest, read_manifest
from features.store.space import Space
from features.vectors.agreement import Agreement
from features.vectors.spec import FeatureSpec
from pipeline.encoding.vectors import load_encoder as load_real
from tests.support import transformers
from tests.support.s3 import S3Server
from tests.support.transformers import SENTENCES

EXACT = {"dtype": "float32", "precision": "float32"}


@pytest.fixture(scope="module")
def fnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformers.save_fnet(tmp_path_factory.mktemp("fnet") / "fnet")


def opened(root: Path, model: EncoderModel, precision: str = "float32") -> list[Space]:
    layouts = ("pooled", "tokens")
    specs = [model.spec(each, dtype="float32", precision=precision) for each in layouts]
    return [FeatureStore(root).space(spec) for spec in specs]


def never(*arguments: object) -> list[np.ndarray]:
    raise AssertionError("probed a second time")


def test_a_model_that_padding_changes_is_encoded_unpadded_now_and_later(
    fnet: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, model = FeatureStore(tmp_path), find_model(str(fnet))
    first = encode(SENTENCES[:4], load_encoder(fnet), store, **EXACT)
    assert "change with padding" in caplog.text
    spec = model.spec("pooled", **EXACT)
    expected = reference.reference_vectors(model, SENTENCES, spec, "cpu")
    monkeypatch.setattr(reference, "reference_vectors", never)
    rest = encode(SENTENCES, load_encoder(fnet), store, **EXACT)
    assert np.abs(first.values - np.stack(expected)[:4]).max() < 1e-5
    assert np.abs(rest.values - np.stack(expected)).max() < 1e-5
    manifest = read_manifest(tmp_path / spec.fingerprint)
    (found,) = manifest.probes.values()
    assert manifest.unpadded
    assert found.padded is not None
    assert found.difference < 1e-5 < 1e-2 < found.padded


def test_the_probe_of_a_cache_on_object_storage_serves_the_next_machine(
    fnet: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore("s3://bucket/cache")
    first = encode(SENTENCES[:2], load_encoder(fnet), store, **EXACT)
    monkeypatch.setattr(reference, "reference_vectors", never)
    table = encode(SENTENCES[:3], load_encoder(fnet), store, **EXACT)
    assert np.array_equal(table.values[:2], first.values)
    fingerprint = find_model(str(fnet)).spec("pooled", **EXACT).fingerprint
    assert read_manifest(store.root / fingerprint).unpadded


def test_a_worker_and_a_later_comparison_do_the_same(fnet: Path, tmp_path: Path) -> None:
    model = find_model(str(fnet))
    spaces = opened(tmp_path, model)
    load = partial(load_real, model, "torch")
    encode_on_devices(plan_encoding(SENTENCES, spaces), SENTENCES, spaces, load, ("cpu",))
    for space in opened(tmp_path, model):
        assert read_manifest(space.folder).unpadded
        assert compare_sample(space, SENTENCES, load(), 7) == (7, [])


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_an_ordinary_model_is_padded_and_its_difference_is_noted(
    tiny_models: dict[str, Path], tmp_path: Path, family: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = find_model(str(tiny_models[family]))
    encoder, spaces = TransformerEncoder(model, "cpu", backend="torch"), opened(tmp_path, model)
    prepare(encoder, spaces)
    assert not encoder.unpadded
    assert not caplog.text
    for space in spaces:
        assert read_manifest(space.folder).probes["torch on cpu"].difference < 1e-5


def test_cards_of_earlier_versions_and_of_this_one_are_read(
    tiny_models: dict[str, Path],
) -> None:
    spec = find_model(str(tiny_models["bert"])).spec("pooled")
    old = json.dumps({"model": "m", "spec": spec.to_dict()}).encode()
    assert SpaceManifest.from_bytes(old) == SpaceManifest(spec, "m")
    for padded in (None, 0.25, float("inf")):
        manifest = SpaceManifest(
            spec, "m", {"torch on cpu": Agreement(1.5e-7, 0.9999999, padded)}
        )
        assert SpaceManifest.from_bytes(manifest.to_bytes()) == manifest
        assert "Infinity" not in manifest.to_bytes().decode()


class Wrong:
    """A back end under OpenVINO's name that gives something else than torch."""

    name = "openvino"

    def __init__(self, own: BertBackend, factor: float) -> None:
        self.own, self.factor = own, factor

    @contextmanager
    def running(self, layers: Sequence[int], precision: str) -> Iterator[Run]:
        with self.own.running(layers, precision) as run:

            def other(inputs: Inputs) -> dict[int, torch.Tensor]:
                hidden = {layer: each.clone() for layer, each in run(inputs).items()}
                for each in hidden.values():
                    each[:, 0] *= self.factor
                return hidden

            yield other


@pytest.mark.parametrize(
    ("factor", "message"), [(float("nan"), "NaN or infinite"), (-1.0, r"smallest cosine -?\d")]
)
def test_a_back_end_that_gives_something_else_is_refused_and_auto_stays_in_torch(
    tiny_models: dict[str, Path],
    tmp_path: Path,
    factor: float,
    message: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, cache = find_model(str(tiny_models["bert"])), tmp_path / "cache"
    encoder = TransformerEncoder(model, "cpu", backend="torch")
    own = encoder.on_torch().backend
    encoder.backend = Wrong(own, factor)
    with pytest.raises(EncoderError, match=rf"OpenVINO.*{message}.*pass --backend torch"):
        prepare(encoder, opened(cache, model))
    assert not [*cache.glob("*")], "nothing is left of what was refused"
    encoder.backend = FasterBackend(own, lambda: Wrong(own, factor), pays_after=0)
    spaces = opened(cache, model)
    prepare(encoder, spaces)
    specs = [space.spec for space in spaces]
    for block in encoder.encode(SENTENCES, specs, lambda texts, tokens: None):
        assert np.isfinite(block.values).all()
    assert encoder.backend.name == "torch"
    assert re.search(rf"\({message}.*\), so torch runs it", caplog.text)
    assert list(read_manifest(spaces[0].folder).probes) == ["torch on cpu"]


class FasterBefore:
    """What is known once a run has converted the model and found OpenVINO to be faster."""

    def seconds(self, layers: Sequence[int], precision: str) -> tuple[float, float]:
        return 2.0, 1.0

    def segments(self) -> bool:
        return True

    def checked(self, layers: Sequence[int], precision: str) -> bool:
        return True


def test_where_openvino_is_known_to_be_faster_the_probe_is_known_as_well(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = find_model(str(tiny_models["bert"]))
    encoder = TransformerEncoder(model, "cpu", backend="torch")
    own = encoder.on_torch().backend
    for place in ("first", "second", "second"):
        known: Any = FasterBefore()
        encoder.backend = FasterBackend(own, lambda: Wrong(own, 1.0), known=known)
        spaces = opened(tmp_path / place, model, "bfloat16")
        prepare(encoder, spaces)
        specs = [space.spec for space in spaces]
        encoder.encode(SENTENCES, specs, lambda texts, tokens: None)
        assert encoder.backend.name == "openvino"
        assert list(read_manifest(spaces[0].folder).probes) == ["torch on cpu"]
        monkeypatch.setattr(reference, "reference_vectors", never)


def test_a_precision_that_gives_something_else_is_refused(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = find_model(str(tiny_models["bert"]))
    running = BertBackend.running

    @contextmanager
    def coarse(self: BertBackend, layers: Sequence[int], precision: str) -> Iterator[Run]:
        with running(self, layers, precision) as run:
            scale = 0.0 if precision == "float32" else 5.0
            yield lambda inputs: {layer: each + scale for layer, each in run(inputs).items()}

    monkeypatch.setattr(BertBackend, "running", coarse)
    encoder = TransformerEncoder(model, "cpu", backend="torch")
    with pytest.raises(EncoderError, match=r"in bfloat16.*pass --precision float32"):
        prepare(encoder, opened(tmp_path, model, "bfloat16"))
    prepare(encoder, opened(tmp_path, model))


def test_coarse_rounding_is_said_and_no_reason_to_refuse(
    tiny_models: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As of models whose hidden states are large."""
    running = BertBackend.running

    @contextmanager
    def coarse(self: BertBackend, layers: Sequence[int], precision: str) -> Iterator[Run]:
        with running(self, layers, precision) as run:
            scale = 0.0 if precision == "float32" else 0.1
            yield lambda inputs: {
                layer: each + scale * each.roll(1, -1) for layer, each in run(inputs).items()
            }

    monkeypatch.setattr(BertBackend, "running", coarse)
    model = find_model(str(tiny_models["bert"]))
    encoder, spaces = TransformerEncoder(model, "cpu"), opened(tmp_path, model, "bfloat16")
    prepare(encoder, spaces)
    cosine = min(read_manifest(space.folder).probes["torch on cpu"].cosine for space in spaces)
    assert 0.98 < cosine < 0.999
    assert f"to a cosine of {cosine:.4f}; --precision float32" in caplog.text


def test_vectors_that_are_not_the_reference_librarys_are_refused_in_one_line(
    tiny_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a model whose settings this version does not know."""
    real = reference.reference_vectors
    folder = tiny_models["bert"]

    def shifted(model: EncoderModel, texts: Sequence[str], spec: FeatureSpec, device: str):  # type: ignore[no-untyped-def]
        return [vectors + 0.05 for vectors in real(model, texts, spec, device)]

    def broken(*arguments: object) -> list[np.ndarray]:
        raise KeyError("odd\nsetting")

    def nothing(model: EncoderModel, texts: Sequence[str], spec: FeatureSpec, device: str):  # type: ignore[no-untyped-def]
        return [np.full_like(each, np.nan) for each in real(model, texts, spec, device)]

    for answer, message in (
        (shifted, r"\(pooled\) would not be those.*choose another with --encoder"),
        (broken, r"cannot be compared with sentence-transformers.*odd"),
        (nothing, r"gives NaN or infinite numbers for every text"),
    ):
        monkeypatch.setattr(reference, "reference_vectors", answer)
        with pytest.raises(EncoderError, match=message) as error:
            encode(SENTENCES, load_encoder(folder), FeatureStore(tmp_path / "cache"))
        assert "\n" not in str(error.value)
        assert not list((tmp_path / "cache").iterdir())


def test_vectors_from_before_the_probe_are_doubted_where_padding_matters(
    fnet: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, model = FeatureStore(tmp_path), find_model(str(fnet))
    encode(SENTENCES[:2], load_encoder(fnet), store, **EXACT)
    space = store.space(model.spec("pooled", **EXACT))
    (space.folder / "space.json").write_bytes(SpaceManifest(space.spec, "m").to_bytes())
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        encode(SENTENCES, load_encoder(fnet), store, **EXACT)
    assert "the 2 texts in" in caplog.text
    assert "manyheads verify" in caplog.text
