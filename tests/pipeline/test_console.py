"""What reaches the terminal: no control character, no lost exit code, no traceback."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from features.errors import OutputError
from pipeline.console import CONTROL, one_line, print_note, show, show_json, table
from tests.support.cli import REPOSITORY, Run, write

EVIL = "two\nlines\r\t\x1b]0;title\x07\x1b[2J\x9b31m\u202edesrever\u2028end"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a \x1b[31mred\x07 b", "a [31mred b"),
        ("two\r\nlines\u2028and\x85more", "two lines and more"),
        ("\u202egnp.exe\u202c \u2066x\u2069", "gnp.exe x"),
        ("zero\u200bwidth\ufeff", "zero width"),
        ("hid\U000e0041\U000e0042den", "hid den"),
        ("\U0001f469\u200d\U0001f680 می\u200cخواهم café 中文", None),
    ],
)
def test_one_line_takes_out_what_a_terminal_obeys(text: str, line: str | None) -> None:
    assert one_line(text) == (text if line is None else line)


def test_one_line_cuts() -> None:
    assert one_line("x" * 10, most=10) == "x" * 10
    assert one_line("x" * 11, most=10) == "x" * 7 + "..."


def test_say_and_show_let_nothing_through(capsys: pytest.CaptureFixture[str]) -> None:
    print_note(f"error: {EVIL}")
    show(f"a\tb\nlabel {EVIL}")
    show_json({"text": EVIL, "path": "caf\udce9.csv"})
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert out.startswith("a\tb\nlabel two\n")
    assert not CONTROL.search(out.replace("\n", "").replace("\t", ""))
    assert not CONTROL.search(err.replace("\n", "").replace("\t", ""))
    assert json.loads(out.splitlines()[-1]) == {"text": EVIL, "path": "caf\udce9.csv"}


def test_a_table_aligns_by_the_cells_of_a_terminal() -> None:
    lines = table(("label", "F1"), [("中文", "1.0%"), ("[red]x[/] :tada:", "100.0%")], "<>")
    assert lines.split("\n") == [
        "label                 F1",
        "中文                1.0%",
        "[red]x[/] :tada:  100.0%",
    ]
    assert table((), [("a", "b")], "<<", min_widths=(4,)) == "a     b"


def test_a_table_lets_nothing_through_and_folds_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [(EVIL, "long " * 60)]
    (line,) = table((), rows, "<<").splitlines()
    assert line.startswith("two lines ]0;title [2J 31m desrever end  long")
    assert not CONTROL.search(line)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    folded = table((), rows, "<<").splitlines()
    assert len(folded) > 4
    assert max(map(len, folded)) <= 70


def test_an_encoding_without_the_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    show("Größe")
    show_json({"label": "Größe \U0001f600"})
    first, second = raw.getvalue().decode("ascii").splitlines()
    assert first == "Gr\\xf6\\xdfe"
    assert json.loads(second) == {"label": "Größe \U0001f600"}


def test_a_full_stdout_is_an_error_and_a_full_stderr_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", Full())
    print_note("nobody reads this")
    with pytest.raises(OutputError, match="No space left on device"):
        show("result")
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    print_note("nobody reads this")
    with pytest.raises(OutputError, match="stdout is closed"):
        show("result")


@pytest.mark.parametrize(
    ("line", "code", "lines"),
    [
        ("heads > /dev/full", 2, 1),
        ("heads --json > /dev/full", 2, 1),
        ("heads --help > /dev/full", 2, 1),
        ("--help >&-", 2, 1),
        ("cache --json >&-", 2, 1),
        ("heads 2>&- >/dev/null", 0, 0),
        ("nothing 2> /dev/full", 2, 0),
        ("heads | head -n 1 > /dev/null", 0, 0),
        ("--version", 0, 0),
    ],
)
def test_streams_that_are_full_closed_or_left(line: str, code: int, lines: int) -> None:
    Path("cache").mkdir()
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "{sys.executable}" -m pipeline {line}'],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == lines, done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_stream_is_no_place_for_a_file() -> None:
    code = (
        "from pipeline.console import open_streams; open_streams(); "
        "import os; raise SystemExit(open('file', 'w').fileno())"
    )
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "{code}" <&- >&- 2>&-'],
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode > 2


def test_texts_and_labels_of_every_command_stay_on_their_line(
    run: Run, encoder: Path, tmp_path: Path
) -> None:
    label = f"{EVIL}\x1b[8m"
    rows = [[f"{EVIL} cat {i}", label] for i in range(30)]
    rows += [[f"dog \x1b[2J {i}", "plain"] for i in range(30)]
    rows += [["the same text", "plain"], ["the same text", label]]
    path = tmp_path / "evil\x1b[2J.csv"
    write(path, [["text", "label"], *rows])
    common = ("--data", path, "--encoder", encoder)
    outputs = [
        run("train", *common),
        run("predict", "--text", rows[0][0], "--explain"),
        run("audit", *common, "--page", "none"),
        run("features", "--data", f"{path}\x1b[2J\n.csv"),
    ]
    assert [output.code for output in outputs] == [0, 0, 0, 2]
    for output in outputs:
        for written in (output.out, output.err):
            assert not CONTROL.search(written.replace("\n", "").replace("\t", ""))
    assert len(outputs[1].out.splitlines()) == 4
    assert "two lines ]0;title" in outputs[1].out
    assert len(outputs[3].err.splitlines()) == 1


def test_cells_that_a_spreadsheet_would_run(run: Run, encoder: Path, tmp_path: Path) -> None:
    names = ["=1+1", "@name", "-1", "fine"]
    starts = ["=HYPERLINK(1)", "+ more of it", "- less", "@someone said"]
    rows = [
        [f"{starts[i % 4]} {'abcd'[i // 4 % 4]}{i}{'xyzw'[i % 4] * 4}", names[i % 4]]
        for i in range(80)
    ]
    write(tmp_path / "data.csv", [["text", "label"], *rows])
    common = ("--data", "data.csv", "--encoder", encoder)
    folder = Path(run("train", *common, "--json").json["run"])

    def cells(path: Path | str, *columns: str) -> set[str]:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return {row[column] for row in csv.DictReader(file) for column in columns}

    assert cells(folder / "classes.csv", "label") == {"'=1+1", "'@name", "-1", "fine"}
    texts = {text for text, _ in rows}
    assert run("predict", "--data", "data.csv", "--output", "out.csv").code == 0
    assert cells("out.csv", "text") == {f"'{text}" for text in texts}
    assert cells("out.csv", "label") <= {"'=1+1", "'@name", "-1", "fine"}
    keep = ("--output", "out.csv", "--formulas", "keep")
    assert run("predict", "--data", "data.csv", *keep).code == 0
    assert cells("out.csv", "text") == texts
    clean = ("audit", *common, "--page", "none", "--write-clean", "clean.csv", "--remedies")
    kept = run(*clean, "label_conflicts")
    assert cells("clean.csv", "text") == texts, "read back, it must be the same texts"
    assert "--formulas escape" in kept.err
    escaped = run(*clean, "label_conflicts", "--formulas", "escape")
    assert cells("clean.csv", "text") == {f"'{text}" for text in texts}
    assert "--formulas" not in escaped.err
