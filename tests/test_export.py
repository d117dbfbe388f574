"""Every form of export gives back the cached vectors, in corpus order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import export as module
from features.corpus import Corpus
from features.encoding import encode, plan_encoding
from features.errors import SettingError
from features.export import FORMATS, SUFFIXES, check_export, export
from features.spec import text_keys
from features.store import FeatureStore, Space
from tests.counting import CountingEncoder, fake_vectors, spec

ORDER = [f"text number {i % 17} " + "word " * (i % 5) for i in range(60)]
CORPUS = Corpus(tuple(ORDER), tuple("ab"[i % 2] for i in range(60)))


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE_TEXTS", 7)


def filled(root: Path, layout: str, dtype: str = "float16") -> Space:
    space = FeatureStore(root).space(spec(layout, dtype=dtype))
    encode(plan_encoding(ORDER[::-1], [space]), ORDER[::-1], [space], CountingEncoder)
    return space


def read(path: Path, form: str) -> pa.Table:
    if form == "parquet":
        return pq.read_table(path)
    if form == "arrow":
        return pa.ipc.open_file(path).read_all()
    return pa.ipc.open_stream(path / "data-00000-of-00001.arrow").read_all()


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
@pytest.mark.parametrize("form", ["arrow", "parquet", "hf"])
def test_columns(tmp_path: Path, layout: str, form: str) -> None:
    path = tmp_path / f"out{SUFFIXES[form]}"
    done = export(filled(tmp_path / "cache", layout), CORPUS, path, form)
    table = read(path, form)
    assert table.column_names == ["text", "label", "vectors"]
    assert table["text"].to_pylist() == ORDER
    assert table["label"].to_pylist() == list(CORPUS.labels or ())
    kind = table.schema.field("vectors").type
    inner = kind if layout == "pooled" else kind.value_type
    assert pa.types.is_fixed_size_list(inner)
    assert inner.list_size == 4
    assert inner.value_type == (pa.float32() if form == "parquet" else pa.float16())
    rows = 0
    for text, got in zip(ORDER, table["vectors"].to_pylist(), strict=True):
        expected = fake_vectors(text, layout, 8)
        assert np.array_equal(np.reshape(got, (-1, 4)), expected)
        rows += len(expected)
    assert (done.texts, done.rows, done.width) == (60, rows, 4)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
def test_npy(tmp_path: Path, layout: str, dtype: str) -> None:
    space = filled(tmp_path / "cache", layout, dtype)
    done = export(space, CORPUS, tmp_path / "out.npy", "npy")
    values = np.load(tmp_path / "out.npy", mmap_mode="r")
    table = space.table(text_keys(ORDER))
    assert values.dtype == table.values.dtype
    assert np.array_equal(values, table.values)
    if layout == "pooled":
        assert done.paths == (tmp_path / "out.npy",)
    else:
        assert done.paths[1] == tmp_path / "out.offsets.npy"
        assert np.array_equal(np.load(done.paths[1]), table.offsets)


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
def test_the_hugging_face_folder(tmp_path: Path, layout: str) -> None:
    export(filled(tmp_path / "cache", layout), CORPUS, tmp_path / "data", "hf")
    info = json.loads((tmp_path / "data" / "dataset_info.json").read_text())
    assert info["features"]["text"] == {"dtype": "string", "_type": "Value"}
    state = json.loads((tmp_path / "data" / "state.json").read_text())
    assert [file["filename"] for file in state["_data_files"]] == ["data-00000-of-00001.arrow"]
    datasets = pytest.importorskip("datasets", reason="datasets is an extra")
    loaded = datasets.load_from_disk(str(tmp_path / "data"))
    assert loaded["text"][:] == ORDER
    for row in (0, 31, 59):
        expected = fake_vectors(ORDER[row], layout, 8)
        assert np.array_equal(np.reshape(loaded[row]["vectors"], (-1, 4)), expected)


@pytest.mark.parametrize(
    ("path", "form", "message"),
    [
        ("out.npz", "npy", r"must end in \.npy"),
        ("out.csv", "csv", "the formats are npy, arrow, parquet, hf"),
        ("no/folder/out.npy", "npy", "there is no folder"),
        (".", "hf", "exists; an hf data set is a new folder"),
    ],
)
def test_what_cannot_be_written_is_refused_first(path: str, form: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_export(Path(path), form)
    assert set(FORMATS) == {"npy", "arrow", "parquet", "hf"}
