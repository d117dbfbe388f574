"""Every form of export gives back the cached vectors, in corpus order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.corpus.corpus import Corpus
from features.encoding.job import UNIT_TEXTS
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.errors import InputError, SettingError
from features.outputs import export as module
from features.outputs.export import FORMATS, SUFFIXES, check_export, export
from features.storage.files import temporary_folder
from features.store.shards.shard import Shard
from features.store.space import Space
from features.store.store import FeatureStore
from features.text.keys import text_keys
from tests.support.encoders import CountingEncoder, fake_vectors, spec

ORDER = [f"text number {i % 17} " + "word " * (i % 5) for i in range(60)]
CORPUS = Corpus(tuple(ORDER), tuple("ab"[i % 2] for i in range(60)))


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE_TEXTS", 7)


def filled(
    root: Path, layout: str, dtype: str = "float16", unit_texts: int = UNIT_TEXTS
) -> Space:
    space = FeatureStore(root).space(spec(layout, dtype=dtype))
    texts = ORDER[::-1]
    plan = plan_encoding(texts, [space])
    encode(plan, texts, [space], CountingEncoder, unit_texts=unit_texts)
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


@pytest.mark.parametrize("form", FORMATS)
def test_every_shard_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    space = filled(tmp_path / "cache", "tokens", unit_texts=2)
    opened: list[str] = []
    real = Shard.__init__

    def counted(shard: Shard, path: Path, at_source: bool = False) -> None:
        opened.append(path.name)
        real(shard, path, at_source)

    monkeypatch.setattr(Shard, "__init__", counted)
    export(space, CORPUS, tmp_path / f"out{SUFFIXES[form]}", form)
    assert sorted(opened) == sorted(f"{name}.parquet" for name in space.index.shards)
    assert len(opened) > 20


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layout", ["pooled", "tokens"])
def test_a_full_disk_leaves_nothing(
    small_disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
    form: str,
) -> None:
    """At any size of the disk: it is written whole, or there is one line and nothing."""
    monkeypatch.setattr(module, "SLICE_TEXTS", 70)
    space = filled(tmp_path / "cache", layout)
    corpus = Corpus(tuple(ORDER[i % 60] for i in range(4000)))
    export(space, corpus, tmp_path / f"whole{SUFFIXES[form]}", form)
    out = small_disk / f"out{SUFFIXES[form]}"
    ballast, refused = small_disk / "ballast", []
    for room in (*range(0, 64, 8), 96, 128, 192):
        ballast.unlink(missing_ok=True)
        free = shutil.disk_usage(small_disk).free // 1024
        ballast.write_bytes(bytes(1024 * max(0, free - room)))
        try:
            export(space, corpus, out, form)
            break
        except InputError as error:
            refused.append(str(error))
        assert [path.name for path in small_disk.iterdir()] == ["ballast"], room
    assert len(refused) > 3
    assert all("; choose another place with --out" in line for line in refused)
    if out.is_file():
        assert out.read_bytes() == (tmp_path / f"whole{SUFFIXES[form]}").read_bytes()


def test_an_export_that_was_killed_is_swept_by_the_next(tmp_path: Path) -> None:
    space = filled(tmp_path / "cache", "pooled")
    folder = tmp_path / "out"
    folder.mkdir()
    mine = [".tmp-notes", ".x.01234567.tmp", ".tmp-out.npy-abcdef/other.npy"]
    left = [".old.npy.01234567.tmp", ".tmp-out.npy-012345/out.npy", ".tmp-data-012345/data"]
    for name in (*mine, *left, ".tmp-busy.npy-012345/busy.npy"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    with temporary_folder(folder, "busy.arrow") as busy:
        (busy / "busy.arrow").touch()
        export(space, CORPUS, folder / "out.npy", "npy")
        there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        kept = str((busy / "busy.arrow").relative_to(folder))
        assert there == {*mine, "out.npy", kept}
        shutil.rmtree(busy)


def test_offsets_that_cannot_be_written_leave_no_half(tmp_path: Path) -> None:
    space = filled(tmp_path / "cache", "tokens")
    out = tmp_path / "out"
    (out / "all.offsets.npy").mkdir(parents=True)
    (out / "all.npy").write_bytes(b"as it was")
    with pytest.raises(InputError):
        export(space, CORPUS, out / "all.npy", "npy")
    assert (out / "all.npy").read_bytes() == b"as it was"
    assert len(list(out.iterdir())) == 2


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
