"""Outputs appear whole or not at all, and never over what the command reads."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from features.corpus.source import parse_source
from features.errors import OutputError, SettingError
from features.outputs.output import appearing, check_output
from tests.support.cli import REPOSITORY, Run


def hidden() -> list[str]:
    return [name for name in os.listdir() if name.startswith(".")]


def test_a_file_and_a_folder_appear_whole() -> None:
    Path("out.txt").write_text("old")
    with appearing(Path("out.txt"), "--out") as temporary:
        temporary.write_text("new")
        assert Path("out.txt").read_text() == "old"
        assert (temporary.name, temporary.parent.parent) == ("out.txt", Path.cwd())
    assert Path("out.txt").read_text() == "new"
    Path("folder").mkdir()
    with appearing(Path("folder"), "--out", folder=True) as temporary:
        (temporary / "inside").write_text("new")
    assert Path("folder/inside").read_text() == "new"
    assert hidden() == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("bug")])
@pytest.mark.parametrize("folder", [False, True])
def test_nothing_is_left_of_an_output_that_failed(error: Exception, folder: bool) -> None:
    if not folder:
        Path("out").write_text("old")

    def fail() -> None:
        with appearing(Path("out"), "--out", folder=folder) as temporary:
            (temporary / "x" if folder else temporary).write_text("half")
            raise error

    with pytest.raises((OutputError, KeyError)) as caught:
        fail()
    assert hidden() == []
    assert not Path("out").exists() if folder else Path("out").read_text() == "old"
    if isinstance(error, OSError):
        assert str(caught.value).startswith("--out out cannot be written (No space left")


def test_modes_follow_the_umask() -> None:
    before = os.umask(0o027)
    try:
        with appearing(Path("file"), "--out") as temporary:
            temporary.touch()
        with appearing(Path("folder"), "--out", folder=True):
            pass
    finally:
        os.umask(before)
    assert Path("file").stat().st_mode & 0o777 == 0o640
    assert Path("folder").stat().st_mode & 0o777 == 0o750


def test_two_at_once_share_nothing_and_a_killed_one_is_swept() -> None:
    with appearing(Path("out"), "--out") as first:
        first.write_text("first")
        with appearing(Path("out"), "--out") as second:
            second.write_text("second")
            assert first.exists()
        assert Path("out").read_text() == "second"
    assert Path("out").read_text() == "first"
    code = (
        "import os, pathlib; from features.outputs.output import appearing\n"
        "with appearing(pathlib.Path('out'), '--out') as temporary:\n"
        "    temporary.touch(); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", code], check=False, env=environment)
    assert len(hidden()) == 1
    others = (".tmp-notes", ".tmp-out-012345x", ".tmp-other-abcdef/of someone else")
    for name in others:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    with appearing(Path("out"), "--out") as temporary:
        temporary.touch()
    assert {*hidden()} == {name.partition("/")[0] for name in others}


def test_no_link_is_followed_by_a_temporary_and_the_target_of_a_link_is_written() -> None:
    Path("far").mkdir()
    Path("far/real.txt").write_text("old")
    Path("link.txt").symlink_to("far/real.txt")
    for guess in (".link.txt.tmp", ".real.txt.tmp"):
        Path("far", guess).symlink_to("/etc/hostname")
    with appearing(Path("link.txt"), "--out") as temporary:
        temporary.write_text("new")
    assert Path("link.txt").is_symlink()
    assert Path("far/real.txt").read_text() == "new"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere/x.csv", "there is no folder nowhere"),
        (".", "is a folder"),
        ("pipe.csv", "is no regular file"),
        ("/dev/null", "is no regular file"),
        ("x" * 300, "File name too long"),
        ("a\0b", "null byte"),
        ("file/x.csv", "there is no folder file"),
        ("data.csv", "what this command reads, data.csv"),
        ("soft.csv", "what this command reads, data.csv"),
        ("dangling.csv", "there is no folder {cwd}/nowhere"),
        ("hard.csv", "what this command reads, data.csv"),
        ("cache/o.npy", "what this command reads, cache"),
        ("cache/space/shard", "what this command reads, cache"),
        ("parts/new.csv", "what this command reads, hub:parts"),
        ("encoder/config.json", "what this command reads, ./encoder"),
    ],
)
def test_what_cannot_be_an_output_is_refused_first(path: str, reason: str) -> None:
    for folder in ("cache/space", "encoder", "parts"):
        Path(folder).mkdir(parents=True)
    Path("data.csv").write_text("text\n")
    Path("file").write_text("")
    Path("soft.csv").symlink_to("data.csv")
    Path("hard.csv").hardlink_to("data.csv")
    Path("dangling.csv").symlink_to("nowhere/x.csv")
    os.mkfifo("pipe.csv")
    reads = (
        Path("data.csv"),
        Path("cache"),
        "./encoder",
        "some/model",
        parse_source("hub:parts"),
    )
    with pytest.raises((SettingError, OutputError)) as caught:
        check_output(Path(path), "--out", reads)
    assert reason.format(cwd=Path.cwd()) in str(caught.value)
    check_output(Path("new.csv"), "--out", reads)
    assert hidden() == []
    assert not Path("new.csv").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written() -> None:
    Path("locked").mkdir(mode=0o555)
    with pytest.raises(OutputError, match="Permission denied"):
        check_output(Path("locked/x.csv"), "--out")


Arguments = Callable[[Path, Path], tuple[object, ...]]

OVERWRITES: dict[str, Arguments] = {
    "predict onto its texts": lambda data, _: ("predict", "--data", data, "--output", data),
    "write-clean onto its data": lambda data, e: (
        *("audit", "--data", data, "--encoder", e, "--write-clean", data, "--page", "none"),
    ),
    "the dropped rows onto the data": lambda data, e: (
        *("audit", "--data", data.with_name("x.dropped.csv"), "--encoder", e),
        *("--write-clean", data.with_name("x.csv"), "--page", "none"),
    ),
    "the page onto the data": lambda data, e: (
        *("audit", "--data", data, "--encoder", e, "--page", data),
    ),
    "one file for page and clean": lambda data, e: (
        *("audit", "--data", data, "--encoder", e, "--page", "c.csv", "--write-clean", "c.csv"),
    ),
    "a plot into the encoder": lambda data, e: (
        *("lr-range", "--data", data, "--encoder", e, "--plot", e / "x.png"),
    ),
    "a plot into the cache": lambda data, e: (
        *("layers", "--data", data, "--encoder", e, "--cache", "c", "--plot", "c/x.png"),
    ),
    "vectors into the cache": lambda data, e: (
        *("export", "--data", data, "--encoder", e, "--cache", "c", "--out", "c/x.npy"),
    ),
}


@pytest.mark.parametrize("case", OVERWRITES)
def test_no_command_writes_over_what_it_reads(
    run: Run, data: Path, encoder: Path, case: str
) -> None:
    Path("c").mkdir()
    data.with_name("x.dropped.csv").write_bytes(data.read_bytes())
    before = {path: path.read_bytes() for path in data.parent.glob("*.csv")}
    out = run(*OVERWRITES[case](data, encoder))
    assert out.code == 2
    (line,) = out.err.splitlines()
    assert "name another" in line
    assert {path: path.read_bytes() for path in data.parent.glob("*.csv")} == before
    assert os.listdir("c") == []


def test_a_run_is_not_written_over(run: Run, data: Path, encoder: Path) -> None:
    trained = run("train", "--data", data, "--encoder", encoder, "--json").json["run"]
    out = run("predict", "--data", data, "--output", f"{trained}/training.parquet")
    assert out.code == 2
    assert "what this command reads" in out.err
    assert run("predict", "--data", data, "--output", f"{trained}/new.csv").code == 0
