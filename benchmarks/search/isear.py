"""``python -m benchmarks.search.isear``: a study against its trials as single commands.

A study over logistic, attention, cnn and lstm, features cached; then some of its very trials,
spread evenly over it, each as a ``manyheads train`` command of its own, as one would type it
and with ``--set refit=false``, since a trial is not refitted either. The means are extrapolated
to all. The goals: 100 trials in at most 900 seconds, and in at most a fifth of the time of the
commands.
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


def train(trial: Trial, source: list[str], runs: str, refit: bool) -> list[str]:
    """Return the words that train a trial as a run."""
    candidate = trial.candidate
    settings = {**candidate.settings, "refit": refit}
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
        singles: list[tuple[str, float, float, float]] = []
        for trial in chosen:
            typed = command(train(trial, source, runs, refit=True))
            once = command(train(trial, source, runs, refit=False))
            singles.append((trial.candidate.words(), trial.outcome.seconds, typed, once))
            print(
                f"{typed:.1f} s, {once:.1f} without refit ({trial.outcome.seconds:.1f} in the "
                f"study): {singles[-1][0]}"
            )
    found: dict[str, object] = {
        "trials": len(heads),
        "jobs": options.jobs,
        "repeats": len(record.repeats),
        "study_seconds": seconds,
        "singles": singles,
    }
    print(
        f"{len(heads)} trials and {len(record.repeats)} repeats in {seconds:.0f} s, with the "
        "run of the winner"
    )
    for name, took in (
        ("as typed", [typed for _, _, typed, _ in singles]),
        ("without refit", [once for *_, once in singles]),
    ):
        each = sum(took) / len(took)
        share = seconds / (each * len(heads))
        found[name] = {"single_seconds": each, "share": share}
        print(
            f"as single commands, {name}: {each:.1f} s each, extrapolated "
            f"{each * len(heads):.0f} s: a share of {share:.2f}"
        )
    options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
