"""Files as people have them: any encoding, separator, archive and column names."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from features.corpus.columns import Columns
from features.corpus.corpus import Corpus, CorpusTexts, read_corpus
from features.corpus.recognition.dialect import Dialect
from features.corpus.recognition.encodings import recognise
from features.errors import CorpusError, SettingError
from tests.support.mails import MAILS, mails_csv

TEXTS = {
    "german": "Ich möchte die Rechnung prüfen; sie ist wohl falsch.",
    "french": "Très déçu par la qualité, même le café était froid.",
    "polish": "Proszę o zwrot pieniędzy, ponieważ zamówienie nie dotarło.",
    "czech": "Žádám o vrácení peněz, protože zboží přišlo poškozené.",
    "turkish": "Ürün geç geldi ve kırık çıktı, lütfen yardım edin, şikâyetim var.",
    "russian": "Прошу вернуть деньги, потому что заказ не пришёл.",
    "greek": "Παρακαλώ επιστρέψτε τα χρήματα, η παραγγελία δεν ήρθε.",
    "chinese": "这个产品的质量非常好，我很满意，下次还会购买。",
    "traditional": "這個產品的質量非常好，我很滿意，下次還會購買。",
    "japanese": "この商品はとても良いです。また買いたいと思います。",
    "lithuanian": "Prašau grąžinti pinigus, nes užsakymas neatėjo laiku, ačiū už viską.",
    "hebrew": "אנא החזירו את הכסף כי ההזמנה לא הגיעה.",
    "arabic": "أرجو إعادة المبلغ لأن الطلب لم يصل في الوقت.",
    "thai": "สินค้าดีมาก จะซื้ออีกแน่นอน",
    "korean": "이 제품은 정말 좋아요. 다음에도 구매할게요.",
    "english": "It’s a “great” product – I’d buy it again…",
}
ENCODINGS = {
    "german": ("cp1252", "cp850", "mac_roman", "latin-1"),
    "french": ("cp1252", "cp850", "mac_roman"),
    "polish": ("cp1250", "iso8859_2"),
    "czech": ("cp1250", "iso8859_2"),
    "turkish": ("cp1254",),
    "russian": ("cp1251", "koi8_r", "cp866"),
    "greek": ("cp1253",),
    "chinese": ("gb18030", "gb2312"),
    "traditional": ("big5",),
    "japanese": ("cp932", "shift_jis", "euc_jp"),
    "lithuanian": ("cp1257",),
    "hebrew": ("cp1255",),
    "arabic": ("cp1256",),
    "thai": ("cp874",),
    "korean": ("cp949",),
    "english": ("cp1252", "mac_roman"),
}


def read(path: Path, content: bytes, **arguments: object) -> tuple[Corpus, list[str]]:
    """The corpus of a file with some content, and what was said."""
    path.write_bytes(content)
    said: list[str] = []
    arguments = {"labels": False, "note": said.append, **arguments}
    return read_corpus(path, **arguments), said  # type: ignore[arg-type]


@pytest.mark.parametrize("language", TEXTS)
def test_encodings_are_recognised_by_what_they_give(language: str) -> None:
    for encoding in ENCODINGS[language]:
        data = f"text,label\n{TEXTS[language]},x\n".encode(encoding)
        assert data.decode(recognise(data)) == data.decode(encoding), encoding


def test_bytes_that_no_language_explains_have_no_encoding() -> None:
    assert recognise(bytes(range(128, 256))) == ""


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"]
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json", ".csv.gz"])
def test_wide_encodings_are_read(tmp_path: Path, encoding: str, suffix: str) -> None:
    line = '{"text": "für dich 好", "label": "x"}\n'
    content = {".jsonl": line, ".json": f"[{line}]"}.get(suffix, "text,label\nfür dich 好,x\n")
    data = content.encode(encoding)
    path = tmp_path / f"d{suffix}"
    corpus, said = read(path, gzip.compress(data) if suffix.endswith("gz") else data)
    assert corpus.texts == ("für dich 好",)
    assert said == (
        []
        if encoding == "utf-8-sig"
        else [f"{path}: read as {encoding} ('für') (--encoding overrules that)"]
    )


def test_utf8_is_never_taken_for_another_encoding(tmp_path: Path) -> None:
    text = "Ã¼ber “naïve” cafés"  # looks like windows-1252 read as UTF-8, and is UTF-8
    corpus, said = read(tmp_path / "d.csv", f"text,label\n{text},x\n".encode())
    assert (corpus.texts, said, corpus.dialect) == ((text,), [], Dialect())


def test_a_file_whose_umlauts_come_late_is_read_again_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.corpus.streams.SAMPLE_BYTES", 1 << 12)
    rows = "".join(f"plain row {i} of many,x\n" for i in range(9_000))
    content = f"text,label\n{rows}für alle,y\n".encode("cp1252")
    corpus, said = read(tmp_path / "d.csv", content, labels=True)
    assert len(corpus) == 9_001
    assert corpus.texts[-1] == "für alle"
    assert said == [f"{tmp_path / 'd.csv'}: read as windows-1252 (--encoding overrules that)"]
    assert corpus.dialect.encoding == "windows-1252"
    texts = list(CorpusTexts(tmp_path / "d.csv"))
    assert texts == list(corpus.texts)


def test_options_overrule_what_is_recognised(tmp_path: Path) -> None:
    content = "text;label\nfür, dich;x\n".encode("cp1252")
    corpus, said = read(tmp_path / "d.csv", content, dialect=Dialect(";", "cp850"))
    assert (corpus.texts, said) == (("f³r, dich",), [])
    with pytest.raises(CorpusError, match="not valid UTF-8: byte 0xfc"):
        read(tmp_path / "d.csv", content, dialect=Dialect(encoding="utf-8"))
    with pytest.raises(CorpusError, match=r"not valid ascii: byte 0xfc .*--encoding"):
        read(tmp_path / "d.csv", content, dialect=Dialect(encoding="ascii"))
    for bad in ({"encoding": "nonsense"}, {"delimiter": ";;"}, {"delimiter": '"'}):
        with pytest.raises(SettingError, match="takes"):
            Dialect(**bad)


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_separators_are_recognised_by_the_rows(tmp_path: Path, separator: str) -> None:
    rows = [["Nachricht", "Thema"], *([text, label] for text, label in MAILS)]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    corpus, said = read(tmp_path / "d.csv", out.getvalue().encode(), labels=True)
    assert list(corpus.texts) == [text for text, _ in MAILS]
    assert (corpus.columns or Columns()).label == "Thema"
    shown = "tabs" if separator == "\t" else repr(separator)
    assert any(f"separated by {shown}" in line for line in said) == (separator != ",")


def test_a_column_of_texts_with_semicolons_stays_one_column(tmp_path: Path) -> None:
    corpus, said = read(tmp_path / "d.csv", b"text\na;b\nc;d\n")
    assert (corpus.texts, said) == (("a;b", "c;d"), [])


def zipped(*names: str) -> Callable[[bytes], bytes]:
    def pack(content: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, content)
        return out.getvalue()

    return pack


def test_an_archive_of_one_data_file_is_read(tmp_path: Path) -> None:
    pack = zipped("mails/", "mails/d.csv", "__MACOSX/mails/._d.csv", "readme.txt")
    corpus, said = read(tmp_path / "d.zip", pack(mails_csv()), labels=True)
    assert list(corpus.labels or ()) == [label for _, label in MAILS]
    assert "read as windows-1252" in said[0]
    with pytest.raises(CorpusError, match=r"holds a.csv, b.jsonl; .* unpack it"):
        read(tmp_path / "d.zip", zipped("a.csv", "b.jsonl")(b"x"))
    with pytest.raises(CorpusError, match="holds no data file"):
        read(tmp_path / "d.zip", zipped("a.doc")(b"x"))
    with pytest.raises(CorpusError, match="corrupt packed data"):
        read(tmp_path / "d.zip", b"no archive")


def test_an_array_of_objects_is_read_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.corpus.formats.json_lines.CHUNK_CHARACTERS", 16)
    rows = [
        {"id": i, "text": f'Text, [{i}] \\u00fcber "alles"', "label": "x"} for i in range(9)
    ]
    for indent in (None, 1):
        content = json.dumps(rows, indent=indent).encode()
        corpus, _ = read(tmp_path / "d.json", content)
        assert list(corpus.texts) == [row["text"] for row in rows]
    lines = "\n".join(map(json.dumps, rows)).encode()
    assert read(tmp_path / "d.json", lines)[0].texts == corpus.texts
    assert read(tmp_path / "d.jsonl", content)[0].texts == corpus.texts


def test_columns_are_guessed_where_the_guess_is_sure(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    corpus, said = read(path, mails_csv("utf-8", number=True), labels=True)
    assert corpus.columns == Columns("Nachricht", "Thema")
    assert f"{path}: texts from column 'Nachricht' and labels from column 'Thema'" in said[1]
    corpus, said = read(path, mails_csv("utf-8").replace(b"Nachricht", b"text"), labels=True)
    assert "labels from column 'Thema' (--label-column overrules that)" in said[1]


def test_columns_that_cannot_be_told_are_asked_for(tmp_path: Path) -> None:
    rows = [["Betreff", "Nachricht", "Thema"]]
    rows += [[f"Betreff der Mail {i}", text, label] for i, (text, label) in enumerate(MAILS)]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    with pytest.raises(CorpusError) as caught:
        read(tmp_path / "d.csv", out.getvalue().encode(), labels=True)
    message = str(caught.value)
    assert "'Betreff' (such as 'Betreff der Mail 0'), 'Nachricht' (such as " in message
    assert message.endswith("choose one with --text-column, and one with --label-column")
    with pytest.raises(CorpusError, match="no column 'body'"):
        read(tmp_path / "d.csv", out.getvalue().encode(), columns=Columns("body", None))
