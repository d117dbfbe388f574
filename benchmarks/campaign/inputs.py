"""Bad inputs: command lines, corpora, runs and encoder folders with something wrong.

Every one may be taken or refused: exit code 0, or 2 with one line on stderr.
"""

from __future__ import annotations

import codecs
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.campaign.world import World, attempt, inside

VALUES = (
    *("", " ", "--", "-", "-1", "0", "1", "0.5", "1e308", "1e-308", "inf", "-inf", "nan"),
    *("9" * 25, "0x10", "1_000", "٣", "a" * 300, "/" + "a" * 4000, "é", "\udcff", "a\nb"),
    *("[", "{}", "%s", "$a$", "text", "label", "pooled", "tokens", "sentences", "*", "cpu*0"),
    *("s3://", "s3:///x", "file://host/x", "http://x/y", "hub:", "no/such", ".", "./.", "x,y"),
    *("<script>", "=1+1", "latest", "1,2,3", "epochs=", "epochs=-1", "=1", "x=y", "loss=none"),
)
"""Odd values of options. None names anything outside the folder of the attempt."""

SLOW = ("--seeds", "--folds", "--set", "--steps")
"""Options whose large values are right and take long: they get small ones only."""

Bytes = Callable[[random.Random, bytes], bytes]


def commands(world: World, data: str = "data.csv", encoder: str = "model") -> list[list[str]]:
    """Command lines that work in a folder that ``_place`` filled."""
    source = ["--data", data, "--encoder", encoder, "--cache", "cache"]
    text = ["--text", "a cat sat on the mat"]
    return [
        ["features", *source, "--layout", "pooled", "--dtype", "float16", "--memory", "1GB"],
        [
            "features",
            *source,
            "--max-tokens",
            "64",
            "--precision",
            "float32",
            "--devices",
            "cpu",
        ],
        ["train", *source, "--runs", "runs", "--head", "logistic", "--seed", "1"],
        ["train", *source, "--runs", "runs", "--head", "mlp", "--set", "epochs=1"],
        [
            "train",
            *source,
            "--runs",
            "runs",
            "--text-column",
            "text",
            "--label-column",
            "label",
        ],
        ["predict", "--run", "latest", "--runs", "runs", "--cache", "cache", *text],
        ["predict", "--run", "latest", *source, "--runs", "runs", "--output", "out.csv"],
        ["audit", *source, "--page", "page.html", "--write-clean", "clean.csv"],
        ["export", *source, "--format", "npy", "--out", "out.npy"],
        ["export-model", "--run", "latest", "--runs", "runs", "--out", "folder"],
        ["verify", "--cache", "cache"],
        ["cache", "--cache", "cache"],
        ["compact", "--cache", "cache"],
        ["collect", "--cache", "cache", "--data", data, "--older-than", "2020-01-01"],
        ["heads"],
    ]


def campaign(world: World, count: int, seed: int) -> Iterator[str]:
    """Try bad inputs of all four kinds in turn; yield a line per failure."""
    rng = random.Random(seed)
    folder = world.root / "inputs"
    kinds = (_command_line, _corpus, _run, _encoder)
    for number in range(count):
        _place(world, folder)
        with inside(folder):
            arguments, said = kinds[number % len(kinds)](rng, world)
            outcome = attempt(arguments)
        broken = outcome.broken_promise
        # Damaged weights may well give NaN, which is a fault that is told as one.
        told = said.startswith("encoder") and "fault: " in outcome.err
        if not broken and outcome.code == 1 and arguments[0] != "verify" and not told:
            broken = f"exit code 1: {outcome.err[-200:]!r}"
        if broken:
            shown = " ".join(argument[:40] for argument in arguments)
            yield (f"input {number} ({said}; {shown!r}): {broken}")


