"""The test texts that some runs get right and others wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.outputs.output import appearing
from pipeline.comparison.standing import Standing


@dataclass(frozen=True)
class Disagreement:
    """A test text on which the runs of a group do not agree.

    Attributes:
        row: its data row, in the file of the first run.
        text: '' where no run kept it.
        label: the right one.
        predicted: by each run, in their order.
        confidence: the highest probability that a run gives a wrong label.
    """

    row: int
    text: str
    label: str
    predicted: tuple[str, ...]
    confidence: float

    def right(self, run: int) -> bool:
        """Return whether a run labels it rightly."""
        return self.predicted[run] == self.label


def disagreements(runs: Sequence[Standing]) -> tuple[Disagreement, ...]:
    """Return them, the most confident error first.

    A text that one run gets right was misclassified by another, whose folder has its text. A
    blend keeps no texts, so another run that got it wrong must have it.
    """
    tests = [run.held_out.test for run in runs]
    right = np.array([test.right for test in tests])
    chosen = np.flatnonzero(right.any(axis=0) & ~right.all(axis=0))
    certain = np.array([test.probabilities.max(axis=1) for test in tests])
    surest = np.where(right, 0.0, certain).max(axis=0)
    order = chosen[np.argsort(-surest[chosen], kind="stable")]
    names = [run.held_out.names for run in runs]
    return tuple(
        Disagreement(
            row=int(runs[0].held_out.rows[tests[0].rows[i]]),
            text=_text(runs, int(tests[0].rows[i])),
            label=names[0].all[tests[0].labels[i]],
            predicted=tuple(
                name.classes[test.predicted[i]] for name, test in zip(names, tests, strict=True)
            ),
            confidence=round(float(surest[i]), 6),
        )
        for i in order.tolist()
    )


def _text(runs: Sequence[Standing], position: int) -> str:
    """Return the text at a position of the corpus; '' where no run kept it."""
    for run in runs:
        text = run.run.texts.get(int(run.held_out.rows[position]))
        if text is not None:
            return text
    return ""


def to_dict(one: Disagreement, runs: Sequence[Standing]) -> dict[str, Any]:
    """Return the object that ``--json`` prints and the file holds."""
    names = [run.run.name for run in runs]
    return {
        "row": one.row,
        "text": one.text or None,
        "label": one.label,
        "predicted": dict(zip(names, one.predicted, strict=True)),
        "right": [name for i, name in enumerate(names) if one.right(i)],
        "confidence": one.confidence,
    }


def only_right(
    found: Sequence[Disagreement], winner: int, loser: int
) -> Iterator[Disagreement]:
    """Yield the texts that one run gets right and another wrong."""
    return (each for each in found if each.right(winner) and not each.right(loser))


def write_disagreements(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a JSON Lines file; it appears whole or not at all. Raises ``OutputError``."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    with appearing(path, "--out") as temporary:
        temporary.write_bytes("".join(lines).encode(errors="backslashreplace"))
