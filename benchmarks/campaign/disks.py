"""Full disks: every command that writes, with any number of bytes left.

On a small file system in memory, and with a limit on the size of files (``ulimit -f``), which
the commands meet as an error of the same kind; with that alone where nothing can be mounted.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.campaign.world import Forks, World, attempt
from pipeline.training.resume import FOLDER as FINISHED

DISK_BYTES = 128 * 2**20
MOST_FREE = 256 * 2**10
"""Bytes that the commands find free, at most; more than any of them needs here."""

BALLAST = "ballast"
Arguments = Callable[[World, Path], list[str]]

COMMANDS: dict[str, Arguments] = {
    "features": lambda w, f: ["features", *w.options(f / "cache")],
    "train": lambda w, f: ["train", *w.source, "--runs", str(f / "runs")],
    "cnn": lambda w, f: [
        *("train", *w.source, "--runs", str(f / "runs")),
        *("--head", "cnn", "--set", "epochs=1"),
    ],
    "export npy": lambda w, f: _export(w, f, "npy"),
    "export parquet": lambda w, f: _export(w, f, "parquet"),
    "export arrow": lambda w, f: _export(w, f, "arrow"),
    "predict csv": lambda w, f: _predict(w, f, "csv"),
    "predict parquet": lambda w, f: _predict(w, f, "parquet"),
    "audit": lambda w, f: ["audit", *w.source, "--page", str(f / "page.html")],
    "clean": lambda w, f: [
        *("audit", *w.source, "--page", "none", "--write-clean", str(f / "clean.csv")),
    ],
}


def campaign(world: World, count: int, seed: int) -> Iterator[str]:
    """Fill the disk of commands in turn; yield a line per failure."""
    rng = random.Random(seed)
    forks = Forks(world.root)
    for number in range(count):
        name = list(COMMANDS)[number // 2 % len(COMMANDS)]
        free = int(MOST_FREE ** rng.random())
        with disk(world.root / "disk", number % 2 == 0) as mounted:
            found = _judge(world, forks, COMMANDS[name], free, mounted)
        if found:
            yield (f"disk {number} ({name}, {free:,} bytes free): {found}")


def _judge(world: World, forks: Forks, command: Arguments, free: int, mounted: bool) -> str:
    folder = world.root / "disk"
    arguments = command(world, folder)
    if mounted:
        leave(folder, free)
    outcome = forks.attempt(arguments, most_bytes=None if mounted else free)
    if outcome.code not in (0, 2) or outcome.broken_promise:
        return outcome.broken_promise or f"exit code {outcome.code}: {outcome.err[-200:]}"
    if outcome.code == 2 and (found := _left_behind(folder)):
        return found
    (folder / BALLAST).unlink(missing_ok=True)
    again = forks.attempt(arguments)
    if again.code != 0:
        return f"with room again: exit code {again.code}: {again.err[-200:]}"
    if (folder / "cache").exists():
        checked = attempt(["verify", "--cache", str(folder / "cache")])
        if checked.code != 0:
            return f"verify: {checked.out[-200:]}"
    return ""


def _left_behind(folder: Path) -> str:
    """What a command that failed left, but for commits to the cache and finished trainings."""
    odd = [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and path.name != BALLAST and not _committed(path)
    ]
    return f"left behind: {odd}" if odd else ""


def _committed(path: Path) -> bool:
    if path.name.startswith((".tmp", ".probe")):
        return False
    return "cache" in path.parts[-3:] or FINISHED in path.parts


def leave(folder: Path, free: int) -> None:
    """Fill the disk of a folder but for some bytes."""
    status = os.statvfs(folder)
    size = status.f_bavail * status.f_frsize - free
    with (folder / BALLAST).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size))


@contextlib.contextmanager
def disk(folder: Path, own: bool) -> Iterator[bool]:
    """An empty folder, on a small disk of its own if it may be; whether it is on one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    mounted = own and os.geteuid() == 0 and _quietly(mount)
    try:
        yield mounted
    finally:
        if mounted:
            _quietly(["umount", "-l", str(folder)])
        shutil.rmtree(folder, ignore_errors=True)


def _quietly(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _export(world: World, folder: Path, kind: str) -> list[str]:
    out = str(folder / f"out.{kind}")
    return ["export", *world.source, "--format", kind, "--out", out]


def _predict(world: World, folder: Path, kind: str) -> list[str]:
    out = str(folder / f"out.{kind}")
    return ["predict", *world.source, "--runs", str(world.runs), "--output", out]
