"""``python -m benchmarks.search.peers``: what a search reaches in what time, against its peers.

The same texts, split and vectors, cached before any clock runs; one run each. ``manyheads
search`` uses ``--jobs`` processes, and a peer one. A peer stops after as many trials, or after
twice the time of ``manyheads search``:

- ``manyheads search``, the whole command;
- Optuna over scikit-learn's LogisticRegression and MLPClassifier, on pooled vectors;
- Optuna over the plain PyTorch loops of ``benchmarks.heads``, on tokens.

Each keeps the trial that is best on validation, and test is scored once, at the end. Writes the
points as JSON and a drawing: the best validation accuracy so far against wall time. AutoIntent
is not among them: docs/search.md says why.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import optuna

from benchmarks.search.plain import plain_trial
from features.duplicates.duplicates import cached_duplicates
from features.splits.split import Split
from features.storage.location import parse_location
from features.vectors.table import POOLED, TOKENS, FeatureTable
from pipeline.config import DataConfig, VectorConfig
from pipeline.encoding.vectors import ensure_vectors
from pipeline.runs.environment import environment
from pipeline.search.candidate import BASELINES
from pipeline.search.records.record import read_record
from pipeline.training.partition import read_labelled, split_corpus

HEADS = "logistic,mlp,attention,cnn,lstm"
OURS, SKLEARN, TORCH = "manyheads search", "Optuna, scikit-learn", "Optuna, plain PyTorch"
HIDDEN = ("128", "256", "512", "256,128")
NAME = "peers"

LONGEST = 2.0
"""Time of a peer, as a multiple of that of ``manyheads search``."""


@dataclass
class Reached:
    """What one of them reached.

    Attributes:
        name: which.
        points: (seconds since its start, best validation accuracy so far).
        seconds: of all of it, with what comes after the trials.
        test: accuracy on test of what it names; None where it was not scored.
        best: what it names.
    """

    name: str
    points: list[tuple[float, float]]
    seconds: float
    test: float | None
    best: str


@dataclass(frozen=True, eq=False)
class Given:
    """What all of them get: tables, (N,) class ids, and the sides."""

    pooled: FeatureTable
    tokens: FeatureTable
    labels: np.ndarray
    split: Split


def given(data: DataConfig, vectors: VectorConfig) -> Given:
    """Encode what is missing, and split as the search does."""
    corpus = read_labelled(data)
    both = ensure_vectors(corpus.texts, vectors, [POOLED, TOKENS])
    pooled = both.table(POOLED)
    duplicates = cached_duplicates(vectors.cache, corpus.texts, pooled.values)
    split = split_corpus(corpus, data, duplicates)
    return Given(pooled, both.table(TOKENS), split.label_ids(corpus.labels or ()), split)


def ours(options: argparse.Namespace, runs: Path) -> Reached:
    """The whole command; its journal has when each trial ended."""
    words = ["search", "--data", options.data, "--trials", options.trials, "--heads", HEADS]
    words += ["--cache", options.cache, "--runs", runs, "--name", NAME, "--json"]
    words += ["--jobs", options.jobs]
    words += ["--encoder", options.encoder] if options.encoder else []
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.time() - began
    record = read_record(runs / f"study-{NAME}")
    points, best = [], 0.0
    for trial in record.trials:
        if trial.outcome.whole and trial.candidate.head not in BASELINES:
            best = max(best, trial.outcome.accuracy)
            points.append((trial.outcome.ended - began, best))
    printed = json.loads(done.stdout)
    winner = record.finalists[0].candidate.words()
    return Reached(OURS, points, seconds, printed["winner"]["test"]["accuracy"], winner)


def tuned(
    name: str, trials: int, limit: float, train: Callable[[optuna.Trial], Any]
) -> Reached:
    """A study of Optuna as one writes it first: TPE, one objective, nothing stopped.

    Args:
        limit: seconds after which no other trial begins.
        train: of a trial returns (validation accuracy, a function that scores test).
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    began = time.perf_counter()
    points: list[tuple[float, float]] = []
    kept: dict[str, Any] = {"accuracy": -1.0}

    def objective(trial: optuna.Trial) -> float:
        accuracy, score_test = train(trial)
        if accuracy > kept["accuracy"]:
            kept.update(accuracy=accuracy, test=score_test, best=str(trial.params))
        points.append((time.perf_counter() - began, kept["accuracy"]))
        print(f"{name}: trial {len(points)}: {accuracy:.1%}", file=sys.stderr, flush=True)
        return float(accuracy)

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=0)
    )
    study.optimize(objective, n_trials=trials, timeout=limit)
    test = kept["test"]()
    return Reached(name, points, time.perf_counter() - began, test, kept["best"])


