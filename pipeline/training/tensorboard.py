"""TensorBoard events of a run: ``tensorboard --logdir runs`` compares all runs.

The events of the head in the run folder stand there, those of every other training in a folder
of their own inside.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

from heads.registry import head_type
from pipeline.evaluation.evaluation import Score
from pipeline.runs.files.misclassified import Misclassified
from pipeline.training.events import EventFile
from pipeline.training.trainings import Training, Trainings

SHOWN_ERRORS = 20
LONGEST_TEXT = 300
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:/])")


def write_events(folder: Path, outcome: Trainings, errors: Sequence[Misclassified]) -> None:
    """Write loss, accuracy, learning rate and gradient norm by epoch, test scores and errors.

    Args:
        errors: from ``pipeline.runs.files.misclassified.error_list``.
    """
    for training in outcome.trainings:
        first = training is outcome.first
        events = EventFile()
        _add_curves(events, training)
        test = outcome.test.score() if first else training.test.score()
        _add_score(events, test, training.trained.best_epoch)
        if first and errors:
            events.text("errors", errors_table(errors[:SHOWN_ERRORS]))
        events.write(folder if first else folder / training.name)


def _add_curves(events: EventFile, training: Training) -> None:
    step = head_type(training.trained.head).step
    name_of_value = "learning_rate" if step == "epoch" else step.replace(" ", "_")
    for epoch in training.trained.history:
        for side in ("train", "validation"):
            for name in ("loss", "accuracy"):
                value = getattr(epoch, f"{side}_{name}")
                events.scalar(f"{name}/{side}", value, epoch.epoch)
        events.scalar(name_of_value, epoch.value, epoch.epoch)
        events.scalar("gradient_norm", epoch.gradient_norm, epoch.epoch)


def _add_score(events: EventFile, test: Score, epoch: int) -> None:
    events.scalar("test/accuracy", test.accuracy, epoch)
    events.scalar("test/macro_f1", test.macro_f1, epoch)


def errors_table(errors: Sequence[Misclassified]) -> str:
    """Return errors as a Markdown table; markup in texts and labels is escaped."""
    lines = ["| row | label | predicted | confidence | text |", "|---|---|---|---|---|"]
    for error in errors:
        cells = (escaped(name) for name in (error.label, error.predicted))
        text = escaped(error.text[:LONGEST_TEXT])
        lines.append(f"| {error.row} | {' | '.join(cells)} | {error.confidence:.1%} | {text} |")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Return text on one line, with Markdown and HTML escaped.

    >>> escaped("a *b* <i>")
    'a \\\\*b\\\\* &lt;i&gt;'
    """
    return html.escape(MARKDOWN.sub(r"\\\1", " ".join(text.split())), quote=True)
