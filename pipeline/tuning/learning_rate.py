"""``manyheads lr-range``: find the learning rate of a head with one short training.

read -> vectors -> split -> range test on the training part -> picture, table, a command. The
texts held out are not looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.duplicates.duplicates import cached_duplicates
from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.outputs.output import appearing
from features.tables import parse_layout
from features.vectors.table import POOLED
from heads.learning_rate import RangeTest, check_range, range_test
from heads.problem import Problem
from heads.registry import device_of, layout_of, make_settings
from pipeline.command_line import as_typed, train_command
from pipeline.console import table
from pipeline.encoding.vectors import ensure_vectors, with_pooled
from pipeline.progress import duration
from pipeline.training.partition import check_near_copies, read_labelled, split_corpus
from pipeline.training.preparation import check_labels
from pipeline.training.trainings import on_split
from pipeline.tuning.config import LrRangeConfig

ROWS_PER_DECADE = 2
"""Lines of the table for people, per power of ten of the learning rate."""


@dataclass(frozen=True, eq=False)
class LrRange:
    """What ``manyheads lr-range`` reports.

    Attributes:
        config: what was asked for.
        test: what was seen.
        command: trains with the suggestion.
        seconds: wall time of the steps.
    """

    config: LrRangeConfig
    test: RangeTest
    command: str
    seconds: float
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        test = self.test
        return {
            "head": self.config.training.head,
            "suggestion": test.suggestion,
            "lowest_loss_at": test.lowest_loss_at,
            "diverged_at": test.diverged_at,
            "steps": [
                {"learning_rate": rate, "loss": loss, "smoothed": smoothed}
                for rate, loss, smoothed in zip(
                    test.rates.tolist(),
                    test.losses.tolist(),
                    test.smoothed.tolist(),
                    strict=True,
                )
            ],
            "plot": str(self.config.plot) if self.config.plot else None,
            "command": self.command,
            "seconds": round(self.seconds, 3),
        }

    def to_text(self) -> str:
        """Return the table, its summary and the command, for people."""
        test = self.test
        rows = [
            (f"{test.rates[i]:.2g}", f"{test.losses[i]:.3f}", f"{test.smoothed[i]:.3f}")
            for i in _shown(test.rates)
        ]
        end = f"diverged at {test.diverged_at:.2g}" if test.diverged_at else "never diverged"
        head = self.config.training.head
        lines = [
            table(("learning rate", "loss", "smoothed"), rows, align=">>>"),
            "",
            f"{len(test.rates)} steps in {duration(self.seconds)}; the smoothed loss was "
            f"lowest at {test.lowest_loss_at:.2g} and {end}.",
            f"Use learning_rate={test.suggestion:.2g} for {head}: a quarter of the rate where "
            "the loss was lowest.",
            "",
            f"Next: {as_typed(self.command)}",
        ]
        return "\n".join([*lines, f"Plot: {self.config.plot}"] if self.config.plot else lines)


def run_lr_range(
    config: LrRangeConfig, load: Callable[[EncoderModel], Encoder] | None = None
) -> LrRange:
    """Test the range of learning rates on the training part of some data.

    Args:
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        InputError: anything wrong with what the user gave; see ``features.errors``.
        FaultError: a corrupt cache, or vectors that are not finite.
    """
    training = config.training
    check_range(training.head, config.lowest, config.highest, config.steps)
    settings = make_settings(training.head, training.overrides(classes=2))
    layout, _ = parse_layout(layout_of(training.head, training.layout))
    layout = layout or POOLED  # of words alone, which have no learning rate either
    device = device_of(training.head, training.device)
    corpus = read_labelled(training.data)
    check_labels(settings, corpus.labels or ())
    check_near_copies(corpus, training.data)  # the last that is refused before any work
    vectors = ensure_vectors(corpus.texts, training.vectors, with_pooled(layout), load=load)
    duplicates = cached_duplicates(
        training.vectors.cache, corpus.texts, vectors.table(POOLED).values
    )
    split = split_corpus(corpus, training.data, duplicates)
    problem = Problem(
        vectors.table(layout),
        split.label_ids(corpus.labels or ()),
        split.train,
        split.validation,
        len(split.classes),
        split.classes,
        device,
    )
    settings = make_settings(training.head, training.overrides(len(split.classes)))
    settings = on_split(settings, split)
    start = time.perf_counter()
    test = range_test(
        training.head,
        settings,
        problem,
        training.seed,
        config.lowest,
        config.highest,
        config.steps,
    )
    seconds = time.perf_counter() - start
    if config.plot:
        _draw(test, f"{training.head} on {corpus.name}", config.plot)
    rate = {**training.settings, "learning_rate": f"{test.suggestion:.2g}"}
    return LrRange(config, test, train_command(replace(training, settings=rate)), seconds)


def _shown(rates: np.ndarray) -> list[int]:
    """Return the first step of each part of a decade, and the last step."""
    parts = np.floor(np.log10(rates) * ROWS_PER_DECADE + 1e-9)
    firsts = np.unique(parts, return_index=True)[1].tolist()
    return sorted({*firsts, len(rates) - 1})


def _draw(test: RangeTest, title: str, path: Path) -> None:
    # Imported here alone: matplotlib costs a second, and nothing is drawn with --plot none.
    from pipeline.tuning.plots import draw_range

    with appearing(path, "--plot") as temporary:
        draw_range(test, title, temporary)
