"""Workers killed at random moments, and the driver too: nothing is lost, little is done twice.

    python -m benchmarks.ray.kills [--kills 20] [--driver-kills 5] [--seed 0]

A fake encoder notes every text that it begins. So it is known how many were encoded twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.ray.fakes import load_fake, open_space, vectors_of
from features.encoding.cluster.ray_cluster import encode_on_ray
from features.encoding.cluster.resources import Cluster
from features.encoding.plan import plan_encoding
from features.store.verification import verify_cache
from features.text.keys import text_keys

UNIT = 200
SECONDS = 0.002
"""Of the encoder per text, so that a unit takes 0.4 s."""


def texts_of(count: int) -> list[str]:
    """Return different texts."""
    return [f"a made-up text, number {number}" for number in range(count)]


def encode_all(folder: Path, count: int) -> None:
    """Encode all texts with two workers."""
    space = open_space(folder / "cache")
    texts = texts_of(count)
    plan = plan_encoding(texts, [space])
    load = partial(load_fake, SECONDS, folder / "notes")
    encode_on_ray(plan, texts, [space], load, Cluster(workers=2), unit_texts=UNIT)


def kill_workers(notes: Path, kills: int, rng: random.Random, killed: list[int]) -> None:
    """Kill a random worker that encodes, at a random moment, so many times."""
    while len(killed) < kills:
        time.sleep(rng.uniform(0.5, 6))
        alive = [int(path.name) for path in notes.iterdir() if _alive(int(path.name))]
        if alive:
            victim = rng.choice(alive)
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)


def _alive(process: int) -> bool:
    """Return whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def figures(folder: Path, count: int) -> dict[str, object]:
    """Return what became of a cache and of the texts."""
    texts = texts_of(count)
    space = open_space(folder / "cache")
    keys = text_keys(texts)
    missing = int(space.missing(keys).sum())
    right = not missing and np.array_equal(space.table(keys).values, vectors_of(texts).values)
    begun = Counter(
        number for path in (folder / "notes").iterdir() for number in path.read_text().split()
    )
    return {
        "texts": count,
        "missing": missing,
        "vectors_right": bool(right),
        "texts_begun_again": sum(begun.values()) - len(begun),
        "faults": [str(fault) for fault in verify_cache(folder / "cache")],
    }


def with_workers_killed(folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Encode while workers are killed."""
    (folder / "notes").mkdir(parents=True)
    killed: list[int] = []
    rng = random.Random(seed)
    threading.Thread(
        target=kill_workers, args=(folder / "notes", kills, rng, killed), daemon=True
    ).start()
    count = 0
    while len(killed) < kills:  # until all kills were made, in ever more texts
        count += 40 * UNIT
        encode_all(folder, count)
    found = figures(folder, count)
    units = int(str(found["texts_begun_again"])) / UNIT
    return {
        "killed": len(killed),
        **found,
        "units_again_per_kill": round(units / len(killed), 3),
        "reached": found["vectors_right"] and not found["faults"] and units <= len(killed),
    }


def with_driver_killed(folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Kill the driver at random moments, and run it again until all is done."""
    (folder / "notes").mkdir(parents=True)
    rng = random.Random(seed)
    count, killed = 60 * UNIT, 0
    command = [sys.executable, "-m", "benchmarks.ray.kills", "--drive", str(folder), str(count)]
    while True:
        driver = subprocess.Popen(command)
        if killed < kills:
            _wait(lambda: any(_alive(int(path.name)) for path in (folder / "notes").iterdir()))
            time.sleep(rng.uniform(0, 2))
            driver.kill()
            driver.wait()
            killed += 1
            _wait(lambda: not any(_alive(int(p.name)) for p in (folder / "notes").iterdir()))
        elif driver.wait():
            raise SystemExit("the driver failed")
        else:
            break
    found = figures(folder, count)
    units = int(str(found["texts_begun_again"])) / UNIT
    # A driver takes all its workers with it.
    return {
        "driver_killed": killed,
        **found,
        "units_again_per_kill": round(units / max(1, killed), 3),
        "reached": found["vectors_right"] and not found["faults"] and units <= 2 * killed,
    }


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not until():
        if time.monotonic() > end:
            raise SystemExit("nothing happened for two minutes")
        time.sleep(0.05)


def main() -> None:
    """Kill workers, then drivers; print what became of it as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--driver-kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drive", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.drive:
        encode_all(Path(asked.drive[0]), int(asked.drive[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        if asked.kills:
            found = with_workers_killed(Path(folder) / "workers", asked.kills, asked.seed)
            print(json.dumps(found), flush=True)
        if asked.driver_kills:
            found = with_driver_killed(Path(folder) / "driver", asked.driver_kills, asked.seed)
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
