"""Time to a trained head from vectors at hand: whole commands, start to end.

``manyheads train`` of a head over a warm cache against the same head in Keras and in
Lightning, each a script that loads the vectors from ``.npy`` files. Ours reads the texts,
looks every one up in the cache, looks for copies, trains, learns again with the validation
texts (``refit``; it is measured without that too), scores baselines and writes its report.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.handed import Handed
from benchmarks.measure import Result
from pipeline.console import print_note

LOOPS = {"keras": "Keras", "pytorch_lightning": "Lightning"}
SCRIPTS = {
    "keras": "benchmarks.peers.keras_loop",
    "pytorch_lightning": "benchmarks.peers.lightning_loop",
}
HEADS: dict[str, list[str]] = {"cnn": [], "lstm": [], "attention": ["members=1"]}
"""With settings that make them what the others train: one model."""

GOAL = 3.0

THREADS = frozenset({"GOMP_SPINCOUNT", "OPENBLAS_THREAD_TIMEOUT"})
"""What ``features.machine.threads`` sets, also in this process."""


def run(data: Path, cache: Path, handed: Handed) -> Iterator[Result]:
    """A result for every loop that is installed; the cache holds the vectors already."""
    installed = [name for name in LOOPS if importlib.util.find_spec(name)]
    for name in LOOPS.keys() - installed:
        print_note(f"time to a head against {LOOPS[name]} is left out: make bench installs it")
    if not installed:
        return
    with tempfile.TemporaryDirectory() as folder:
        handed.write(Path(folder))
        for head, settings in HEADS.items():
            own, accuracy = ours(head, data, cache, ["refit=true", *settings])
            once, accuracy_once = ours(head, data, cache, ["refit=false", *settings])
            for name in installed:
                peer = [SCRIPTS[name], folder, head]
                seconds, printed = command(peer, KERAS_BACKEND="torch")
                yield Result(
                    f"from cached vectors to a trained {head}, whole commands, against "
                    f"{LOOPS[name]}",
                    own,
                    seconds,
                    GOAL,
                    {
                        "test accuracy": accuracy,
                        "theirs": float(printed.split()[-1]),
                        "seconds without refit": once,
                        "test accuracy without refit": accuracy_once,
                    },
                )


def ours(head: str, data: Path, cache: Path, settings: list[str]) -> tuple[float, float]:
    """Seconds of a whole ``manyheads train`` and the test accuracy it reports."""
    with tempfile.TemporaryDirectory() as runs:
        arguments = ["pipeline", "train", "--head", head, "--json"]
        arguments += [part for setting in settings for part in ("--set", setting)]
        places = ["--data", str(data), "--cache", str(cache), "--runs", runs]
        seconds, printed = command([*arguments, *places])
    return seconds, json.loads(printed)["test"]["accuracy"]


def command(arguments: list[str], **environment: str) -> tuple[float, str]:
    """Seconds of ``python -m`` with these arguments, and what it printed.

    How long threads spin is not passed on: our commands choose it, scripts have the default.
    """
    own = {name: value for name, value in os.environ.items() if name not in THREADS}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**own, **environment},
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} failed: {done.stderr[-2000:]}")
    return time.perf_counter() - start, done.stdout
