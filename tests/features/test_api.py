"""The Python API: lazy, small, and what docs/api.md says."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import features
from features import FeatureEncoder, FeatureStore, encode, load_encoder
from features.encoders.segmentation import language_of
from features.encoders.transformer import TransformerEncoder
from features.errors import EncoderError, SettingError
from features.store.inventory import manifests
from tests.support.transformers import SENTENCES

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that any real encoder is given."""
    seen: list[str] = []
    real = TransformerEncoder.encode_some

    def encode_and_count(self, texts, specs, on_batch, enough):  # type: ignore[no-untyped-def]
        seen.extend(texts)
        return real(self, texts, specs, on_batch, enough)

    monkeypatch.setattr(TransformerEncoder, "encode_some", encode_and_count)
    return seen


def test_importing_features_is_light() -> None:
    script = (
        "import sys, features; from features import FeatureStore, load_encoder, encode\n"
        "load_encoder()\n"
        "heavy = {'torch', 'transformers', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import features.encoding.serial; from features import encode; assert "
        "callable(encode)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY)
    assert set(features.__all__) <= set(dir(features))
    assert all(getattr(features, name) for name in features.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        features.nothing  # noqa: B018


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_encode_gives_vectors_in_order_and_once(
    tiny_models: dict[str, Path], tmp_path: Path, counted: list[str], dtype: str
) -> None:
    encoder, store = load_encoder(tiny_models["bert"]), FeatureStore(tmp_path)
    texts = [*SENTENCES, *SENTENCES[::-1]]
    options = {"layout": "tokens", "layers": [-1, 0], "dtype": dtype, "precision": "float32"}
    table = encode(texts, encoder, store, **options)  # type: ignore[arg-type]
    assert counted == SENTENCES
    assert len(table) == len(texts)
    assert table.width == 32
    for row in range(len(SENTENCES)):
        assert np.array_equal(table.sequence(row), table.sequence(len(texts) - 1 - row))
    again = encode(SENTENCES, load_encoder(tiny_models["bert"]), store, **options)  # type: ignore[arg-type]
    assert counted == SENTENCES
    assert np.array_equal(again.values, table.values[: len(again.values)])


def test_wrong_settings_are_named(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    encoder, store = load_encoder(tiny_models["bert"]), FeatureStore(tmp_path)
    with pytest.raises(SettingError, match=r"'int4'.*int8"):
        encode(SENTENCES, encoder, store, dtype="int4")
    with pytest.raises(SettingError, match="unknown layout 'words'"):
        encode(SENTENCES, encoder, store, layout="words")
    with pytest.raises(EncoderError, match="no encoder folder"):
        load_encoder("./nowhere")
    with pytest.raises(SettingError, match="put it in a list"):
        FeatureEncoder().transform("one text")
    with pytest.raises(SettingError, match="row 2 is float nan"):
        FeatureEncoder().fit(["a", float("nan")])
    with pytest.raises(SettingError, match=r"one column of texts; got .* shape \(2, 2\)"):
        FeatureEncoder().fit(np.array([["a", "b"], ["c", "d"]]))
    FeatureEncoder().fit(np.array([["a"], ["b"]]))


def test_cross_validation_encodes_every_text_once(
    tiny_models: dict[str, Path], tmp_path: Path, counted: list[str]
) -> None:
    texts = [f"{text} {i}" for i in range(6) for text in SENTENCES]
    labels = [int("a" in text) for text in texts]
    encoder = FeatureEncoder(tiny_models["bert"], cache=tmp_path, dtype="float32")
    model = make_pipeline(encoder, LogisticRegression(max_iter=1000))
    scores = cross_val_score(model, texts, labels, cv=3)
    assert len(scores) == 3
    assert np.isfinite(scores).all()
    assert sorted(counted) == sorted(texts)
    fitted = clone(encoder).fit(np.array(texts))
    vectors = fitted.transform(np.array(texts))
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), 16) == (len(texts), fitted.n_features_out_)
    assert fitted.get_feature_names_out()[-1] == "vector15"
    copied = pickle.loads(pickle.dumps(fitted))  # noqa: S301  (as joblib does for its workers)
    assert np.array_equal(copied.transform(texts), vectors)
    assert sorted(counted) == sorted(texts)


def test_the_transformer_passes_language_and_back_end_on(
    tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tiny_models["bert"]
    with pytest.raises(SettingError, match="unknown --backend 'onnx'"):
        FeatureEncoder(folder, backend="onnx").fit(["a"])
    chinese = FeatureEncoder(folder, layout="sentences", language="zh", cache=tmp_path)
    chinese.transform(["a cat。rain。"])
    (manifest,) = manifests(tmp_path)
    assert language_of(manifest.spec.segmentation) == "zh"
