"""Forks children that encode, and kills each; prints what it did as JSON.

One long-lived process imports the libraries once, so that a kill costs milliseconds. It
imports no torch and starts no thread: its children are plain forks.

    python -m tests.support.drivers.kill_driver FOLDER at-random KILLS SEED
    python -m tests.support.drivers.kill_driver FOLDER at-each-call
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from features.encoders.protocol import OnBatch
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.store.store import FeatureStore
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from tests.support.encoders import CountingEncoder, spec

with suppress(ImportError):  # else pyarrow imports it in every child, which takes longest
    importlib.import_module("pandas")

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(160)]
SPECS = [spec("pooled"), spec("tokens")]
FEW = TEXTS[:8]
UNIT_TEXTS = 4
CALLS = ["write", "replace", "mkdir"]
"""What changes a cache; ``mkdir`` is pathlib's."""


class Slow(CountingEncoder):
    """A unit takes a little while, as an encoder's does."""

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        time.sleep(0.001)
        return super().encode(texts, specs, on_batch)


def fill(root: Path, texts: Sequence[str] = TEXTS) -> None:
    spaces = [FeatureStore(root).space(one, "fake") for one in SPECS]
    encode(plan_encoding(texts, spaces), texts, spaces, Slow, unit_texts=UNIT_TEXTS)


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


def die_at(name: str, number: int) -> None:
    """Kill this process at the n-th call of a function of ``os``; of a write, half is done."""
    real, left = getattr(os, name), number

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            if name == "write":
                descriptor, data = arguments
                real(descriptor, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    setattr(os, name, call)


def killed_at(root: Path, name: str, number: int) -> bool:
    """Encode a few texts in a child; whether it came to the call at which it is killed."""
    child = os.fork()
    if child == 0:
        die_at(name, number)
        try:
            fill(root, FEW)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def at_each_call(root: Path) -> dict[str, object]:
    """Let a fresh cache's writer die at its first call of a kind, at its second ..."""
    caches, calls = [], dict.fromkeys(CALLS, 0)
    for name in CALLS:
        while killed_at(root / f"{name} {calls[name]}", name, calls[name] + 1):
            caches.append(str(root / f"{name} {calls[name]}"))
            calls[name] += 1
    return {"caches": caches, "calls": calls}


def at_random(root: Path, kills: int, seed: int) -> dict[str, object]:
    """Let one cache's writers die at any time, one after another."""
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
    return {
        "caches": [str(cache) for cache in caches],
        "killed": killed,
        "leftovers": leftovers,
        "failed": failed,
        "seconds": round(time.perf_counter() - start, 1),
    }


if __name__ == "__main__":
    folder, how, *numbers = sys.argv[1:]
    if how == "at-each-call":
        report = at_each_call(Path(folder))
    else:
        report = at_random(Path(folder), *map(int, numbers))
    sys.stdout.write(json.dumps(report) + "\n")
