"""Kills at random moments of every command that writes, then the same command again."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.campaign.world import TEXTS, Forks, World, attempt, elapsed

SLACK = 1.2
"""Kills come until a little after the time that the command takes undisturbed."""


@dataclass(frozen=True)
class Job:
    """A command that writes, and what has to hold after it was killed and ran again.

    Attributes:
        arguments: of the command, with its cache and what it writes in a folder.
        check: what is wrong in that folder; '' where all holds.
    """

    arguments: Callable[[World, Path], list[str]]
    check: Callable[[World, Path], str]
    filled: bool = True


def campaign(world: World, count: int, seed: int) -> Iterator[str]:
    """Kill commands in turn; yield a line per failure."""
    rng = random.Random(seed)
    forks = Forks(world.root)
    seconds: dict[str, float] = {}
    for number in range(count):
        name = list(JOBS)[number % len(JOBS)]
        job, folder = JOBS[name], world.root / "killed"
        _prepare(world, job, folder)
        if name not in seconds:
            arguments = job.arguments(world, folder)
            seconds[name] = elapsed(lambda: forks.attempt(arguments))  # noqa: B023
            _prepare(world, job, folder)
        arguments = job.arguments(world, folder)
        moment = max(0.01, rng.uniform(0, SLACK * seconds[name]))
        forks.attempt(arguments, moment)
        again = forks.attempt(arguments)
        found = again.broken_promise
        if not found and again.code != 0:
            found = f"again: exit code {again.code}: {again.err[-300:]}"
        found = found or _cache_is_sound(folder / "cache") or job.check(world, folder)
        if found:
            yield (f"kill {number} ({name} after {moment:.2f} s): {found}")


def _prepare(world: World, job: Job, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if job.filled:
        shutil.copytree(world.cache, folder / "cache")
    world.write(folder / "half.csv", world.rows[: TEXTS // 2])


def _cache_is_sound(cache: Path) -> str:
    outcome = attempt(["verify", "--cache", str(cache)])
    if outcome.code != 0:
        return f"verify: {outcome.out[-300:]}{outcome.err[-300:]}"
    return ""


def _all_cached(world: World, folder: Path) -> str:
    vectors = world.exported(folder / "cache")
    if vectors is None or not np.array_equal(vectors, world.vectors):
        return "vectors are lost or wrong"
    return ""


def _half_cached(world: World, folder: Path) -> str:
    half = ["--data", str(folder / "half.csv")]
    out = folder / "half.npy"
    export = ["export", *world.options(folder / "cache"), *half, "--format", "npy"]
    outcome = attempt([*export, "--out", str(out)])
    if outcome.code != 0 or not np.array_equal(np.load(out), world.vectors[: TEXTS // 2]):
        return f"what was to be kept is lost: {outcome.err[-300:]}"
    return ""


def _clean(folder: Path, *expected: str) -> str:
    """Names in a folder that nobody asked for."""
    odd = {path.name for path in folder.iterdir()} - {"cache", "half.csv", *expected}
    return f"left behind: {sorted(odd)}" if odd else ""


def _runs(world: World, folder: Path) -> str:
    odd = [path.name for path in (folder / "runs").iterdir() if path.name.startswith(".tmp")]
    whole = list((folder / "runs").glob("*/metrics.json"))
    return f"left behind: {odd}" if odd else "" if whole else "no run"


def _exported(world: World, folder: Path) -> str:
    if not np.array_equal(np.load(folder / "out.npy"), world.vectors):
        return "the file is not whole"
    return _clean(folder, "out.npy")


def _predicted(world: World, folder: Path) -> str:
    lines = (folder / "out.csv").read_text().splitlines()
    return _clean(folder, "out.csv") if len(lines) == TEXTS + 1 else "the file is not whole"


JOBS = {
    "features": Job(lambda w, f: ["features", *w.options(f / "cache")], _all_cached, False),
    "more features": Job(
        lambda w, f: ["features", *w.options(f / "cache"), "--dtype", "float32"], _all_cached
    ),
    "compact": Job(lambda w, f: ["compact", "--cache", str(f / "cache")], _all_cached),
    "collect": Job(
        lambda w, f: [
            *("collect", "--yes", "--cache", str(f / "cache")),
            *("--data", str(f / "half.csv")),
        ],
        _half_cached,
    ),
    "train": Job(
        lambda w, f: ["train", *w.options(f / "cache"), "--runs", str(f / "runs")], _runs
    ),
    "export": Job(
        lambda w, f: [
            *("export", *w.options(f / "cache")),
            *("--format", "npy", "--out", str(f / "out.npy")),
        ],
        _exported,
    ),
    "predict": Job(
        lambda w, f: [
            *("predict", *w.options(f / "cache"), "--runs", str(w.runs)),
            *("--output", str(f / "out.csv")),
        ],
        _predicted,
    ),
}
