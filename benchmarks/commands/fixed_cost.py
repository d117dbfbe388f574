"""What an experiment costs beside its training: seconds of a warm ``train``, by part.

    python -m benchmarks.commands.fixed_cost --data texts.csv --head logistic --head attention

On a busy machine ``--clock cpu`` gives the seconds of the processor instead, over all threads
and processes: that of a quiet machine with one core, about.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks.measure import Result
from pipeline.config import EXAMPLE, VectorConfig
from pipeline.console import print_note

HEADS = ("logistic", "attention")
GOAL = 1.5
"""Seconds of a warm experiment beside the import of torch and the fit."""

TORCH, FIT, TOTAL, CPU = "import torch", "fit", "total", "processor"
WALL = "wall"
FREE = (TORCH, FIT)
"""Parts that are no fixed cost."""

START = "start of Python"
PARTS = (
    START,
    TORCH,
    "other imports",
    "corpus",
    "cache",
    "near-duplicates",
    "split",
    FIT,
    "baselines",
    "evaluation",
    "pictures",
    "files",
    "rest",
    TOTAL,
    CPU,
)

Seconds = dict[str, float]


def run(data: Path, cache: Path, rounds: int) -> Iterator[Result]:
    """Yield the fixed cost of the heads on some labelled texts."""
    for head in HEADS:
        parts = measured(head, data, cache, rounds)
        notes: dict[str, float | str] = {
            name: round(parts[name], 2) for name in PARTS if parts.get(name, 0) >= 0.005
        }
        name = f"train --head {head} on {data.name}, all cached, beside torch and the fit"
        yield Result(name, fixed(parts), None, GOAL, notes)


def fixed(parts: Seconds) -> float:
    """Return the seconds of a run that are neither of torch's import nor of the fit."""
    return parts[TOTAL] - sum(parts.get(name, 0.0) for name in FREE)


def measured(head: str, data: Path, cache: Path, rounds: int, clock: str = WALL) -> Seconds:
    """Return the median seconds of each part over rounds; a first run, not counted, fills the
    cache.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = [once(head, data, cache, Path(folder), clock) for _ in range(rounds + 1)][1:]
    return {name: statistics.median(each.get(name, 0.0) for each in found) for name in PARTS}


def once(head: str, data: Path, cache: Path, folder: Path, clock: str) -> Seconds:
    """Return the seconds of each part of one whole command.

    ``processor`` has the user and system seconds of all its processes.
    """
    target = folder / "parts.json"
    arguments = ["train", "--data", str(data), "--cache", str(cache), "--head", head]
    arguments += ["--runs", str(folder / "runs")]
    before, started = os.times(), time.time()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.commands.parts",
            str(target),
            clock,
            repr(started),
            *arguments,
        ],
        check=True,
        capture_output=True,
    )
    total, after = time.time() - started, os.times()
    parts: Seconds = json.loads(target.read_text(encoding="utf-8"))
    spent = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    total = total if clock == WALL else spent
    return {**parts, "rest": total - sum(parts.values()), TOTAL: total, CPU: spent}


def table(found: dict[str, Seconds]) -> str:
    """Return the parts as a Markdown table, a column per head."""
    lines = [f"| part | {' | '.join(found)} |", "|---|" + "---|" * len(found)]
    for name in PARTS:
        cells = " | ".join(f"{parts[name]:.2f}" for parts in found.values())
        lines.append(f"| {name} | {cells} |")
    cells = " | ".join(f"{fixed(parts):.2f}" for parts in found.values())
    return "\n".join([*lines, f"| **fixed** | {cells} |"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit code 1 where the goal was not reached."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.commands.fixed_cost", description=__doc__
    )
    parser.add_argument("--data", type=Path, default=EXAMPLE, help="labelled texts")
    parser.add_argument("--head", action="append", help=f"default: {' and '.join(HEADS)}")
    parser.add_argument("--cache", type=Path, default=VectorConfig.cache, help="feature store")
    parser.add_argument("--rounds", type=int, default=3, help="the median counts")
    parser.add_argument("--clock", choices=(WALL, "cpu"), default=WALL)
    options = parser.parse_args(arguments)
    found = {}
    for head in options.head or HEADS:
        found[head] = measured(head, options.data, options.cache, options.rounds, options.clock)
        print_note(f"{head}: {fixed(found[head]):.2f} s beside torch and the fit")
    sys.stdout.write(table(found) + "\n")
    return 0 if all(fixed(parts) <= GOAL for parts in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
