"""The command line itself: help, version, examples, odd values, errors of the system."""

from __future__ import annotations

import errno
import json
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import CacheError
from features.storage.location import parse_location
from pipeline.cli.main import COMMANDS, make_parser
from pipeline.cli.system_errors import system_error
from tests.support.cli import Output, Run

LONG = "a" * 300


def refused(out: Output) -> str:
    assert (out.code, out.out) == (2, "")
    (line,) = [line for line in out.err.splitlines() if line.startswith("error: ")]
    assert out.err.splitlines()[-1] == line
    return line


def test_version_and_the_help_of_nothing(run: Run) -> None:
    assert run("--version").out.startswith("manyheads 0.")
    alone = run()
    assert (alone.code, alone.err) == (2, "")  # help on stdout and not 0, as git does
    assert "usage: manyheads" in alone.out
    assert all(name in alone.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_begins_with_an_example(
    name: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leave:
        run(name, "--help")
    assert leave.value.code == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(f"example: manyheads {name} ")
    parsed = make_parser().parse_args(shlex.split(first)[2:])
    assert parsed.command == name


def parsed_help(name: str, example: list[str]) -> str:
    return make_parser().parse_args([name, *example]).parser.format_help()


def test_the_examples_run(run: Run, data: Path, encoder: Path) -> None:
    data.rename("texts.csv")
    quick = {"train": ("--set", "epochs=1"), "lr-range": ("--steps", "20")}
    quick["layers"] = ("--layers", "1,2", "--seeds", "1", "--set", "epochs=1")
    quick["search"] = ("--trials", "0", "--heads", "logistic")
    for name in COMMANDS:
        # They take runs or folders that are to be made first, or do not end.
        if name in ("blend", "compare", "encoders", "log", "serve"):
            continue
        example = shlex.split(COMMANDS[name].example)
        # Of a run the encoder is known.
        known = name in ("doctor", "export-model")
        if not known and "--encoder" in parsed_help(name, example):
            example += ["--encoder", str(encoder)]
        out = run(name, *example, *quick.get(name, ()))
        assert out.code == 0, (name, out.err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("cache", "--cache", LONG),
        ("compact", "--cache", LONG),
        ("collect", "--cache", LONG, "--older-than", "2026-01-31"),
        ("verify", "--cache", LONG),
        ("features", "--cache", LONG),
        ("features", "--data", f"{LONG}.csv"),
        ("features", "--encoder", LONG),
        ("predict", "--text", "x", "--run", LONG),
        ("predict", "--text", "x", "--runs", LONG),
        ("predict", "--text", "x", "--output", f"{LONG}.csv"),
        ("runs", "--runs", LONG),
        ("show", LONG),
        ("export", "--out", f"{LONG}.npy"),
        ("export-model", "--out", LONG),
        ("audit", "--page", LONG),
        ("audit", "--page", "none", "--write-clean", f"{'a' * 250}.csv"),
        ("train", "--split-of", LONG),
        ("blend", LONG, LONG),
        ("lr-range", "--plot", f"{LONG}.png"),
        ("layers", "--plot", f"{LONG}.png"),
    ],
    ids=lambda arguments: " ".join(arguments)[:24],
)
def test_a_name_that_is_too_long(
    run: Run, data: Path, encoder: Path, arguments: tuple[str, ...]
) -> None:
    given = [*arguments]
    if given[0] in ("features", "audit", "train", "export", "lr-range", "layers"):
        given += [] if "--data" in given else ["--data", str(data)]
        given += [] if "--encoder" in given else ["--encoder", str(encoder)]
    assert "File name too long" in refused(run(*given))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("cache", "--cache=--"), "--cache takes a value"),
        (("predict", "--text=--"), "--text takes a value"),
        (("features", "--encoder=--"), "--encoder takes a value"),
        (("cache", "--cache", ""), "names no file or folder"),
        (("cache", "--cache", "a\0b"), "names no file or folder"),
        (("features", "--data", "a\0b"), "names no file or folder"),
        (("train", "--memory", "1e308"), "--memory takes gigabytes"),
        (("train", "--memory", "nan"), "--memory takes gigabytes"),
        (("lr-range", "--steps", "9" * 20), "--steps takes 20 to"),
        (("train", "--seed", "9" * 5000), "--seed"),
        (("predict", "--text", "caf\udce9"), "is not UTF-8"),
    ],
)
def test_odd_values(run: Run, arguments: tuple[str, ...], part: str) -> None:
    assert part in refused(run(*arguments))


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_location("~/cache") == tmp_path / "cache"
    assert parse_location("~no such user/cache") == Path("~no such user/cache")


def test_damaged_runs_are_named_in_one_line(run: Run, data: Path, encoder: Path) -> None:
    trained = run("train", "--data", data, "--encoder", encoder, "--json").json["run"]
    assert run("export-model", trained, "--out", "model").code == 0
    predict = ("predict", "--text", "rain again", "--explain", "--run")
    damages = {
        "config.json": [b"", b"null", b"[" * 100_000, b'{"resolved": []}'],
        "head.json": [b"null", b"[" * 100_000],
        "head.safetensors": [b"", b"half"],
        "training.parquet": [b"", b"PAR1"],
    }
    for name, contents in damages.items():
        path = Path(trained, name)
        right = path.read_bytes()
        for content in contents:
            path.write_bytes(content)
            assert name in refused(run(*predict, trained)), (name, content[:9])
        path.write_bytes(right)
    pq.write_table(pa.table({"row": [1]}), Path(trained, "training.parquet"))
    assert "training.parquet" in refused(run(*predict, trained))
    model = json.loads(Path("model/model.json").read_text())
    for layers in ("x", {}, [None], [1, 2]):
        model["encoder"]["spec"]["layers"] = layers
        Path("model/model.json").write_text(json.dumps(model))
        line = refused(run("predict", "--text", "x", "--run", "model", "--encoder", encoder))
        assert "model.json is damaged (its spec of the vectors" in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left", "x.bin"), "No space left: x.bin"),
        (OSError(errno.EROFS, "Read-only file system"), "the system says: Read-only"),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"),
            "set TMPDIR",
        ),
        (MemoryError("Unable to allocate 8 TiB"), "too little free memory"),
    ],
)
def test_errors_of_the_system_are_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str
) -> None:
    def fail(cache: Path) -> None:
        try:
            raise error
        except type(error) as cause:
            raise RuntimeError("a library gives up") from cause

    monkeypatch.setattr("features.store.manifest.existing_cache", fail)
    assert line in refused(run("cache"))


def test_faults_of_ours_keep_their_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (FileNotFoundError(errno.ENOENT, "gone", "x"), KeyError("x")):
        assert system_error(error) is None

        def fail(cache: Path, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("features.store.manifest.existing_cache", fail)
        with pytest.raises(type(error)):
            run("cache")
    assert system_error(CacheError("a message")) is None
