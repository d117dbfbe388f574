"""The command as a user types it: what it printed, its exit code, and small corpora for it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]
GOOD = ["the cat sat on the mat", "she laughed out loud", "a boat came back", "rain again"]
BAD = ["nobody expected that night", "dogs bark over and over", "the lazy fox", "seven eight"]
WORDS = {
    "good": "cat sat laughed boat",
    "bad": "dogs night fox seven",
    "odd": "rain red on mat",
}
QUICK = ("--set", "epochs=2", "batch_size=16")


class Output:
    """What one command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict:  # type: ignore[type-arg]
        assert self.code == 0, self.err
        return self.report

    @property
    def report(self) -> dict:  # type: ignore[type-arg]
        """The JSON that the command printed, whatever its exit code."""
        assert self.out.count("\n") == 1, "one JSON object and nothing else"
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        """The one line that says why the command refused its input."""
        assert self.code == 2, self.err
        (line,) = (line for line in self.err.splitlines() if line.startswith("error:"))
        return line


Run = Callable[..., Output]
Command = Callable[..., dict[str, Any]]
Refusal = Callable[..., str]


def run_command(capsys: pytest.CaptureFixture[str], *arguments: object) -> Output:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    return Output(code, *capsys.readouterr())


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def two_classes(path: Path) -> Path:
    """Write 80 labelled texts; a label holds a comma."""
    rows = [[f"{GOOD[i % 4]} {i}", "good"] for i in range(40)]
    rows += [[f"{BAD[i % 4]} {i}", "bad, very"] for i in range(40)]
    return write(path, [["text", "label"], *rows])


def three_classes(path: Path) -> Path:
    """Write 60 texts with authors; words tell the class, some of them wrongly."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(60):
        label = list(WORDS)[number % 3]
        told = label if number % 7 else "good"
        words = random.choice(WORDS[told].split(), size=4 + number % 5)
        rows.append([f"{' '.join(words)} {number * 37}", label, f"author {number // 4}"])
    return write(path, [["text", "label", "author"], *rows])


def told(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Predictions without what an exported model cannot tell."""
    return [{**one, "unusual": None} for one in answer["predictions"]]


def run_name(result: dict[str, Any]) -> str:
    return Path(result["run"]).name
