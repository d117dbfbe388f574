"""Excel workbooks, with the library and without it."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import pytest

from features.corpus.columns import Columns
from features.corpus.corpus import read_corpus
from features.corpus.recognition.dialect import Dialect
from features.errors import CorpusError, SettingError
from tests.support.mails import MAILS, write_workbook


def test_without_the_library_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d.xlsx").write_bytes(b"PK\x03\x04")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(CorpusError, match=f"{sys.executable} -m pip install openpyxl"):
        read_corpus(tmp_path / "d.xlsx")


def test_the_first_sheet_with_rows_is_read(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    write_workbook(tmp_path / "d.xlsx")
    said: list[str] = []
    corpus = read_corpus(tmp_path / "d.xlsx", note=said.append)
    assert list(zip(corpus.texts, corpus.labels or (), strict=True)) == MAILS
    assert corpus.columns == Columns("Nachricht", "Thema")
    assert "read the sheet 'Mails'; another sheet left out" in said[0]


def test_cells_are_written_as_in_csv(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (
        ["text", "label", "split"],
        [17, 1.0, "train"],
        [datetime(2026, 1, 31), True, "test"],
        [],
        [0.5, "x"],
    ):
        book.active.append(row)
    book.save(tmp_path / "d.xlsx")
    corpus = read_corpus(tmp_path / "d.xlsx")
    assert corpus.texts == ("17", "2026-01-31", "0.5")
    assert corpus.labels == ("1", "TRUE", "x")
    assert corpus.splits == ("train", "test", "")
    (tmp_path / "d.xlsx").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(CorpusError, match="no workbook, or a damaged one"):
        read_corpus(tmp_path / "d.xlsx")


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for name, text in (("Mails", "one"), ("März 2026", "two")):
        sheet = book.create_sheet(name)
        for row in (["text", "label"], [text, "x"], ["more", "y"]):
            sheet.append(row)
    book.save(tmp_path / "d.xlsx")

    def read(name: str) -> tuple[str, ...]:
        dialect = Dialect(sheet=name)
        corpus = read_corpus(tmp_path / "d.xlsx", dialect=dialect, note=said.append)
        assert corpus.dialect.sheet == name, "so that a run reads it again"
        return corpus.texts

    said: list[str] = []
    assert read("März 2026") == read("MÄRZ 2026") == ("two", "more")
    assert not [line for line in said if "left out" in line]
    with pytest.raises(CorpusError, match="sheet 'Sheet' is empty"):
        read("Sheet")
    named = r"no sheet 'Mail' \(did you mean Mails\?\); .* 'Sheet', 'Mails', 'März 2026'"
    with pytest.raises(CorpusError, match=named):
        read("Mail")
    (tmp_path / "d.csv").write_text("text,label\na,b\n")
    for path in (tmp_path / "d.csv", "hub:owner/name"):
        with pytest.raises(SettingError, match="--sheet 'Mails' is for Excel files"):
            read_corpus(path, dialect=Dialect(sheet="Mails"))
