"""Forks children that encode, and kills each at a random moment; prints what it did as JSON.

One long-lived process imports the libraries once, so that a kill costs milliseconds. It
imports no torch and starts no thread: its children are plain forks.

    python -m tests.support.kill_driver CACHE KILLS SEED
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from features.encoders.protocol import OnBatch
from features.encoding import job
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.store.store import FeatureStore
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from tests.support.encoders import CountingEncoder, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(160)]
SPECS = [spec("pooled"), spec("tokens")]
WINDOW_TEXTS = 4


class Slow(CountingEncoder):
    """A window takes a little while, as an encoder's does."""

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        time.sleep(0.001)
        return super().encode(texts, specs, on_batch)


def fill(root: Path) -> None:
    spaces = [FeatureStore(root).space(one, "fake") for one in SPECS]
    encode(plan_encoding(TEXTS, spaces), TEXTS, spaces, Slow)


def forked(root: Path) -> int:
    """A child that encodes; 0 as its exit code when all was encoded."""
    child = os.fork()
    if child == 0:
        try:
            fill(root)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    return child


def shards(root: Path) -> int:
    return len(list(root.glob("*/*.parquet")))


def wait_for(root: Path, count: int, child: int) -> None:
    """Until a cache holds so many shards, or the child is gone. Load does not matter so."""
    while shards(root) < count:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        time.sleep(0.001)


def main(root: Path, kills: int, seed: int) -> None:
    job.UNIT_TEXTS = WINDOW_TEXTS
    rng = random.Random(seed)
    start = time.perf_counter()
    caches, killed, leftovers, failed = [root / "0"], 0, 0, 0
    while killed < kills:
        before = shards(caches[-1])
        child = forked(caches[-1])
        wait_for(caches[-1], before + rng.randrange(25), child)
        time.sleep(rng.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        leftovers += len(list(caches[-1].glob("*/.tmp-*")))
        if os.WIFSIGNALED(status):
            killed += 1
        else:  # it had finished: a fresh cache for those to come
            failed += os.WEXITSTATUS(status) != 0
            caches.append(root / str(len(caches)))
    report = {
        "caches": [str(cache) for cache in caches],
        "killed": killed,
        "leftovers": leftovers,
        "failed": failed,
        "seconds": round(time.perf_counter() - start, 1),
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
