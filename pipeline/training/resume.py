"""Finished trainings of an unfinished experiment, so that a killed ``train`` can continue.

    runs/.unfinished/<digest of all that decides a training>/   head.json, head.safetensors,
                                                                training, diagnostics.json

The same command uses them and continues; once its run folder is complete they are removed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load, save

from features.errors import CacheError
from features.splits.split import Split
from features.storage.files import read_file, sweep, temporary_folder
from heads.evaluation.measurements import Diagnostics
from heads.persistence import checkpoint
from heads.settings import HeadSettings
from heads.trained import TrainedHead
from heads.training.trainer import use_bfloat16
from pipeline.runs.environment import environment

FOLDER = ".unfinished"
TRAINING = "training"
DIAGNOSTICS = "diagnostics.json"
OF = "of-"
"""Begins the name of an empty file; the number of trainings of the experiment follows."""

DIGEST = 32
"""Bytes of the SHA-256 of description and values, which stands before the values."""

KEPT_SECONDS = 30 * 24 * 3600.0
"""Age from which trainings that nobody took up are removed."""


@dataclass(frozen=True, eq=False)
class FinishedTraining:
    """One finished training.

    Attributes:
        trained: the head, with its temperature.
        held_out: (n, C) float32 logits of the validation texts, of the head before it learned
            from those too.
        seconds: it took.
        diagnostics: what was measured of it, before it learned from validation texts.
    """

    trained: TrainedHead
    held_out: np.ndarray
    seconds: float
    diagnostics: Diagnostics


class FinishedTrainings:
    """The trainings of one experiment.

    Args:
        runs: the folder of runs.
        decided: what decides the results of every training: vectors, corpus, head.
        trainings: how many the experiment has.
    """

    def __init__(self, runs: Path, decided: Sequence[str], trainings: int = 1) -> None:
        self.trainings = trainings
        self.folder = runs / FOLDER
        self.decided = [*decided, *_circumstances()]
        self.used: set[Path] = set()
        with suppress(OSError):
            sweep(self.folder)  # what a killed process was writing

    def find(self, settings: HeadSettings, split: Split, seed: int) -> FinishedTraining | None:
        """Return the finished training of a seed on a split; None if missing or damaged."""
        folder = self._folder(settings, split, seed)
        try:
            trained = checkpoint.load(folder)
            stored = read_file(folder / TRAINING)
            digest, data = stored[:DIGEST], stored[DIGEST:]
            sound = digest == _digest(folder, data)
            diagnostics = Diagnostics.model_validate_json(read_file(folder / DIAGNOSTICS))
        except (
            CacheError,
            OSError,
            ValueError,
        ):  # or another experiment removes it at this moment
            return None
        if not sound:
            return None
        values = load(data)
        seconds = float(values["seconds"][0])
        return FinishedTraining(trained, values["held_out"], seconds, diagnostics)

    def store(
        self, settings: HeadSettings, split: Split, seed: int, training: FinishedTraining
    ) -> None:
        """Store a training until :meth:`close`, if the folder can be written."""
        target = self._folder(settings, split, seed)
        with suppress(OSError, CacheError), temporary_folder(self.folder, "training") as folder:
            try:
                checkpoint.save(training.trained, folder)
                data = save(
                    {"held_out": training.held_out, "seconds": np.array([training.seconds])}
                )
                (folder / TRAINING).write_bytes(_digest(folder, data) + data)
                measured = training.diagnostics.model_dump_json()
                (folder / DIAGNOSTICS).write_text(measured, encoding="utf-8")
                (folder / f"{OF}{self.trainings}").touch()
                shutil.rmtree(target, ignore_errors=True)
                folder.rename(target)
            except BaseException:
                # The run folder, which holds the result, needs the disk space more.
                shutil.rmtree(folder, ignore_errors=True)
                raise

    def close(self) -> None:
        """Remove what this experiment stored or used, and old trainings of others.

        What an experiment with more trainings, such as more seeds, stored stays for that one.
        """
        for folder in self.used:
            if not any(_of(path) > self.trainings for path in folder.glob(f"{OF}*")):
                shutil.rmtree(folder, ignore_errors=True)
        oldest = time.time() - KEPT_SECONDS
        with suppress(OSError):
            for folder in self.folder.iterdir():
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)
            self.folder.rmdir()  # if it is empty

    def _folder(self, settings: HeadSettings, split: Split, seed: int) -> Path:
        digest = hashlib.sha256()
        parts: list[Any] = [
            *self.decided,
            settings.model_dump(mode="json"),
            split.classes,
            seed,
        ]
        digest.update(json.dumps(parts).encode())
        for rows in (split.train, split.validation, split.test):
            digest.update(f"{len(rows)};".encode())
            digest.update(np.ascontiguousarray(rows, dtype=np.int64).tobytes())
        folder = self.folder / digest.hexdigest()[:32]
        self.used.add(folder)
        return folder


def _of(path: Path) -> int:
    """Return the number of trainings that a file stands for."""
    number = path.name.removeprefix(OF)
    return int(number) if number.isdecimal() else 0


def _digest(folder: Path, data: bytes) -> bytes:
    """Return the digest of the values and of the description, which has that of the weights."""
    return hashlib.sha256((folder / checkpoint.DESCRIPTION).read_bytes() + data).digest()


def _circumstances() -> list[str]:
    """Return what else decides a training: code, packages, processor and threads."""
    here = environment()
    packages = json.dumps(here["packages"])
    how = f"{here['processor']}, {torch.get_num_threads()}, {use_bfloat16('auto')}"
    return [own_code(), packages, how]


@cache
def own_code() -> str:
    """Return the digest of the code that runs: it was read once, as Python did."""
    return code_digest(Path(__file__).parents[2])


def code_digest(root: Path) -> str:
    """Return the SHA-256 of all Python files of the three packages, at any depth."""
    code = hashlib.sha256()
    for package in ("features", "heads", "pipeline"):
        for path in sorted((root / package).rglob("*.py")):
            code.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return code.hexdigest()
