"""The driver's memory and the workers' idle time, with ever more texts and a fake encoder.

    python -m benchmarks.ray.driver [--texts 100000 1000000] [--workers 4]

Each number of texts has a process of its own, whose memory is that of the driver. The texts
come from an iterable that makes them up, as from a file.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.ray.fakes import load_fake, open_space
from features.encoding.cluster.connection import connected
from features.encoding.cluster.ray_cluster import RayExecutor
from features.encoding.cluster.resources import Cluster
from features.encoding.job import run_plan
from features.encoding.plan import plan_encoding

MOST_MORE = 300e6
"""Bytes that the driver may take more for ten times the texts."""


class MadeUp:
    """Texts by number, made anew in each iteration."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[str]:
        return (
            f"a made-up text about nothing much at all, number {i}" for i in range(self.count)
        )


def peak() -> int:
    """Return the most bytes of memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(count: int, workers: int, seconds: float) -> None:
    """Encode so many texts; print the figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        space = open_space(Path(folder))
        start = time.perf_counter()
        plan = plan_encoding(MadeUp(count), [space])
        planned = time.perf_counter()
        with connected(Cluster(workers=workers)) as found:
            executor = RayExecutor(
                partial(load_fake, seconds, None), found, lambda texts, tokens: None
            )
            before, used = peak(), time.process_time()
            report = run_plan(plan, MadeUp(count), [space], executor)
            used = time.process_time() - used
        figures = {
            "texts": count,
            "encoded": report.encoded,
            "shards": len(space.shard_names()),
            "planning_seconds": round(planned - start, 2),
            "encoding_seconds": round(report.seconds - report.loading, 2),
            "driver_cpu_seconds": round(used, 2),
            "utilisation": round(executor.utilisation, 4),
            "peak_bytes": peak(),
            "peak_before_encoding": before,
            "index_bytes": (space.folder / "index.arrow").stat().st_size,
        }
    print(json.dumps(figures))


def main() -> None:
    """Run each number of texts in a process of its own, and compare the memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2e-4, help="of the encoder per text")
    parser.add_argument("--alone", action="store_true", help="in this process")
    asked = parser.parse_args()
    if asked.alone:
        run(asked.texts[0], asked.workers, asked.seconds)
        return
    found = []
    for count in asked.texts:
        command = [sys.executable, "-m", "benchmarks.ray.driver", "--alone"]
        command += ["--texts", str(count), "--workers", str(asked.workers)]
        command += ["--seconds", str(asked.seconds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(done.stdout, end="", flush=True)
        found.append(json.loads(done.stdout))
    more = found[-1]["peak_bytes"] - found[0]["peak_bytes"]
    print(json.dumps({"more_bytes": more, "reached": more <= MOST_MORE}))


if __name__ == "__main__":
    main()
