"""A small world to attack: a tiny encoder, a corpus, its cache, a trained run; and commands.

attempt(arguments)              a command in this process
Forks.attempt(arguments, ...)   one in a process of its own, which may be killed
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cli.main import main
from tests.support.transformers import SENTENCES, save_bert

WORDS = " ".join(SENTENCES).split()
LABELS = ("good", "bad")
TEXTS = 48
SHARDS = 3
PRELOAD = [
    *(
        "pipeline.cli.main",
        "pipeline.encoding.corpus_encoding",
        "pipeline.training.experiment",
        "pipeline.prediction.predictor",
    ),
    *(
        "pipeline.training.run_writer",
        "pipeline.cache.maintenance",
        "pipeline.cache.verification",
    ),
    *(
        "pipeline.encoding.export",
        "features.encoders.transformer",
        "heads.architectures.logistic",
        "heads.architectures.cnn",
    ),
    *("transformers.models.bert.modeling_bert", "sklearn.linear_model"),
    *("sklearn.feature_extraction.text", "tests.support.transformers"),
    "pandas",  # which pyarrow imports where it is installed
]
"""Imported once, before the commands fork off: what is not there is left out."""

SECONDS = 60.0
"""Time that a command may take; all of them take about a second."""


class Hung(BaseException):
    """A command did not end."""


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        code: its exit code; below 0 the signal that ended it, None for a traceback.
        out, err: what it wrote; ``err`` ends with the traceback.
    """

    code: int | None
    out: str
    err: str

    @property
    def broken_promise(self) -> str:
        """What is wrong with how it ended; '' for exit codes 0 to 2 told as promised."""
        last = self.err.strip().splitlines()[-1:] or [""]
        if self.code is None or "Traceback" in self.err:
            return f"traceback: {last[0][:200]}"
        if self.code not in (0, 1, 2):
            return f"exit code {self.code}: {last[0][:200]}"
        told = [line for line in self.err.splitlines() if line.startswith("error: ")]
        if self.code == 2 and (len(told) != 1 or not last[0].startswith("error: ")):
            return f"not one line: {self.err[-200:]!r}"
        return ""


def attempt(arguments: Sequence[str], seconds: float = SECONDS) -> Outcome:
    """Run a command in this process; ``Hung`` is told as a traceback of its own."""

    def ring(number: int, frame: Any) -> None:
        raise Hung(f"no end after {seconds:.0f} seconds")

    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    code: int | None = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(list(arguments))
            except SystemExit as end:  # --help
                code = int(end.code or 0)
            except BaseException:
                err.write(traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return Outcome(code, out.getvalue(), err.getvalue())


class Forks:
    """Commands in processes forked off one that has imported the libraries."""

    def __init__(self, folder: Path) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)
        self._folder = folder

    def attempt(
        self,
        arguments: Sequence[str],
        kill_after: float = 0.0,
        most_bytes: int | None = None,
        seconds: float = SECONDS,
    ) -> Outcome:
        """Run a command.

        Args:
            kill_after: seconds after which it is killed by SIGKILL; 0 leaves it alone.
            most_bytes: the largest file that it may write, as ``ulimit -f`` sets it.
            seconds: that it may take.
        """
        said = self._folder / "said.json"
        said.unlink(missing_ok=True)
        child = self._context.Process(
            target=_forked,
            args=(list(arguments), str(said), os.getcwd(), most_bytes, seconds),
        )
        child.start()
        child.join(kill_after or 2 * seconds)
        if child.is_alive():
            child.kill()
        child.join()
        if said.exists():
            with contextlib.suppress(ValueError):  # killed while it wrote that
                return Outcome(**json.loads(said.read_text()))
        return Outcome(child.exitcode, "", "")


def _forked(
    arguments: list[str], said: str, folder: str, most_bytes: int | None, seconds: float
) -> None:
    os.chdir(folder)
    if most_bytes is not None:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    outcome = attempt(arguments, seconds)
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    Path(said).write_text(json.dumps(vars(outcome)))


class World:
    """A cache of several shards per space, a run, and what its vectors are.

    Args:
        root: an empty folder.

    Attributes:
        model, data, cache, run: what commands take.
        vectors: (N, D), what ``export`` gives for the corpus.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.model = save_bert(root / "model")
        self.data = root / "data.csv"
        self.cache = root / "cache"
        self.runs = root / "runs"
        rng = random.Random(0)
        self.rows = [
            (
                " ".join(rng.choices(WORDS, k=rng.randint(2, 9))) + f" {i}",
                ["good", "bad"][i % 2],
            )
            for i in range(TEXTS)
        ]
        for part in range(1, SHARDS + 1):  # each run of features adds a shard per space
            self.write(self.data, self.rows[: part * TEXTS // SHARDS])
            self.must("features", *self.source)
        self.must("train", *self.source, "--runs", str(self.runs))
        self.vectors = self.exported(self.cache)

    @staticmethod
    def write(path: Path, rows: Sequence[Sequence[str]]) -> None:
        """Write labelled texts as CSV."""
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])

    @property
    def source(self) -> list[str]:
        """The options that name corpus, encoder and cache."""
        return self.options(self.cache)

    def options(self, cache: Path) -> list[str]:
        """The same with another cache."""
        named = {"--data": self.data, "--encoder": self.model, "--cache": cache}
        return [str(part) for pair in named.items() for part in pair]

    def exported(self, cache: Path) -> np.ndarray | None:
        """What ``export`` gives for the corpus; None where it refuses."""
        out = self.root / "exported.npy"
        out.unlink(missing_ok=True)
        export = ["export", *self.options(cache), "--format", "npy", "--out", str(out)]
        outcome = attempt(export)
        if outcome.broken_promise:
            raise AssertionError(f"export: {outcome.broken_promise}")
        vectors: np.ndarray | None = np.load(out) if outcome.code == 0 else None
        return vectors

    def must(self, *arguments: str) -> Outcome:
        """Run a command that has to work."""
        outcome = attempt(arguments)
        if outcome.code != 0:
            raise AssertionError(f"{' '.join(arguments)}: {outcome.err[-2000:]}")
        return outcome

    def copy(self, name: str) -> Path:
        """A fresh copy of the cache."""
        target = self.root / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.cache, target)
        return target


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def elapsed(work: Any) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
