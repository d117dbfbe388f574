"""How cost grows with the number of texts: seconds and memory of whole commands.

    python -m benchmarks.growth [--sizes 1000 10000 100000 1000000] [--folder growth]

The texts are made up, with planted copies, and so are the vectors, by an encoder that costs
little: what is left is manyheads. Each command runs in a process of its own. What was
measured is in ``growth.json`` of the folder and is not measured again, so a run that was
stopped goes on.
Exit code 1 if something grows faster than N log N.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growth.command import NEAR
from benchmarks.growth.corpus import write_corpus
from benchmarks.growth.measured import lines, too_fast
from benchmarks.growth.plot import draw
from pipeline.console import print_note

SIZES = (1_000, 10_000, 100_000, 1_000_000)
COLD = "features, cold"
JOBS = (
    COLD,
    "features, cached",
    NEAR,
    "train, first",
    "train, again",
    "train with words",
    "predict of a file",
    "verify",
    "cache",
)
"""In the order in which they run: each needs what those before it made. The head is logistic,
on pooled vectors alone or, as is its default, with words."""


def arguments_of(job: str, folder: Path) -> list[str]:
    """Return the arguments of a job on the texts in a folder."""
    data, cache = str(folder / "texts.csv"), ["--cache", str(folder / "cache")]
    runs = ["--runs", str(folder / "runs")]
    layout = ["--layout", "pooled"]
    train = ["train", "--data", data, *cache, *runs, "--head", "logistic"]
    return {
        COLD: ["features", "--data", data, *cache, *layout],
        "features, cached": ["features", "--data", data, *cache, *layout],
        NEAR: [NEAR, data, cache[1], str(folder / "copies.npz")],
        "train, first": [*train, *layout],
        "train, again": [*train, *layout],
        "train with words": train,
        "predict of a file": [
            *["predict", "--data", data, *cache, *runs],
            *["--output", str(folder / "labelled.csv")],
        ],
        "verify": ["verify", *cache],
        "cache": ["cache", *cache],
    }[job]


def measure(folder: Path, size: int, known: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each job of a size that is not known, and what it took.

    Raises:
        RuntimeError: a command failed.
    """
    wanted = {job for job in JOBS if job not in known}
    if not wanted:
        return
    place = folder / f"{size}"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "copies.npz").exists():
        copies = write_corpus(place / "texts.csv", size)
        rows, sources = copies.rows, copies.sources
        np.savez(place / "copies.npz", rows=rows, sources=sources, exact=copies.exact)
        wanted = {*JOBS}  # the files that later jobs need are gone
    for job in JOBS:
        if job in wanted:
            if job == COLD:  # vectors of a run that was stopped
                shutil.rmtree(place / "cache", ignore_errors=True)
            yield job, measured(place, job)
    shutil.rmtree(place)


def measured(place: Path, job: str) -> dict[str, Any]:
    """Return what one job took, in a process of its own."""
    result = place / "result.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth.command", result, *arguments_of(job, place)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    if done.returncode:
        raise RuntimeError(f"{job} failed with code {done.returncode}: {done.stderr[-2000:]}")
    facts: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return facts


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, print the table and draw the picture."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of texts")
    parser.add_argument(
        "--folder", type=Path, default=Path("growth"), help="of growth.json and of the texts"
    )
    parser.add_argument(
        "--clock",
        choices=("seconds", "processor"),
        default="seconds",
        help="processor: on a busy machine",
    )
    parser.add_argument("--plot", type=Path, help="draw here (default: FOLDER/growth.svg)")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "growth.json"
    found: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    for size in sorted(options.sizes):
        known = found.setdefault(str(size), {})
        for job, facts in measure(options.folder, size, known):
            known[job] = facts
            path.write_text(json.dumps(found, indent=1) + "\n")
            print_note(f"{size:,} texts, {job}: {facts}")
    table = {
        job: {int(size): jobs[job] for size, jobs in found.items() if job in jobs}
        for job in JOBS
    }
    sys.stdout.write("\n".join(lines(table, options.clock)) + "\n")
    draw(table, options.clock, options.plot or options.folder / "growth.svg")
    worse = too_fast(table, options.clock)
    for job, ratio in worse.items():
        print_note(f"{job} grows {ratio:.1f} times as fast as N log N")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
