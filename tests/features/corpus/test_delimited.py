"""CSV and TSV as people have them: stray quotes, ragged headers, other separators."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.corpus.corpus import read_corpus
from features.corpus.formats import delimited
from features.errors import CorpusError

PLAIN = [f"text number {i}" for i in range(30)]
STRAY = [*PLAIN[:3], '"' + PLAIN[3], *PLAIN[4:9], PLAIN[9] + '"', *PLAIN[10:]]
LABELS = ["good"] * 15 + ["bad"] * 15


def unquoted(texts: list[str], separator: str, *columns: list[str]) -> str:
    """As written without quoting."""
    names = ["text", "label", "more"][: len(columns) + 1]
    rows = [names, *zip(texts, *columns, strict=True)]
    return "".join(separator.join(row) + "\n" for row in rows)


def read(folder: Path, content: str, suffix: str = "tsv", labels: bool = True) -> list[str]:
    path = folder / f"d.{suffix}"
    path.write_bytes(content.encode())
    return list(read_corpus(path, labels=labels).texts)


def refused(folder: Path, content: str, suffix: str = "csv", labels: bool = True) -> str:
    with pytest.raises(CorpusError) as caught:
        read(folder, content, suffix, labels)
    return str(caught.value)


def test_a_stray_quote_swallows_no_row_of_a_tsv(tmp_path: Path) -> None:
    path = tmp_path / "d.tsv"
    path.write_text(unquoted(STRAY, "\t", LABELS))
    corpus = read_corpus(path)
    assert (list(corpus.texts), list(corpus.labels or ())) == (STRAY, LABELS)
    assert list(corpus.rows) == list(range(1, 31))


@pytest.mark.parametrize(
    "texts",
    [
        [*PLAIN[:29], '"' + PLAIN[29], "the end"],  # the quote never closes
        ['"Two words" begin it', *PLAIN[1:]],
        ['"' + PLAIN[0], '"Two words" then', *PLAIN[2:]],
        [PLAIN[0], '"' + PLAIN[1], PLAIN[2] + '"', *PLAIN[3:]],  # two lines only
        ['"' + PLAIN[0], PLAIN[1] + '"', "", '"' + PLAIN[2], PLAIN[3] + '"', *PLAIN[4:]],
    ],
)
def test_quotes_of_a_tsv_are_characters_where_they_quote_nothing(
    tmp_path: Path, texts: list[str]
) -> None:
    texts = [text for text in texts if text]
    content = unquoted(texts, "\t", (LABELS * 2)[: len(texts)])
    assert read(tmp_path, content) == texts


def test_an_id_column_tells_swallowed_rows_too(tmp_path: Path) -> None:
    rows = [
        f"{17 + i}\t{text}\n" for i, text in enumerate(['"' + PLAIN[0], PLAIN[1] + '"', "c"])
    ]
    assert len(read(tmp_path, "id\ttext\n" + "".join(rows), labels=False)) == 3


def test_one_column_of_texts_is_told_by_other_quotes(tmp_path: Path) -> None:
    texts = ['"a', 'b"', 'he said "no"']
    assert read(tmp_path, "text\n" + "\n".join(texts), labels=False) == texts
    assert read(tmp_path, 'text\n"a\nb"\nc\n', labels=False) == ["a\nb", "c"]
    assert "row 1: a quote that opens here joins 2 lines" in refused(
        tmp_path, "text\n" + "\n".join(texts), labels=False
    )


def test_a_csv_whose_quote_swallows_rows_is_refused(tmp_path: Path) -> None:
    text = refused(tmp_path, unquoted(STRAY, ",", LABELS))
    assert text.startswith(f"{tmp_path}/d.csv:5: row 4: a quote that opens here joins 7 lines")
    assert '""' in text


def test_values_of_their_own_do_not_hide_swallowed_rows(tmp_path: Path) -> None:
    own = [f"about {chr(97 + i)}{text[-1]}" for i, text in enumerate("abcdefghij" * 3)]
    content = unquoted(STRAY, ",", own).replace("label", "title", 1)
    assert "row 4: a quote that opens here joins 7 lines" in refused(
        tmp_path, content, labels=False
    )
    assert read(tmp_path, content.replace(",", "\t"), labels=False) == STRAY
    quoted = "".join(f'"{text}","{title}"\n' for text, title in zip(PLAIN, own, strict=True))
    letter = "Dear Sir, thanks\nfor all, again\nBye"
    content = f'"text","title"\n{quoted}"{letter}","a letter"\n'
    assert read(tmp_path, content, "csv", labels=False) == [*PLAIN, letter]


def test_properly_quoted_line_breaks_are_kept(tmp_path: Path) -> None:
    letters = ["Dear Sir,\nthank you", "one, two\n\nthree", 'he said "no"\nand left', "a\tb\nc"]
    for suffix, separator in (("csv", ","), ("tsv", "\t")):
        rows = [
            f'"{text.replace(chr(34), chr(34) * 2)}"{separator}l{i % 2}\n'
            for i, text in enumerate(letters)
        ]
        content = f"text{separator}label\n" + "".join(rows)
        assert read(tmp_path, content, suffix) == letters
    assert read(tmp_path, 'text,label\n"Dear Sir, thanks\nBye",joy\nb,sad\n', "csv") == [
        "Dear Sir, thanks\nBye",
        "b",
    ]


def test_a_text_that_was_cut_off_is_no_stray_quote(tmp_path: Path) -> None:
    assert ":3: the row does not parse" in refused(
        tmp_path, 'label\ttext\na\tone\nb\t"cut off in the mid', "tsv"
    )


def test_nameless_and_unwanted_repeated_columns_do_no_harm(tmp_path: Path) -> None:
    assert read(tmp_path, "text,label,,,\na,x,,,\nb,y\n", "csv") == ["a", "b"]
    assert read(tmp_path, "id,text,label,id\n1,a,x,2\n3,b,y,4\n", "csv") == ["a", "b"]
    assert "wrong number of fields" in refused(tmp_path, "text,label,,\na,x\nb\n")
    assert "duplicate column names: 'label'" in refused(tmp_path, "text,label,label\na,x,y\n")


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;"])
def test_the_separator_line_of_excel_is_obeyed(tmp_path: Path, line: str) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(f"\ufeff{line}\r\ntext;label\r\na, b;x\r\n;y\r\n".encode())
    with pytest.raises(CorpusError, match=r"in 1 row: 2 \(line 4\)"):
        read_corpus(path)
    assert read_corpus(path, skip_empty=True, labels=False).texts == ("a, b",)


def test_a_tab_is_named_as_it_can_be_typed(tmp_path: Path) -> None:
    assert read(tmp_path, "sep=\\t\ntext\tlabel\na\tx\nb\ty\n", "csv") == ["a", "b"]
    assert read(tmp_path, "sep=\t\ntext\tlabel\na\tx\nb\ty\n", "csv") == ["a", "b"]


def test_json_under_the_name_of_a_csv_is_told(tmp_path: Path) -> None:
    assert "looks like JSON; name it .json or .jsonl" in refused(
        tmp_path, '{"text": "a", "label": 1}\n'
    )


def test_rows_longer_than_what_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "LINES_AHEAD", 4)
    long = "\n".join(f"line {i}" for i in range(50))
    content = f'text,label\na,x\n"{long}",x\nb,y\n\nc,x\n"d\ne",y\n"f\n\n",x\n'
    assert read(tmp_path, content, "csv") == ["a", long, "b", "c", "d\ne", "f\n\n"]
    assert read(tmp_path, unquoted(PLAIN, "\t", LABELS)) == PLAIN
    assert ":3: row 2: wrong number of fields" in refused(
        tmp_path, 'text,label\na,x\nb\nc,y\n"d"e,x\n'
    ), "the first fault is the one that is told"
    line = content.count("\n") + 1
    assert f":{line}: the row does not parse" in refused(tmp_path, content + '"g,y\n')
