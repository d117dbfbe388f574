"""Two workers of Ray against ``--devices cpu*2``: wall time of whole commands, and vectors.

    python -m benchmarks.ray.wall_time [--texts 10000] [--rounds 3] [--running]

With ``--running`` the cluster is started before, and its start is not counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from features.encoders.description.model import find_model
from features.store.store import FeatureStore
from features.text.keys import text_keys

MOST_RATIO = 1.15
LEAST_COSINE = 0.99999
LAYOUTS = ("pooled", "tokens")
WORDS = ["rain", "fell", "on", "the", "old", "town", "and", "we", "ran", "home", "for", "tea"]


def short_texts(count: int) -> list[str]:
    """Return different texts of 6 to 25 words."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(5, 25, count)
    return [
        " ".join([*rng.choice(WORDS, size).tolist(), str(number)])
        for number, size in enumerate(sizes.tolist())
    ]


def seconds_of(data: Path, cache: Path, *options: str) -> float:
    """Return the wall time of a whole command that fills a fresh cache."""
    command = [sys.executable, "-m", "pipeline", "features", "--data", str(data)]
    command += ["--cache", str(cache), "--precision", "float32", "--dtype", "float32"]
    command += ["--backend", "torch", "--json", *options]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr)
    return seconds


def smallest_cosine(caches: list[Path], texts: list[str]) -> float:
    """Return the smallest cosine of the vectors of two caches, over all layouts."""
    keys, found = text_keys(texts), []
    for layout in LAYOUTS:
        spec = find_model().spec(layout, dtype="float32")
        one, other = (
            np.asarray(FeatureStore(cache).space(spec).table(keys).values) for cache in caches
        )
        norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        found.append(float((np.einsum("ij,ij->i", one, other) / norms).min()))
    return min(found)


def main() -> None:
    """Run both sides in turn; print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--running", action="store_true")
    asked = parser.parse_args()
    texts = short_texts(asked.texts)
    ray, processes = ["--executor", "ray", "--workers", "2"], ["--devices", "cpu*2"]
    if asked.running:
        import ray as library

        context = library.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        ray += ["--address", context.address_info["address"]]
    seconds: dict[str, list[float]] = {"ray": [], "processes": []}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "texts.csv"
        with data.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["text"], *([text] for text in texts)])
        for turn in range(asked.rounds):
            for name, options in (("ray", ray), ("processes", processes)):
                cache = Path(folder) / f"{name} {turn}"
                seconds[name].append(seconds_of(data, cache, *options))
        caches = [Path(folder) / f"{name} 0" for name in seconds]
        cosine = smallest_cosine(caches, texts)
    ratios = [a / b for a, b in zip(seconds["ray"], seconds["processes"], strict=True)]
    figures = {
        "texts": len(texts),
        "seconds": {name: [round(each, 1) for each in all_] for name, all_ in seconds.items()},
        "ratio": round(statistics.median(ratios), 3),
        "smallest_cosine": cosine,
        "load": [round(each, 1) for each in os.getloadavg()],
        "reached": statistics.median(ratios) <= MOST_RATIO and cosine >= LEAST_COSINE,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
