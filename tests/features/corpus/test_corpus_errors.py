"""Bad data files: each is one line that says the rule, the value, the place and the remedy."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.corpus.columns import Columns
from features.corpus.corpus import read_corpus
from features.errors import CorpusError

GOOD = b"text,label\none,x\ntwo,y\n"
LATIN1 = "text,label\none,x\ncafé,y\n".encode("latin-1")
PACKED = gzip.compress(GOOD * 50)


def table(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def message(path: Path, **arguments: object) -> str:
    """The one line that reading ``path`` ends in."""
    with pytest.raises(CorpusError) as caught:
        read_corpus(path, **arguments)  # type: ignore[arg-type]
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    assert caught.value.exit_code == 2
    return text


CSV = {
    "empty": (b"", ["the file is empty", "header and rows"]),
    "only a mark": (b"\xef\xbb\xbf", ["the file is empty"]),
    "blank lines only": (b"\n\r\n\n", ["the file is empty"]),
    "header only": (b"text,label\n\n", ["no data rows", "add rows"]),
    "no text column": (
        b"body,label\na,x\n",
        ["no column 'text'", "'body' (such as 'a'), 'label' (such as 'x')", "--text-column"],
    ),
    "no label column": (
        b"text,Label \na,x\n",
        ["no column 'label'", "'text' (such as 'a'), 'Label ' (such", "--label-column"],
    ),
    "repeated column": (b"text,label,text\na,x,b\n", ["duplicate column names", "'text'"]),
    "too many fields": (
        b"text,label\na,x\n\nb, c,y\n",
        [":4: row 2", "wrong number of fields: 3 for 2 columns", "quote"],
    ),
    "too few fields": (b'text,label\n"a\n\nb",x\nc\n', [":5: row 2", "fields: 1 for 2"]),
    "unclosed quote": (
        b'text,label\na,x\n"b,y\nc,x\nd,y\n',
        [":3:", "a quote that opens in it never closes", '""'],
    ),
    "text after quote": (b'text,label\n"a"b,x\n', [":2:", "',' expected after '\"'", '""']),
    "no known encoding": (
        b"text,label\none,x\ncaf\x81\x8d,y\n",
        [":3:", "not valid UTF-8", "byte 0x81 at offset 20", "--encoding"],
    ),
    "mark, then not UTF-8": (b"\xef\xbb\xbf" + LATIN1, [":3:", "0xe9 at offset 23"]),
    "UTF-8 cut short": (b"text,label\na,\xf0\x9f\x99", [":2:", "byte 0xf0 at offset 13"]),
    "not UTF-8 after wider characters": (
        b"text,label\n\xc3\xa9\xe2\x82\xac\xff,x\n",
        [":2:", "byte 0xff at offset 16"],
    ),
    "encoded surrogate": (b"text,label\n\xed\xa0\x80,x\n", [":2:", "byte 0xed at offset 11"]),
    "packed": (PACKED, ["gzip data", "add .gz"]),
    "spreadsheet": (b"PK\x03\x04\xff\xff", ["spreadsheet", "name it .xlsx or .zip"]),
    "empty text": (
        b'text,label\na,x\n" ",x\nb,y\n\n,y\n',
        [
            "empty text (column 'text') in 2 rows: 2 (line 3), 4 (line 6)",
            "from 1",
            "--skip-empty",
        ],
    ),
    "empty label after a long row": (
        b'text,label\n"a\n\nb",x\n"c\n",\n',
        ["(column 'label') in 1 row: 2 (line 5)"],
    ),
    "empty label": (
        b"text,label\na,\nb,y\n",
        ["empty label", "in 1 row: 1 (line 2)", "fill them"],
    ),
    "both empty": (
        b"text,label\n,x\nb,\n,\n",
        [
            "(column 'text') in 2 rows: 1 (line 2), 3 (line 4);",
            "(column 'label') in 2 rows: 2 ",
        ],
    ),
    "one class": (b"text,label\na,x\nb,x\n", ["one class only", "all 2 labels are 'x'"]),
}


@pytest.mark.parametrize("name", CSV)
def test_bad_csv(tmp_path: Path, name: str) -> None:
    content, parts = CSV[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    text = message(path)
    for part in parts:
        assert part in text


JSON = {
    "empty": (b"", ["the file is empty", "one JSON object per line"]),
    "blank lines only": (b"\n  \n", ["the file is empty"]),
    "bad JSON": (
        b'{"text": "a", "label": "x"}\n\n{"text": "b" "label": "y"}\n',
        [":3:", "not JSON", "Expecting ',' delimiter at column 14", "one JSON object per line"],
    ),
    "pretty printed": (
        b'[\n{"text": "a"}\n]\n',
        ["no column 'label'", "'text' (such as 'a')"],
    ),
    "an object over several lines": (b'{\n"text": "a"}\n', [":1:", "not JSON"]),
    "no object": (b'["a", "x"]\n', [":1:", "not a JSON object", "'a'"]),
    "no object in a line": (b"17\n", [":1:", "not a JSON object", "17"]),
    "deep": (b"[" * 100_000, [":1:", "unreadable JSON"]),
    "an array cut short": (b'[\n{"text": "a"},\n{"text": "b', [":3:", "not JSON"]),
    "an array without commas": (b'[{"text": "a"}\n17]', [":2:", "not JSON", "','"]),
    "repeated name": (
        b'{"text": "a", "text": "b"}\n',
        [":1:", "duplicate column names", "'text'"],
    ),
    "no column": (
        b'{"body": "a"}\n{"id": 1}\n',
        ["no column 'text'", "'body' (such as 'a'), 'id' (such as 1)", "--text-column"],
    ),
    "number as text": (
        b'{"text": "a", "label": "x"}\n{"text": 17, "label": "x"}\n',
        [":2: row 2", "'text' is 17, of type int", "a string"],
    ),
    "list as text": (
        b'{"text": ["a"], "label": "x"}\n',
        [":1: row 1", "'text' is ['a']", "list"],
    ),
    "decimal label": (b'{"text": "a", "label": 0.5}\n', ["'label' is 0.5", "a whole number"]),
    "lone surrogate": (
        b'{"text": "ok \\ud83d\\ude00", "label": "x"}\n{"text": "\\uD83d!", "label": "x"}\n',
        [":2:", "lone surrogate in 'text'", r"'\ud83d!'", "drop it"],
    ),
    "lone surrogate, small": (b'{"text": "\\udc00"}\n', [":1:", "lone surrogate in 'text'"]),
    "missing label": (
        b'{"text": "a", "label": "x"}\n\n{"text": "b", "label": null}\n{"text": "c"}\n',
        ["empty label", "in 2 rows: 2 (line 3), 3 (line 4)"],
    ),
    "no known encoding": (b'{"text": "caf\x81\x8d"}\n', [":1:", "byte 0x81 at offset 13"]),
}


@pytest.mark.parametrize("name", JSON)
def test_bad_json_lines(tmp_path: Path, name: str) -> None:
    content, parts = JSON[name]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    text = message(path)
    for part in parts:
        assert part in text


NOT_UTF8 = pa.array([b"ok", b"caf\xe9"]).view(pa.string())
PARQUET: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["the file is empty"]),
    "no Parquet": (GOOD, ["corrupt or no Parquet", "download it again"]),
    "no rows": (
        table(text=pa.array([], pa.string()), label=pa.array([], pa.string())),
        ["no data"],
    ),
    "no column": (
        table(body=["a"], label=["x"]),
        ["no column 'text'", "'body' (such as 'a'), 'label'"],
    ),
    "missing text": (
        table(text=["a", None, "b", ""], label=["x", "y", "y", "y"]),
        ["empty text (column 'text') in 2 rows: 2, 4;", "--skip-empty"],
    ),
    "number as text": (table(text=[1, 2], label=["x", "y"]), [": row 1", "'text' is 1"]),
    "decimal label": (table(text=["a"], label=[1.0]), [": row 1", "'label' is 1.0", "float"]),
    "not a number as label": (
        table(text=["a", "b"], label=[float("nan"), None]),
        ["empty label", "in 2 rows: 1, 2;"],
    ),
    "bytes as text": (table(text=[b"a"], label=["x"]), ["'text' is of type binary", "strings"]),
    "lists as text": (table(text=[["a"]], label=["x"]), ["'text' is of type list"]),
    "not UTF-8": (
        table(text=NOT_UTF8, label=["x", "y"]),
        [": row 2", "not valid UTF-8", "0xe9"],
    ),
}


@pytest.mark.parametrize("name", PARQUET)
def test_bad_parquet(tmp_path: Path, name: str) -> None:
    content, parts = PARQUET[name]
    path = tmp_path / "bad.parquet"
    path.write_bytes(content)
    text = message(path)
    for part in parts:
        assert part in text


def test_repeated_parquet_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    columns = [pa.array(["a"]), pa.array(["b"])]
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "text"]), path)
    assert "duplicate column names: 'text'" in message(path)


def test_a_missing_file_names_its_likely_neighbours(tmp_path: Path) -> None:
    for name in ("emotions.csv", "orders.jsonl.gz", "notes.txt"):
        (tmp_path / name).write_bytes(GOOD)
    assert "no such file; did you mean emotions.csv?" in message(tmp_path / "emotion.csv")
    text = message(tmp_path / "zzz.tsv")
    assert "no such file; its folder has emotions.csv, orders.jsonl.gz" in text
    assert "notes.txt" not in text
    text = message(tmp_path / "nowhere" / "emotions.csv")
    assert f"no folder {tmp_path / 'nowhere'}" in text
    (tmp_path / "bare").mkdir()
    assert "its folder has no data file" in message(tmp_path / "bare" / "emotions.csv")


def test_a_folder_is_no_data_file(tmp_path: Path) -> None:
    (tmp_path / "emotions.csv").write_bytes(GOOD)
    assert "is a folder; name one file; its folder has emotions.csv" in message(tmp_path)
    (tmp_path / "looks.csv").mkdir()
    assert "is a folder" in message(tmp_path / "looks.csv")


@pytest.mark.parametrize("name", ["notes.txt", "data", "data.gz", "data.xls", ".csv"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(GOOD)
    text = message(path)
    assert "suffix" in text
    assert (
        ".csv, .tsv, .jsonl, .ndjson, .parquet, .json, .xlsx, each also with .gz or in" in text
    )


def test_a_name_beyond_the_system_s_limit_is_an_input_error(tmp_path: Path) -> None:
    assert "cannot be read: File name too long" in message(tmp_path / f"{'a' * 300}.csv")


@pytest.mark.skipif(os.name != "posix", reason="a pipe has no such file elsewhere")
def test_a_file_that_cannot_be_opened_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "loop.csv"
    path.symlink_to(path)
    assert "loop.csv" in message(path)


def test_a_split_column_must_exist_only_where_it_was_named(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(GOOD)
    assert read_corpus(path).splits is None
    text = message(path, columns=Columns(split="fold"))
    for part in ("no column 'fold'", "'text' (such as 'one'), 'label'", "--split-column"):
        assert part in text


def test_many_empty_rows_are_counted_and_the_first_listed(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("text,label\na,x\n" + ",y\n" * 5000)
    text = message(path)
    assert "in 5000 rows: 2 (line 3), 3 (line 4)," in text
    assert "11 (line 12) and 4990 more" in text


def test_nothing_left_after_skipping_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("text,label\n,x\na,\n")
    assert "all 2 rows have an empty text or label" in message(path, skip_empty=True)


def test_long_values_are_cut_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"{'a very long first line ' * 50},label\n")
    assert len(message(path)) < len(str(path)) + 200


def damaged(content: bytes) -> list[tuple[str, bytes]]:
    return [(f"cut at {at}", content[:at]) for at in range(1, len(content))] + [
        (f"flipped at {at}", content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        for at in range(len(content))
    ]


@pytest.mark.parametrize(
    ("suffix", "pack"), [("csv.gz", gzip.compress), ("parquet.gz", lambda _: TABLE_PACKED)]
)
def test_damaged_gzip_never_passes_for_data(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"d.{suffix}"
    whole = pack(GOOD)
    path.write_bytes(whole)
    expected = read_corpus(path)
    seen = set()
    for name, content in damaged(whole):
        path.write_bytes(content)
        try:
            outcome: object = read_corpus(path)
        except CorpusError as error:
            outcome = "truncated" if "truncated" in str(error) else "corrupt"
        # Some bytes of the gzip header carry no data, such as its time stamp.
        assert outcome in ("truncated", "corrupt", expected), name
        seen.add(outcome)
    assert seen == {"truncated", "corrupt", expected}


TABLE_PACKED = gzip.compress(table(text=["one", "two"], label=["x", "y"]), mtime=0)


def test_a_file_that_is_not_packed_says_so(tmp_path: Path) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(GOOD)
    text = message(path)
    assert "no gzip data" in text
    assert "drop .gz" in text


def test_truncated_gzip_asks_for_another_copy(tmp_path: Path) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(PACKED[:-9])
    assert "truncated; download or pack the file again" in message(path)


def test_not_utf8_inside_gzip_is_placed_in_the_unpacked_text(tmp_path: Path) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(LATIN1.replace(b"\xe9", b"\x81\x8d")))
    assert "d.csv.gz:3: not valid UTF-8: byte 0x81 at offset 20" in message(path)


def test_truncated_parquet_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    whole = table(text=["one", "two"], label=["x", "y"])
    path = tmp_path / "d.parquet"
    for end in range(1, len(whole), 7):
        path.write_bytes(whole[:end])
        assert "corrupt or no Parquet" in message(path)


def test_bit_flips_in_a_checked_page_are_found(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    texts = [f"a text of some length, number {i}" for i in range(20)]
    data = pa.table({"text": texts, "label": ["x", "y"] * 10})
    pq.write_table(
        data, path, write_page_checksum=True, compression="none", use_dictionary=False
    )
    whole = path.read_bytes()
    at = whole.index(b"number 7")
    path.write_bytes(whole[:at] + b"N" + whole[at + 1 :])
    text = message(path)
    assert "corrupt or no Parquet" in text
    assert "download it again" in text
