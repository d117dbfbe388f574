"""Reading a corpus: every format gives the same answer, verbatim, with true row numbers."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.corpus.columns import Columns
from features.corpus.corpus import Corpus, CorpusTexts, corpus_batches, read_corpus
from features.errors import CorpusError, SettingError
from features.text.keys import normalize_text

TEXTS = ("I won, again", 'He said "no"', "two\nlines", "Füße 猫 🙂", " spaced ")
LABELS = ("joy", "anger", "joy", "fear", " joy")
SPLITS = ("train", "test", "", "dev", "train")


def as_csv(delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(
        [("text", "label", "split"), *zip(TEXTS, LABELS, SPLITS, strict=True)]
    )
    return out.getvalue().encode()


def as_json_lines() -> bytes:
    return b"".join(
        json.dumps({"text": t, "label": label, "split": s}).encode() + b"\n"
        for t, label, s in zip(TEXTS, LABELS, SPLITS, strict=True)
    )


def as_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS, "label": LABELS, "split": SPLITS}), out)
    return out.getvalue()


FORMATS = {
    "csv": as_csv(),
    "tsv": as_csv("\t"),
    "jsonl": as_json_lines(),
    "ndjson": as_json_lines(),
    "parquet": as_parquet(),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_the_same_corpus(tmp_path: Path, suffix: str, packed: bool) -> None:
    path = tmp_path / f"My Data.{suffix.upper()}{'.GZ' if packed else ''}"
    path.write_bytes(gzip.compress(FORMATS[suffix]) if packed else FORMATS[suffix])
    corpus = read_corpus(path)
    assert corpus == Corpus(TEXTS, LABELS, SPLITS, path, range(1, 6), 0)
    assert corpus.digest == Corpus(TEXTS, LABELS, SPLITS).digest
    assert corpus.name == path.name
    assert len(corpus) == 5


def test_byte_order_mark_and_any_line_end_are_read(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        path = tmp_path / "marked.csv"
        path.write_bytes(b"\xef\xbb\xbf" + end.join(["text,label", "a,x", "b,y"]).encode())
        assert read_corpus(path).texts == ("a", "b")


def test_columns_can_have_other_names_and_others_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("id,fold,said,feels\n1,test,hello,x\n2,train,bye,y\n")
    corpus = read_corpus(str(path), Columns(text="said", label="feels", split="fold"))
    assert (corpus.texts, corpus.labels) == (("hello", "bye"), ("x", "y"))
    assert corpus.splits == ("test", "train")


def test_a_column_named_none_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("text,label,split\na,x,odd\nb,x,odd\n")
    corpus = read_corpus(path, Columns(label=None, split=None), labels=False)
    assert (corpus.texts, corpus.labels, corpus.splits) == (("a", "b"), None, None)


def test_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "d.csv").write_text("text,label\na,x\nb,y\n")
    assert read_corpus("~/d.csv").path == tmp_path / "d.csv"
    with pytest.raises(CorpusError, match=r"~no such user here/d\.csv: no such file"):
        read_corpus("~no such user here/d.csv")


def test_whole_numbers_and_truth_values_become_label_strings(tmp_path: Path) -> None:
    lines = tmp_path / "d.jsonl"
    lines.write_text('{"text": "a", "label": 10}\n{"text": "b", "label": true}\n')
    assert read_corpus(lines).labels == ("10", "True")
    table = tmp_path / "d.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "label": pa.array([0, 1], pa.int8())}), table)
    assert read_corpus(table).labels == ("0", "1")
    pq.write_table(pa.table({"text": ["a", "b"], "label": [True, False]}), table)
    assert read_corpus(table).labels == ("True", "False")


def test_parquet_strings_may_be_large_viewed_or_dictionary_encoded(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        table = pa.table({"text": pa.array(["é", "b"]).cast(kind), "label": ["x", "y"]})
        # Without the Arrow schema the file would give plain strings back.
        pq.write_table(table, path, store_schema=True)
        assert read_corpus(path).texts == ("é", "b")


def test_labels_are_kept_verbatim(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text('text,label\na, Joy\nb,joy \nc,NaN\nd,"x,\ny"\n')
    assert read_corpus(path).labels == (" Joy", "joy ", "NaN", "x,\ny")


def test_without_labels_the_column_may_be_missing_partly_empty_or_of_one_class(
    tmp_path: Path,
) -> None:
    path = tmp_path / "d.csv"
    path.write_text("text\na\nb\n")
    assert read_corpus(path, labels=False).labels is None
    path.write_text("text,label\na,x\nb,\n")
    assert read_corpus(path, labels=False).labels == ("x", "")
    path.write_text("text,label\na,x\nb,x\n")
    assert read_corpus(path, labels=False).labels == ("x", "x")


def test_skip_empty_leaves_rows_out_and_keeps_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("text,label,split\na,x,train\n  ,x,train\n\nb,,test\nc,y,dev\n,,\n")
    corpus = read_corpus(path, skip_empty=True)
    assert corpus == Corpus(("a", "c"), ("x", "y"), ("train", "dev"), path, (1, 4), 3)


def test_batches_stream_with_their_row_numbers(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text("".join(f'{{"text": "t{i % 4 or ""}", "label": "x"}}\n' for i in range(10)))
    path.write_text(path.read_text().replace('"t"', '""'))
    batches = list(corpus_batches(path, skip_empty=True, size=4))
    assert [batch.rows for batch in batches] == [[2, 3, 4], [6, 7, 8], [10]]
    assert [batch.texts for batch in batches] == [["t1", "t2", "t3"]] * 2 + [["t1"]]
    assert [batch.skipped for batch in batches] == [1, 1, 1]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_texts_can_be_read_again_and_again(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"d.{suffix}"
    path.write_bytes(FORMATS[suffix])
    texts = CorpusTexts(path)
    assert tuple(texts) == tuple(texts) == TEXTS


def test_streamed_texts_are_checked_as_those_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("body,label\na,\n ,\nb,\n")
    assert tuple(CorpusTexts(path, "body", skip_empty=True)) == ("a", "b")
    for texts, expected in (
        (CorpusTexts(path), "no column 'text'"),
        (CorpusTexts(path, "body"), r"empty text .* in 1 row: 2 \(line 3\)"),
        (CorpusTexts(path, "label", skip_empty=True), "all 3 rows have an empty text"),
    ):
        with pytest.raises(CorpusError, match=expected):
            list(texts)


def test_a_text_may_be_longer_than_the_csv_module_s_limit(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(f"text,label\n{'long ' * 50_000},x\nb,y\n")
    assert len(read_corpus(path).texts[0]) == 250_000


def test_json_may_hold_bare_carriage_returns(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(b'{"text": "a",\r"label": "x"}\r\n{"text": "b", "label": "y"}\r\n')
    assert read_corpus(path).labels == ("x", "y")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_only_one_batch_is_read_ahead(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"d.{suffix}"
    path.write_bytes(FORMATS[suffix])
    batches = corpus_batches(path, size=2)
    assert next(batches).texts == list(TEXTS[:2])
    assert [batch.rows for batch in batches] == [[3, 4], [5]]


def test_a_json_column_may_be_missing_in_later_batches_only(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "a", "split": "test"}\n{"text": "b"}\n{"text": "c"}\n')
    batches = list(corpus_batches(path, labels=False, size=1))
    assert [batch.splits for batch in batches] == [["test"], [""], [""]]
    path.write_text('{"text": "a", "label": "x"}\n{"text": "b"}\n')
    with pytest.raises(CorpusError, match=r"empty label .* in 1 row: 2 \(line 2\)"):
        list(corpus_batches(path, size=1))
    path.write_text('{"text": "a"}\n{"text": "b"}\n{"text": "c", "split": "test"}\n')
    with pytest.raises(
        CorpusError, match=r"d\.jsonl:3: row 3 .* 'split'.*every row or in none"
    ):
        list(corpus_batches(path, labels=False, size=1))
    assert read_corpus(path, labels=False).splits == ("", "", "test")


def test_digest_tells_texts_labels_splits_and_borders_apart() -> None:
    corpora = [
        Corpus(("ab", "c")),
        Corpus(("a", "bc")),
        Corpus(("c", "ab")),
        Corpus(("ab", "c"), labels=("x", "y")),
        Corpus(("ab", "c"), splits=("x", "y")),
        Corpus(("ab", "c", "x", "y")),
        Corpus(("ab", "c"), labels=("", "")),
        Corpus(()),
        Corpus((), labels=()),
    ]
    assert len({corpus.digest for corpus in corpora}) == len(corpora)
    assert (
        Corpus(("ab", "c"), path=Path("x"), rows=(3, 4), skipped=2).digest == corpora[0].digest
    )


def test_a_corpus_of_uneven_columns_cannot_be_made() -> None:
    for uneven in ({"labels": ("x",)}, {"splits": ("x",)}, {"rows": (1,)}):
        with pytest.raises(ValueError, match="2 texts, but 1"):
            Corpus(("a", "b"), **uneven)
    assert list(Corpus(("a", "b")).rows) == [1, 2]
    assert Corpus(()).name == "texts in memory"


def test_columns_must_differ_and_have_names() -> None:
    with pytest.raises(SettingError, match=r"'split', 'label', 'split'.*--split-column"):
        Columns(text="split")
    with pytest.raises(SettingError, match="by nothing"):
        Columns(split="")
    with pytest.raises(SettingError, match="--label-column"):
        read_corpus("any.csv", Columns(label=None))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Hello  World", " hello\tworld\n"),
        ("STRASSE", "straße"),
        ("ﬁne", "FINE"),
        ("Ⅳ", "iv"),
        ("e\u0301t\u00e9", "\u00c9TE\u0301"),
        ("a\u00a0b", "A\u3000B"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ᴬ", "a"),
        ("", " \n"),
    ],
)
def test_folding_joins_case_forms_and_spacing(text: str, same: str) -> None:
    assert normalize_text(text) == normalize_text(same)


def test_folding_keeps_different_texts_apart() -> None:
    assert len({normalize_text(t) for t in ("a b", "ab", "a-b", "á b", "a b.", "")}) == 6


@given(st.text())
def test_folding_is_idempotent_and_its_fast_path_changes_nothing(text: str) -> None:
    once = normalize_text(text)
    assert normalize_text(once) == once
    # A non-ASCII neighbour forces the slow path; the fast one must agree with it.
    assert normalize_text(text + " ñ") == f"{once} ñ".strip()


cells = st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip)


@given(st.lists(st.tuples(cells, cells), min_size=1), st.sampled_from([",", "\t"]))
def test_delimited_round_trip_with_true_line_numbers(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"round{'.csv' if delimiter == ',' else '.tsv'}"
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([("text", "label"), *rows])
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    (batch,) = corpus_batches(path, size=len(rows))
    assert list(zip(batch.texts, batch.labels or [], strict=True)) == rows
    assert batch.rows == list(range(1, len(rows) + 1))
    # A bad row after the good ones stands on the line that an independent count gives.
    path.write_text(out.getvalue() + "one field too few\n", encoding="utf-8", newline="")
    line = 1 + len(io.StringIO(out.getvalue(), newline="").readlines())
    place = rf"round\.[ct]sv:{line}: row {len(rows) + 1}: wrong number of fields: 1 for 2 "
    with pytest.raises(CorpusError, match=place):
        list(corpus_batches(path))


@given(st.lists(st.tuples(cells, cells), min_size=1), st.booleans())
def test_json_lines_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], escaped: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for text, label in rows:
            out.write(json.dumps({"text": text, "label": label}, ensure_ascii=escaped) + "\n\n")
    (batch,) = corpus_batches(path, size=len(rows))
    assert list(zip(batch.texts, batch.labels or [], strict=True)) == rows


def test_reading_csv_imports_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(as_csv())
    code = (
        "import sys; from features.corpus.corpus import read_corpus; import "
        "features.splits.split; "
        f"read_corpus({str(path)!r}); "
        "heavy = {'torch', 'sklearn', 'pandas', 'transformers', 'pyarrow', 'scipy'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_lines_of_a_file_are_known_where_it_has_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"one\ntwo",a\n\nthree,b\n,a\nfour,b\n', encoding="utf-8")
    corpus = read_corpus(path, skip_empty=True)
    assert (list(corpus.lines or ()), list(corpus.rows)) == ([2, 5, 7], [1, 2, 4])
    assert list(corpus.take([2, 0]).lines or ()) == [7, 2]
    assert Corpus(("a",)).lines is None
    path.write_text("text,label\none,a\ntwo,b\n", encoding="utf-8")
    assert read_corpus(path).lines == range(2, 4)
