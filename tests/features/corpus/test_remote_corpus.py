"""Corpora on object storage read as those here do, and what goes wrong is one line."""

from __future__ import annotations

import gzip
import io
import json
import time
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.corpus.corpus import read_corpus
from features.errors import InputError, SettingError
from features.storage import bucket
from features.storage.location import local_path, parse_location
from features.storage.remote import RemotePath
from pipeline.cli.main import main
from tests.support.mails import MAILS, mails_csv, write_workbook
from tests.support.s3 import S3Server

TEXTS = ["what a lovely day", "rain again", "she laughed, loudly", "über alles"]
LABELS = ["good", "bad", "good", "bad"]
ROWS = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]


def delimited(delimiter: str) -> bytes:
    lines = [delimiter.join(f'"{row[name]}"' for name in ("text", "label")) for row in ROWS]
    return "\n".join([f"text{delimiter}label", *lines, ""]).encode()


def json_lines() -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in ROWS).encode()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


FORMS = {
    ".csv": delimited(","),
    ".tsv": delimited("\t"),
    ".jsonl": json_lines(),
    ".parquet": parquet(),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", FORMS)
def test_every_format_reads_as_from_the_disk(
    s3: S3Server, tmp_path: Path, suffix: str, packed: bool
) -> None:
    data = gzip.compress(FORMS[suffix]) if packed else FORMS[suffix]
    name = f"my data/#1 50%25/texts{suffix}" + (".gz" if packed else "")
    s3.put(f"bucket/{name}", data)
    local = tmp_path / Path(name).name
    local.write_bytes(data)
    remote, here = read_corpus(f"s3://bucket/{name}"), read_corpus(local)
    assert (remote.texts, remote.labels) == (tuple(TEXTS), tuple(LABELS))
    assert (remote.digest, remote.name) == (here.digest, here.name)
    assert str(remote.path) == f"s3://bucket/{name}"
    assert read_corpus(local.as_uri()).texts == remote.texts


def test_a_large_file_streams_in_few_requests(s3: S3Server) -> None:
    rows = "".join(f"text number {i} {'word ' * 40},{i % 2}\n" for i in range(80_000))
    s3.put("bucket/large.csv", f"text,label\n{rows}".encode())
    corpus = read_corpus("s3://bucket/large.csv")
    assert len(corpus) == 80_000
    gets = [one for one in s3.requests if one.startswith("GET bucket/large.csv")]
    assert len(gets) == -(-len(s3.objects["bucket/large.csv"]) // 2**23)


def test_the_query_names_the_server_too(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3.put("bucket/texts.csv", FORMS[".csv"])
    server = s3.endpoint.removeprefix("http://")
    name = f"s3://bucket/texts.csv?endpoint_override={server}&scheme=http"
    assert read_corpus(name).texts == tuple(TEXTS)


def refused(name: str) -> str:
    with pytest.raises(InputError) as caught:
        read_corpus(name)
    message = str(caught.value)
    assert message.startswith(name)
    assert "\n" not in message
    return message


def test_what_is_missing_is_named(s3: S3Server) -> None:
    s3.put("bucket/data/texts.csv", FORMS[".csv"])
    assert "no such bucket 'buckett'" in refused("s3://buckett/data/texts.csv")
    assert "no such file; did you mean texts.csv?" in refused("s3://bucket/data/text.csv")
    assert "no folder s3://bucket/dat" in refused("s3://bucket/dat/texts.csv")
    assert "is a folder; name one file" in refused("s3://bucket/data")
    assert "unknown suffix '.txt'" in refused("s3://bucket/data/texts.txt")


def test_refused_keys_say_where_keys_stand(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("bucket/texts.csv", FORMS[".csv"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    assert "access denied; set AWS_ACCESS_KEY_ID" in refused("s3://bucket/texts.csv")
    bucket.filesystem.cache_clear()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "access denied; set AWS_ACCESS_KEY_ID" in refused("s3://bucket/texts.csv")


def test_a_server_that_is_not_there_ends_the_wait(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    start = time.monotonic()
    message = refused("s3://bucket/texts.csv")
    assert "the server cannot be reached (http://127.0.0.1:9" in message
    assert "AWS_ENDPOINT_URL" in message
    assert time.monotonic() - start < 5


def test_a_failing_server_is_asked_again_then_named(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put("bucket/texts.csv", FORMS[".csv"])
    left = 1

    def once(method: str, target: str) -> int:
        nonlocal left
        left -= 1
        return 503 if left >= 0 else 0

    s3.fault = once
    assert read_corpus("s3://bucket/texts.csv").texts == tuple(TEXTS)
    bucket.filesystem.cache_clear()
    monkeypatch.setattr(bucket, "ATTEMPTS", 1)
    s3.fault = lambda method, target: 500
    assert "the server failed" in refused("s3://bucket/texts.csv")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_server_that_dies_in_the_middle(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """A network fault is never called a corrupt file."""
    monkeypatch.setattr(bucket, "ATTEMPTS", 1)
    s3.put(f"bucket/texts{suffix}", FORMS[suffix])
    s3.fault = lambda method, target: -1 if method == "GET" and "list-type" not in target else 0
    message = refused(f"s3://bucket/texts{suffix}")
    assert "the server cannot be reached" in message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s3://", "no bucket"),
        ("s3:///key.csv", "no bucket"),
        ("s3://bucket//key.csv", "empty folder name"),
        ("s3://key:secret@bucket/x.csv", "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket/x.csv?endpoint=here", "unknown setting endpoint"),
        ("https://example.org/x.csv", "unknown scheme 'https'"),
        ("https://me:secret@example.org/x.csv", "unknown scheme 'https'"),
        ("file://data/x.csv", "three slashes: file:///data/x.csv"),
    ],
)
def test_names_that_name_nothing(name: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_location(name)
    assert message in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_locations() -> None:
    assert parse_location("a/b.csv") == Path("a/b.csv")
    assert parse_location("file:///a%20b.csv") == Path("/a b.csv")
    remote = parse_location("s3://bucket/a/b.csv.gz?region=eu-west-1")
    assert isinstance(remote, RemotePath)
    assert str(remote) == "s3://bucket/a/b.csv.gz?region=eu-west-1"
    assert (remote.name, remote.suffix, remote.stem) == ("b.csv.gz", ".gz", "b.csv")
    assert str(remote.parent / "c") == "s3://bucket/a/c?region=eu-west-1"
    assert parse_location(str(remote)) == remote
    with pytest.raises(SettingError, match="written on this machine only"):
        local_path("s3://bucket/out.npy")


def test_commands_take_locations(s3: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", "--data", "s3://nowhere/x.csv"]) == 2
    assert "no such bucket 'nowhere'" in capsys.readouterr().err
    assert main(["features", "--data", "ftp://nowhere/x.csv"]) == 2
    assert "unknown scheme 'ftp'" in capsys.readouterr().err
    assert main(["export", "--out", "s3://bucket/x.npy"]) == 2
    assert "on this machine only" in capsys.readouterr().err


def test_what_people_have_is_read_from_a_bucket_too(s3: S3Server, tmp_path: Path) -> None:
    s3.put("bucket/mails.csv", mails_csv())
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("mails.csv", mails_csv("cp850"))
    s3.put("bucket/mails.zip", (tmp_path / "m.zip").read_bytes())
    for name, said in (("mails.csv", "windows-1252"), ("mails.zip", "cp850")):
        lines: list[str] = []
        corpus = read_corpus(f"s3://bucket/{name}", note=lines.append)
        assert list(corpus.texts) == [text for text, _ in MAILS]
        assert f"s3://bucket/{name}: read as {said}" in lines[0]


def test_a_workbook_is_read_from_a_bucket(s3: S3Server, tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    write_workbook(tmp_path / "m.xlsx")
    s3.put("bucket/mails.xlsx", (tmp_path / "m.xlsx").read_bytes())
    assert len(read_corpus("s3://bucket/mails.xlsx")) == len(MAILS)
