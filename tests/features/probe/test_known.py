"""A probe is made once per encoder and kind of vectors on a machine, not for every space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.encoders.description.model import EncoderModel, find_model
from features.encoders.transformer import TransformerEncoder
from features.probe import known, probe, reference
from features.probe.probe import prepare
from features.store.manifest import read_manifest
from features.store.space import Space
from features.store.store import FeatureStore
from tests.support import transformers


def never(*arguments: object) -> list[np.ndarray]:
    raise AssertionError("probed a second time")


def prepared(root: Path, model: EncoderModel, layer: int = 1) -> Space:
    space = FeatureStore(root).space(model.spec("tokens", (layer,), dtype="float32"))
    prepare(TransformerEncoder(model, "cpu", backend="torch"), [space], lambda line: None)
    return space


def test_another_space_of_the_same_kind_is_not_probed(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = find_model(str(encoder))
    first = prepared(tmp_path / "first", model)
    monkeypatch.setattr(reference, "reference_vectors", never)
    second = prepared(tmp_path / "second", model)
    probes = [read_manifest(Path(str(space.folder))).probes for space in (first, second)]
    assert probes[0].keys() == probes[1].keys() == {"torch on cpu"}
    for one, other in zip(probes[0].values(), probes[1].values(), strict=True):
        assert one.to_dict() == other.to_dict()
    with pytest.raises(Exception, match="probed a second time"):
        prepared(tmp_path / "third", model, layer=2)


@pytest.mark.parametrize(
    "changes", [{"weights": "1" * 64}, {"tokenizer": "1" * 64}, {"trust_remote_code": True}]
)
def test_the_probe_of_another_encoder_is_not_taken(
    encoder: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    model = find_model(str(encoder))
    space = prepared(tmp_path / "first", model)
    loaded = TransformerEncoder(model, "cpu", backend="torch")
    plain = [probe.whole(space.spec)]
    assert known.find(loaded, plain, "torch on cpu")
    assert known.find(loaded, plain, "openvino on cpu") is None
    loaded.model = replace(model, **changes)  # type: ignore[arg-type]
    assert known.find(loaded, plain, "torch on cpu") is None


def test_a_probe_that_calls_for_something_is_made_again(tmp_path: Path) -> None:
    model = find_model(str(transformers.save_fnet(tmp_path / "fnet")))
    space = prepared(tmp_path / "first", model)
    loaded = TransformerEncoder(model, "cpu", backend="torch")
    assert known.find(loaded, [probe.whole(space.spec)], "torch on cpu") is None
