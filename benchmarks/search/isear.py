"""``python -m benchmarks.search.isear``: a study against its trials as single commands.

A study over logistic, attention, cnn and lstm, features cached; then some of its very trials,
spread evenly over it, each as a ``manyheads train`` command of its own, whose mean is
extrapolated to all. Says both in seconds. The issue wants 100 trials in at most 900 seconds,
and in at most a fifth of the time of the commands.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from pipeline.search.candidate import BASELINES, Trial
from pipeline.search.records.record import read_record

HEADS = "logistic,attention,cnn,lstm"
NAME = "timed"


def command(words: list[str]) -> float:
    """Return the seconds of a command of manyheads."""
    began = time.perf_counter()
    arguments = [sys.executable, "-m", "pipeline", *words, "--json"]
    subprocess.run(arguments, stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - began


def train(trial: Trial, source: list[str], runs: str) -> list[str]:
    """Return the words that train a trial as a run: without the refit, as in the study."""
    candidate = trial.candidate
    settings = {**candidate.settings, "refit": False}
    sets = [f"{name}={value}" for name, value in settings.items()]
    words = ["train", *source, "--head", candidate.head, "--layout", candidate.layout]
    return [*words, "--runs", runs, "--set", *sets]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="labelled texts")
    parser.add_argument("--encoder", help="default: the embedded one")
    parser.add_argument("--cache", default="cache", help="feature store")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2, help="processes of the study")
    parser.add_argument("--single", type=int, default=10, help="trained as commands")
    parser.add_argument("--json", type=Path, default=Path("search-isear.json"))
    options = parser.parse_args()
    source = ["--data", str(options.data), "--cache", options.cache]
    source += ["--encoder", options.encoder] if options.encoder else []
    command(["features", *source, "--layout", "pooled"])
    command(["features", *source, "--layout", "tokens"])
    with tempfile.TemporaryDirectory() as runs:
        words = ["search", *source, "--heads", HEADS, "--trials", str(options.trials)]
        words += ["--jobs", str(options.jobs)]
        seconds = command([*words, "--runs", runs, "--name", NAME])
        record = read_record(Path(runs) / f"study-{NAME}")
        heads = [t for t in record.trials if t.candidate.head not in BASELINES]
        step = len(heads) / options.single
        chosen = [heads[int((i + 0.5) * step)] for i in range(options.single)]
        singles = []
        for trial in chosen:
            took = command(train(trial, source, runs))
            singles.append((trial.candidate.words(), trial.outcome.seconds, took))
            print(f"{took:.1f} s ({trial.outcome.seconds:.1f} in the study): {singles[-1][0]}")
    each = sum(took for *_, took in singles) / len(singles)
    found = {
        "trials": len(heads),
        "jobs": options.jobs,
        "repeats": len(record.repeats),
        "study_seconds": seconds,
        "single_seconds": each,
        "extrapolated_seconds": each * len(heads),
        "share": seconds / (each * len(heads)),
        "singles": singles,
    }
    print(
        f"{len(heads)} trials and {len(record.repeats)} repeats in {seconds:.0f} s, with the "
        f"run of the winner; as single commands {each:.1f} s each, extrapolated "
        f"{each * len(heads):.0f} s: a share of {found['share']:.2f}"
    )
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
