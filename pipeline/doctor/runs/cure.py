"""``manyheads doctor --cure``: train with the one proven remedy; both runs side by side.

They are compared on the validation texts, text by text; test scores decide nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from heads.evaluation.paired import paired
from pipeline.console import table
from pipeline.doctor.case import Case
from pipeline.doctor.commands import remedy_config
from pipeline.doctor.findings import Verdict
from pipeline.evaluation.evaluation import Score, score
from pipeline.runs.reader import read_held_out


@dataclass(frozen=True)
class Cure:
    """Two runs side by side.

    Attributes:
        run: folder of the new one.
        command: that trains it.
        before, after: scores on validation.
        difference, interval: of the accuracies, after - before, over the same texts; None where
            the remedy deals the texts anew, so that these are other texts.
    """

    run: Path
    command: str
    before: Score
    after: Score
    difference: float | None = None
    interval: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run": str(self.run),
            "command": self.command,
            "before": _values(self.before),
            "after": _values(self.after),
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
        }

    def to_text(self) -> str:
        """Return both runs as a table, and the difference in a sentence."""
        rows = [
            (name, *each.cells, f"{each.texts:,}")
            for name, each in (("before", self.before), ("after", self.after))
        ]
        header = ("", "accuracy", "macro-F1", "95 % interval", "validation texts")
        return f"{table(header, rows, '<>>>>')}\n{self._sentence()}\nNew run: {self.run}"

    def _sentence(self) -> str:
        if self.difference is None or self.interval is None:
            return (
                "The remedy deals the texts anew, so these are other texts: the second score "
                "is the one to believe."
            )
        low, high = (100 * end for end in self.interval)
        told = f"{100 * self.difference:+.1f} points ({low:+.1f} to {high:+.1f})"
        return f"Cured, on the same validation texts: {told}."


def cure(
    verdict: Verdict,
    case: Case,
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> Cure | None:
    """Train with the leading remedy if it is proven or measured and is a training.

    Args:
        verdict: of the case.
        case: of a run.
        load: as ``run_experiment`` takes it.

    Raises:
        InputError, FaultError: as ``run_experiment``.
    """
    leading = verdict.leading
    if leading is None or case.config is None or leading.certainty not in CERTAIN:
        return None
    changed = remedy_config(case.config, leading.remedy)
    if changed is None:
        return None
    from pipeline.training.experiment import run_experiment  # imports torch

    result = run_experiment(changed, load)
    kept = read_held_out(result.run).folds[0].validation
    rows, truth = case.validation, case.labels[case.validation]
    before = score(truth, case.predicted)
    if not np.array_equal(kept.rows, rows):
        return Cure(result.run, leading.command, before, kept.score())
    both = paired(kept.right, case.right)
    return Cure(
        result.run, leading.command, before, kept.score(), both.difference, both.interval
    )


CERTAIN = ("proven", "measured")
"""Of a finding whose remedy is applied without asking."""


def _values(found: Score) -> dict[str, Any]:
    return {
        "accuracy": found.accuracy,
        "macro_f1": found.macro_f1,
        "accuracy_interval": list(found.accuracy_interval),
        "texts": found.texts,
    }