def _place(world: World, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in (world.cache, world.model, world.runs):
        shutil.copytree(path, folder / path.name, symlinks=True)
    shutil.copy(world.data, folder / "data.csv")


def _command_line(rng: random.Random, world: World) -> tuple[list[str], str]:
    """A command line with one to three odd values, missing or doubled words."""
    arguments = list(rng.choice(commands(world)))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        place = rng.randrange(1, max(2, len(arguments)))
        before = arguments[place - 1] if place - 1 < len(arguments) else ""
        if before in SLOW:
            continue
        way = rng.randrange(6)
        if way < 3 and place < len(arguments):
            arguments[place] = rng.choice(VALUES)
        elif way == 3 and before.startswith("--") and place < len(arguments):
            arguments[place - 1 : place + 1] = [f"{before}={rng.choice(VALUES)}"]
        elif way == 4:
            arguments.insert(place, rng.choice(VALUES))
        elif place < len(arguments):
            del arguments[place]
    return arguments, "command line"


def _corpus(rng: random.Random, world: World) -> tuple[list[str], str]:
    """A corpus of another encoding, separator or type, or with damaged bytes."""
    name, damage = rng.choice(list(CORPORA.items()))
    suffix = rng.choice([".csv", ".tsv", ".jsonl", ".parquet", ".txt", ""])
    good = Path("data.csv").read_bytes()
    if suffix == ".jsonl":
        good = b"".join(
            b'{"text": "%s", "label": "%s"}\n' % (t.encode(), y.encode()) for t, y in world.rows
        )
    elif suffix == ".tsv":
        good = good.replace(b",", b"\t")
    elif suffix == ".parquet":
        columns = dict(
            zip(("text", "label"), map(list, zip(*world.rows, strict=True)), strict=True)
        )
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink)
        good = sink.getvalue().to_pybytes()
    path = Path(f"odd{suffix}")
    path.write_bytes(damage(rng, good))
    some = [each for each in commands(world, str(path)) if "--data" in each]
    return rng.choice(some), f"corpus: {name} as {suffix or 'no suffix'}"


def _run(rng: random.Random, world: World) -> tuple[list[str], str]:
    """A run folder with a damaged or missing file."""
    files = sorted(path for path in Path("runs").rglob("*") if path.is_file())
    path = rng.choice(files)
    name = _damage(rng, path)
    some = [each for each in commands(world) if "latest" in each]
    return rng.choice(some), f"run: {name} {path.name}"


def _encoder(rng: random.Random, world: World) -> tuple[list[str], str]:
    """An encoder folder with a damaged or missing file, and nothing cached."""
    path = rng.choice(sorted(path for path in Path("model").rglob("*") if path.is_file()))
    name = _damage(rng, path)
    shutil.rmtree("cache")
    some = [each for each in commands(world) if each[0] in ("features", "train")]
    return rng.choice(some), f"encoder: {name} {path.name}"


def _damage(rng: random.Random, path: Path) -> str:
    name, damage = rng.choice(list(DAMAGES.items()))
    if name == "missing":
        path.unlink()
    else:
        path.write_bytes(damage(rng, path.read_bytes()))
    return name


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 5, 50])):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _inserted(rng: random.Random, data: bytes) -> bytes:
    odd = rng.choice([b'"', b"\0", b"\r", b"\n\n", b",,,", b"\xff\xfe", b"\xe9", b"[" * 3000])
    place = rng.randrange(len(data) + 1)
    return data[:place] + odd + data[place:]


def _number(rng: random.Random, data: bytes) -> bytes:
    """One digit run becomes another number, a string or null."""
    digits = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
    if not digits:
        return data
    place = rng.choice(digits)
    odd = rng.choice([b"-1", b"0", b"1e999", b'"x"', b"null", b"[]", b"{}", b"99999999999999"])
    return data[:place] + odd + data[place + 1 :]


DAMAGES: dict[str, Bytes] = {
    "cut": _cut,
    "flipped": _flipped,
    "inserted": _inserted,
    "number": _number,
    "missing": _cut,
    "empty": lambda rng, data: b"",
    "a list": lambda rng, data: b"[1, 2]",
    "null": lambda rng, data: b"null",
}

CORPORA: dict[str, Bytes] = {
    "cut": _cut,
    "flipped": _flipped,
    "inserted": _inserted,
    "empty": lambda rng, data: b"",
    "a header alone": lambda rng, data: data[: data.find(b"\n") + 1],
    "a byte order mark": lambda rng, data: codecs.BOM_UTF8 + data,
    "UTF-16": lambda rng, data: data.decode("latin-1").encode("utf-16"),
    "UTF-16 without a mark": lambda rng, data: data.decode("latin-1").encode("utf-16-le"),
    "UTF-32": lambda rng, data: data.decode("latin-1").encode("utf-32"),
    "Windows-1252": lambda rng, data: data.replace(b"a", b"\xe4"),
    "semicolons": lambda rng, data: b"sep=;\r\n" + data.replace(b",", b";"),
    "old line ends": lambda rng, data: data.replace(b"\n", b"\r"),
    "columns too many": lambda rng, data: data.replace(b"\n", b",,,\n"),
    "twice the header": lambda rng, data: data[: data.find(b"\n") + 1] + data,
    "other columns": lambda rng, data: data.replace(b"text", b"Text"),
    "one label": lambda rng, data: data.replace(b"bad", b"good"),
    "invisible texts": lambda rng, data: data.replace(b"a", "\u200b".encode()),
    "random bytes": lambda rng, data: rng.randbytes(500),
}