def sklearn_trial(found: Given) -> Callable[[optuna.Trial], Any]:
    """Return the training of a trial with scikit-learn, on scaled pooled vectors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    split, labels = found.split, found.labels
    values = found.pooled.values.astype(np.float32)
    scaled = StandardScaler().fit(values[split.train]).transform(values)

    def train(trial: optuna.Trial) -> Any:
        if trial.suggest_categorical("head", ["logistic", "mlp"]) == "logistic":
            c = trial.suggest_float("C", 1e-3, 1e2, log=True)
            model = LogisticRegression(C=c, max_iter=1000)
        else:
            hidden = trial.suggest_categorical("hidden", HIDDEN)
            model = MLPClassifier(
                tuple(map(int, hidden.split(","))),
                alpha=trial.suggest_float("alpha", 1e-6, 1e-1, log=True),
                learning_rate_init=trial.suggest_float("rate", 1e-4, 1e-2, log=True),
                early_stopping=True,
                random_state=0,
            )
        model.fit(scaled[split.train], labels[split.train])

        def score(rows: np.ndarray) -> float:
            return float((model.predict(scaled[rows]) == labels[rows]).mean())

        return score(split.validation), lambda: score(split.test)

    return train


def draw(found: list[Reached], path: Path, title: str) -> None:
    """Draw the best validation accuracy so far against wall time; a cross is test."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for each, style in zip(found, ("-", "--", ":"), strict=False):
        xs = [x for x, _ in each.points] + [each.seconds]
        ys = [100 * y for _, y in each.points]
        (line,) = axes.step(xs, [*ys, ys[-1]], style, where="post", label=each.name)
        if each.test is not None:
            axes.plot(each.seconds, 100 * each.test, "x", color=line.get_color())
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("seconds of wall time")
    axes.set_ylabel("best validation accuracy so far, %")
    axes.set_title(f"{title} (x: test accuracy of what it names)", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="labelled texts")
    parser.add_argument("--encoder", help="default: the embedded one")
    parser.add_argument("--cache", default="cache", help="feature store")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2, help="processes of manyheads search")
    parser.add_argument("--out", type=Path, default=Path("docs/search-peers.png"))
    parser.add_argument("--json", type=Path, default=Path("search-peers.json"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    vectors = VectorConfig(cache=parse_location(options.cache))
    if options.encoder:
        vectors = replace(vectors, encoder=options.encoder)
    found = given(DataConfig(data=options.data), vectors)
    with tempfile.TemporaryDirectory() as runs:
        reached = [ours(options, Path(runs))]
    for name, train in (
        (SKLEARN, sklearn_trial(found)),
        (TORCH, plain_trial(found.tokens, found)),
    ):
        reached.append(tuned(name, options.trials, LONGEST * reached[0].seconds, train))
    for each in reached:
        test = "-" if each.test is None else f"{each.test:.1%}"
        print(
            f"{each.name}: {len(each.points)} trials, {each.seconds:.0f} s, validation "
            f"{each.points[-1][1]:.1%}, test {test}: {each.best}"
        )
    about = environment()
    where = {key: about[key] for key in ("processor", "cores", "packages")}
    values = {**where, "trials": options.trials,
              "reached": [asdict(each) for each in reached]}  # fmt: skip
    options.json.write_text(json.dumps(values, indent=1, default=str) + "\n")
    draw(reached, options.out, f"{options.data.stem}, at most {options.trials} trials")
    return 0


if __name__ == "__main__":
    sys.exit(main())
