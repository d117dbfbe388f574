"""What a tracker gets of a run: what was asked for, numbers, and files without texts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.result import ExperimentResult, Scores
from pipeline.overview.run_facts import first_config, read_facts
from pipeline.runs.folder import CONFIG, ENVIRONMENT, HISTORY, METRICS
from pipeline.runs.reader import read_history, read_scores

FILES = (
    CONFIG,
    METRICS,
    ENVIRONMENT,
    HISTORY,
    "classes.csv",
    "curves.png",
    "calibration.png",
    "confusion.png",
    "head.safetensors",
    "head.json",
    "blend.json",
)
"""Files of a run that hold no texts; labels stand in some of them."""


@dataclass(frozen=True)
class RunRecord:
    """A run as trackers take it.

    Attributes:
        name: of the run.
        parameters: what was asked for, by name.
        metrics: the results, by name such as ``test/accuracy``; all are finite.
        history: step and metrics of each epoch of the head in the run folder, such as
            ``epoch/validation_loss``; a blend has none.
        files: to upload.
    """

    name: str
    parameters: dict[str, Any]
    metrics: dict[str, float]
    history: tuple[tuple[int, dict[str, float]], ...]
    files: tuple[Path, ...]


def read_record(folder: Path, files: bool = False) -> RunRecord:
    """Return the record of a finished run.

    Args:
        folder: of the run.
        files: whether to upload files.

    Raises:
        CacheError: a file of it is missing, damaged or newer than this program.
    """
    scores = read_scores(folder)
    return RunRecord(
        folder.name,
        _parameters(folder, scores),
        {name: value for name, value in _metrics(scores) if math.isfinite(value)},
        _history(folder, scores) if isinstance(scores, ExperimentResult) else (),
        tuple(folder / name for name in FILES if files and (folder / name).is_file()),
    )


def _parameters(folder: Path, scores: Scores) -> dict[str, Any]:
    facts, resolved = read_facts(folder), first_config(folder).resolved
    found: dict[str, Any] = {
        "head": facts.head,
        "data": facts.data_name,
        "corpus_digest": resolved.corpus_digest,
        "encoder": facts.encoder_name,
        "seeds": scores.seeds,
        "folds": scores.folds,
    }
    if isinstance(scores, ExperimentResult):
        settings = {f"settings/{name}": value for name, value in resolved.settings.items()}
        found |= {"layout": scores.layout, "seed": resolved.seed, **settings}
    return found


def _metrics(scores: Scores) -> Iterator[tuple[str, float]]:
    yield from _score("validation", scores.validation)
    yield from _score("test", scores.test)
    for name, score in scores.baselines.items():
        yield from _score(f"baseline/{name}", score)
    yield "test/calibration_error", scores.calibration.error_after
    yield "test/calibration_error_by_chance", scores.calibration.error_by_chance
    for name, spread in (("seeds", scores.over_seeds), ("folds", scores.over_folds)):
        if spread is not None:
            yield f"test/accuracy_over_{name}", spread.accuracy.mean
            yield f"test/accuracy_over_{name}_low", spread.accuracy.interval[0]
            yield f"test/accuracy_over_{name}_high", spread.accuracy.interval[1]
    if isinstance(scores, ExperimentResult):
        yield "parameters", float(scores.parameters)
        for name, seconds in scores.seconds.items():
            yield f"seconds/{name}", seconds
        if scores.bytes_per_text is not None:
            yield "bytes_per_text", scores.bytes_per_text


def _score(side: str, score: Score) -> Iterator[tuple[str, float]]:
    yield f"{side}/accuracy", score.accuracy
    yield f"{side}/accuracy_low", score.accuracy_interval[0]
    yield f"{side}/accuracy_high", score.accuracy_interval[1]
    yield f"{side}/macro_f1", score.macro_f1


def _history(
    folder: Path, scores: ExperimentResult
) -> tuple[tuple[int, dict[str, float]], ...]:
    """Return the epochs of the training whose head is in the run folder."""
    best = next((each for each in scores.trainings if each.best), None)
    if best is None:
        return ()
    return tuple(
        (
            line.record.epoch,
            {
                f"epoch/{name}": value
                for name, value in vars(line.record).items()
                if name != "epoch" and math.isfinite(value)
            },
        )
        for line in read_history(folder)
        if (line.fold, line.seed) == (best.fold, best.seed)
    )
