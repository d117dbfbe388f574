"""Runs that are trained once in a session and copied to every test that asks for them again.

A test may change, damage or remove its copy. Tests of training itself run the command.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.support.cli import Command

CACHE = Path("cache")


class TrainedRuns:
    """The runs of a session.

    Args:
        folder: an empty folder that lives as long as the session.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results: dict[tuple[object, ...], dict[str, Any]] = {}

    def train(
        self, command: Command, data: Path, arguments: Sequence[object]
    ) -> dict[str, Any]:
        """Return the JSON of a training; its run and cache are in the current folder.

        Args:
            command: runs manyheads.
            data: the texts; their content tells trainings apart, not where they lie.
            arguments: of ``manyheads train``, but ``--data``.
        """
        words = tuple(map(str, arguments))
        call = ("train", "--data", data, *words)
        if "--split-of" in words or "--cache" in words:  # they depend on the current folder
            return command(*call)
        key = (data.read_bytes(), *words)
        if key not in self.results:
            result = command(*call)
            run = Path(result["run"])
            shutil.copytree(run, self.folder / run.name)
            shutil.copytree(CACHE, self.folder / f"{run.name}-cache")
            self.results[key] = result
            return deepcopy(result)
        result = deepcopy(self.results[key])
        run = Path(result["run"])
        shutil.copytree(self.folder / run.name, run)
        os.utime(run / "metrics.json")  # now the latest
        _add_files(self.folder / f"{run.name}-cache", CACHE)
        return result


def _add_files(source: Path, target: Path) -> None:
    """Copy the files of a cache that another lacks."""
    for path in source.rglob("*"):
        there = target / path.relative_to(source)
        if path.is_file() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, there)
