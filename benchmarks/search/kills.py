"""``python -m benchmarks.search.kills``: a study is killed at random, joined, and starved.

Real commands in real processes, SIGKILL, and a small disk that is full. In the end the study
must have the trials of one that nobody disturbed: none lost, none twice, the same accuracies,
one winner, and one look at test. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.campaign.disks import disk, leave
from benchmarks.campaign.world import Forks, World, elapsed

SPACE = """
[study]
trials = {trials}
sampler = "random"
halving = false

[logistic]
tolerance = 1e-2

[mlp]
epochs = 5
learning_rate = {{ low = 1e-3, high = 1e-1, log = true }}
"""
NAME = "attacked"
SLACK = 1.2
"""Kills come until a little after the time that the rest of the study takes undisturbed."""

LONGEST = 600.0
"""Seconds that a search may take."""

FREE = 64 * 2**10
"""Bytes that the search finds free at most, where the disk is full."""

Trials = dict[tuple[str, ...], str]


class Attack:
    """Studies on one small world, all with the same trials."""

    def __init__(self, root: Path, trials: int, seed: int) -> None:
        self.world = World(root)
        self.root = root
        self.space = root / "space.toml"
        self.space.write_text(SPACE.format(trials=trials))
        self.random = random.Random(seed)
        self.forks = Forks(root)
        self.search(root / "whole")  # the first one starts the server of the forks
        self.seconds = elapsed(lambda: self.search(root / "again"))
        self.whole = trials_of(root / "whole")

    def arguments(self, runs: Path) -> list[str]:
        return [
            *("search", *self.world.source, "--space", str(self.space)),
            *("--runs", str(runs), "--name", NAME, "--repeats", "2"),
        ]

    def search(self, runs: Path) -> None:
        """Work on a study until it is done."""
        outcome = self.forks.attempt(self.arguments(runs), seconds=LONGEST)
        if outcome.code != 0:
            raise AssertionError(f"search: {outcome.code} {outcome.err[-1000:]}")

    def kill(self, kills: int) -> list[str]:
        """Kill processes until so many have died, on as many studies as that takes."""
        died, found, number = 0, [], 0
        while died < kills:
            runs = self.root / f"killed-{number}"
            number += 1
            for _ in range(kills):
                moment = max(0.05, self.random.uniform(0, SLACK * self.seconds))
                outcome = self.forks.attempt(self.arguments(runs), moment, seconds=LONGEST)
                if outcome.code is None or outcome.code >= 0:
                    break
                died += 1
                if died == kills:
                    break
            self.search(runs)
            found += self.judge(f"killed study {number}", runs)
        return found

    def join(self) -> list[str]:
        """Let another process help, which is killed in its turn, and a third."""
        runs = self.root / "joined"
        helpers = [Forks(self._folder(f"helper-{i}")) for i in range(2)]
        join = ["search", "--join", NAME, "--runs", str(runs)]
        found = []
        with ThreadPoolExecutor(3) as threads:
            first = threads.submit(self.search, runs)
            while not (runs / f"study-{NAME}" / "journal.log").exists():
                time.sleep(0.01)
            killed = threads.submit(helpers[0].attempt, join, self.seconds / 3)
            whole = threads.submit(helpers[1].attempt, join, seconds=LONGEST)
            first.result()
            killed.result()
            if whole.result().code != 0:
                found.append(f"a helper failed: {whole.result().err[-500:]}")
        return found + self.judge("joined study", runs)

    def fill(self) -> list[str]:
        """Let the disk be full, with some bytes left, three times; then make room."""
        found = []
        with disk(self.root / "disk", True) as mounted:
            if not mounted:
                return ["nothing can be mounted here: run it as root"]
            runs = self.root / "disk" / "runs"
            for _ in range(3):
                leave(self.root / "disk", self.random.randrange(FREE))
                outcome = self.forks.attempt(self.arguments(runs), seconds=LONGEST)
                if outcome.broken_promise:
                    found.append(f"full disk: {outcome.broken_promise}")
                (self.root / "disk" / "ballast").unlink()
            self.search(runs)
            return found + self.judge("study on a full disk", runs)

    def judge(self, name: str, runs: Path) -> list[str]:
        """Return what is wrong with a study that is done."""
        own, found = trials_of(runs), []
        if own != self.whole:
            lost, more = self.whole.keys() - own.keys(), own.keys() - self.whole.keys()
            found.append(
                f"{name}: lost {sorted(lost)}, more {sorted(more)}, or other accuracies"
            )
        result = json.loads((runs / f"study-{NAME}" / "result.json").read_text())
        named = list(runs.glob("*/metrics.json"))
        odd = [path.name for path in runs.iterdir() if path.name.startswith(".tmp")]
        if result["looks"] != 1 or len(named) != 1 or odd:
            found.append(f"{name}: {result['looks']} looks, {len(named)} runs, left: {odd}")
        return found

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir()
        return folder


def trials_of(runs: Path) -> Trials:
    """Return accuracies by kind, head, layout, settings and seeds; each must be there once."""
    with (runs / f"study-{NAME}" / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = ("kind", "head", "layout", "settings", "seeds")
    found = {tuple(row[key] for key in keys): row["accuracy"] for row in rows}
    if len(found) < len(rows):
        raise AssertionError(f"{runs}: {len(rows) - len(found)} trials are there twice")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, metavar="N")
    parser.add_argument("--trials", type=int, default=8, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    failures = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        attack = Attack(Path(folder), options.trials, options.seed)
        print(f"undisturbed: {len(attack.whole)} trials in {attack.seconds:.1f} s", flush=True)
        parts = {
            f"{options.kills} kills": lambda: attack.kill(options.kills),
            "two helpers, one killed": attack.join,
            "a full disk": attack.fill,
        }
        for name, part in parts.items():
            start = time.perf_counter()
            found = part()
            failures += found
            told = "; ".join(found) or "nothing lost, nothing twice"
            print(f"{name}: {told} ({time.perf_counter() - start:.0f} s)", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
