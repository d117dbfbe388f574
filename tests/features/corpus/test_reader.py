"""What a data source may be besides one good file: folders of parts, and what is no data."""

from __future__ import annotations

import gzip
import os
import struct
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.corpus.columns import Columns
from features.corpus.corpus import corpus_batches, read_corpus
from features.errors import CorpusError
from tests.support.s3 import S3Server

ROWS = "text,label\nthe first text,x\nthe second text,y\n"


def refused(path: Path | str) -> str:
    with pytest.raises(CorpusError) as caught:
        read_corpus(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def write(path: Path, **columns: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", text=["c"], label=["x"])
    write(tmp_path / "a.parquet", text=["a", "b"], label=["x", "y"])
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".a.parquet.crc").touch()
    corpus = read_corpus(tmp_path)
    assert (corpus.texts, corpus.labels) == (("a", "b", "c"), ("x", "y", "x"))
    assert (list(corpus.rows), corpus.name) == ([1, 2, 3], tmp_path.name)
    assert [batch.rows for batch in corpus_batches(tmp_path, size=1)] == [[1], [2], [3]]


def test_partitions_become_columns(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    table = pa.table(
        {"text": list("abcd"), "label": ["x y", "z/1", "x y", "z/1"], "split": ["train"] * 4}
    )
    pq.write_to_dataset(table, folder, partition_cols=["split", "label"])
    corpus = read_corpus(str(folder))
    assert corpus.texts == ("a", "c", "b", "d")
    assert corpus.labels == ("x y", "x y", "z/1", "z/1")
    assert set(corpus.splits or ()) == {"train"}
    write(folder / "split=test/label=__HIVE_DEFAULT_PARTITION__/p.parquet", text=["e"])
    assert "empty label (column 'label') in 1 row: 1;" in refused(folder)
    assert read_corpus(folder, skip_empty=True).texts == corpus.texts


def test_parts_on_object_storage(s3: S3Server, tmp_path: Path) -> None:
    for split in ("test", "train"):
        write(tmp_path / "p.parquet", text=[f"a text to {split}", "b"], label=["x", "y"])
        s3.put(f"bucket/set/split={split}/p.parquet", (tmp_path / "p.parquet").read_bytes())
    assert read_corpus("s3://bucket/set").splits == ("test", "test", "train", "train")


def test_a_part_that_is_damaged_or_lacks_a_column_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", text=["a", "b"], label=["x", "y"])
    write(tmp_path / "b.parquet", text=["c"])
    assert refused(tmp_path).startswith(f"{tmp_path / 'b.parquet'}: no column 'label'")
    (tmp_path / "b.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    assert refused(tmp_path).startswith(f"{tmp_path / 'b.parquet'}: corrupt or no Parquet")
    (tmp_path / "b.parquet").unlink()
    (tmp_path / "b.parquet.gz").write_bytes((tmp_path / "a.parquet").read_bytes())
    assert refused(tmp_path).startswith(f"{tmp_path / 'b.parquet.gz'}: corrupt or no gzip")


def test_a_link_to_a_folder_around_it_multiplies_no_rows(tmp_path: Path) -> None:
    write(tmp_path / "k=1" / "a.parquet", text=["a", "b"], label=["x", "y"])
    (tmp_path / "k=2").symlink_to(tmp_path)
    assert refused(tmp_path).startswith(f"{tmp_path / 'k=2'}: is a symbolic link")


def test_a_folder_of_several_kinds_is_no_table(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", text=["a", "b"], label=["x", "y"])
    (tmp_path / "d.csv").write_text(ROWS)
    assert "is a folder; name one file; its folder has a.parquet, d.csv" in refused(tmp_path)
    (tmp_path / "d.csv").unlink()
    (tmp_path / "key=1" / "more").mkdir(parents=True)
    assert "is a folder; name one file; its folder has a.parquet" in refused(tmp_path)


def test_unwanted_repeated_parquet_columns_do_no_harm(tmp_path: Path) -> None:
    arrays = [pa.array(["a", "b"]), pa.array(["x", "y"]), pa.array([1, 2]), pa.array([3, 4])]
    table = pa.Table.from_arrays(arrays, names=["text", "label", "id", "id"])
    pq.write_table(table, tmp_path / "d.parquet")
    assert read_corpus(tmp_path / "d.parquet").texts == ("a", "b")


def test_a_saved_folder_is_read_without_a_prefix(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(tmp_path / "set")
    corpus = read_corpus(tmp_path / "set")
    assert corpus.labels == ("good", "bad") * 2
    assert corpus.splits == ("train", "train", "test", "test")
    damaged = tmp_path / "set" / "train" / "state.json"
    damaged.write_text("{}")
    assert "cannot be loaded" in refused(tmp_path / "set")
    damaged.unlink()
    assert "cannot be loaded" in refused(tmp_path / "set")


def test_a_saved_folder_without_the_library_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "what save_to_disk wrote, need the library datasets" in refused(tmp_path)


def test_a_dangling_link_says_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "data.csv").symlink_to("gone.csv")
    assert "a symbolic link to gone.csv, which is not there" in refused(tmp_path / "data.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d.csv")
    assert "no regular file but a pipe or a device" in refused(tmp_path / "d.csv")
    (tmp_path / "parts").mkdir()
    os.mkfifo(tmp_path / "parts" / "d.parquet")
    assert "no regular file" in refused(tmp_path / "parts" / "d.parquet")
    assert "no regular file" in refused(tmp_path / "parts")


def test_parquet_of_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "d.parquet").write_bytes(ROWS.encode("utf-16"))
    assert "no Parquet: it is text in utf-16: name it .csv" in refused(tmp_path / "d.parquet")


FOREIGN = {
    "web page": (b"\n<!DOCTYPE html>\n<html><body>404</body></html>\n", "a web page or XML"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a failed downl"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "old excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "save it as .xlsx or CSV"),
    "zip": (b"PK\x03\x04\x14\0\0\0text,label", "name it .xlsx or .zip"),
    "zeros": (b"\0" * 5000, "zero bytes only"),
    "database": (b"SQLite format 3\0" + b"\1\2" * 50, "export its table"),
    "numbers": (struct.pack("<40d", *range(40)), "it is no text"),
    "cut": ("text,label\nü,x\nü".encode()[:-1], "the file ends within a character"),
    "mixed": ("text,label\nü,x\n".encode() + b"caf\xe9,y\nb,x\n", "mend that place"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_text_is_named_with_what_helps(tmp_path: Path, name: str) -> None:
    content, part = FOREIGN[name]
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    assert part in refused(path)


def test_a_single_zero_byte_in_a_text_is_no_other_encoding(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b"text,label\na\0b,x\nc,y\n")
    assert read_corpus(path).texts == ("a\0b", "c")


@pytest.mark.parametrize(
    ("name", "part"), [("d.xls", "save it as .xlsx or CSV"), ("d.7z", "unpack it")]
)
def test_a_suffix_that_people_try_gets_its_remedy(tmp_path: Path, name: str, part: str) -> None:
    assert part in refused(tmp_path / name)


def test_a_table_written_column_by_column_is_told(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}\n')
    text = refused(path)
    assert ":1: 'text' is an object, {'0': 'a', '1': 'b'}, not a string" in text
    assert "lines=True" in text
    path.write_text(
        '{"text": "a", "label": "x", "id": 1, "id": 2}\n{"text": "b", "label": "y"}'
    )
    assert read_corpus(path, Columns()).texts == ("a", "b")


def test_damage_behind_a_bad_byte_is_one_line_too(tmp_path: Path) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\ncaf\xe9,y\n")[:-4])
    assert "truncated" in refused(path)


def test_a_class_without_a_name_is_placed(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    rows.save_to_disk(tmp_path / "set")
    info = tmp_path / "set" / "dataset_info.json"
    info.write_text(info.read_text().replace('"good"', "").replace('"bad",', '"bad"'))
    assert "'label' is class 1, but the data set names 1 classes" in refused(tmp_path / "set")
