"""One of the runs that are compared: what it is, what it scores, what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import CacheError, DamagedFileError
from features.vectors.table import POOLED
from pipeline.evaluation.result import BlendResult, ExperimentResult, Scores
from pipeline.overview.run_facts import RunFacts, read_facts
from pipeline.runs.files.held_out import HeldOutPredictions
from pipeline.runs.folder import PARTS
from pipeline.runs.reader import (
    read_config,
    read_error_texts,
    read_held_out,
    read_metrics,
    read_scores,
)
from pipeline.search.records.winner import CHOSEN

ITEM_BYTES = {"float32": 4, "float16": 2}


@dataclass(frozen=True)
class Cost:
    """What a run costs; of a blend, all of its parts. None where an older run does not say.

    Attributes:
        seconds: of one training, in the mean over seeds and folds.
        parameters: that were trained.
        bytes_per_text: mean stored bytes of a text's vectors.
    """

    seconds: float | None
    parameters: int | None
    bytes_per_text: float | None


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """A run to compare.

    Attributes:
        name: by which commands find it.
        facts: what it is.
        scores: all of them.
        cost: of the run.
        held_out: what it predicts; None where that cannot be read.
        lacking: why it cannot be read; '' otherwise.
        texts: of its misclassified test texts, by data row.
    """

    name: str
    facts: RunFacts
    scores: Scores
    cost: Cost
    held_out: HeldOutPredictions | None
    lacking: str
    texts: Mapping[int, str]

    @property
    def layout(self) -> str:
        """Return the layout of its vectors, such as ``pooled,words``; '' of a blend."""
        return self.scores.layout if isinstance(self.scores, ExperimentResult) else ""

    @property
    def chosen(self) -> str:
        """Return by which study it was chosen, in words; '' of any other run."""
        return next((note for note in self.scores.notes if note.startswith(CHOSEN)), "")


def read_compared(folder: Path, name: str) -> ComparedRun:
    """Read a run. One that kept no probabilities, as the first ones, has scores alone.

    Raises:
        CacheError: a file of it is damaged, or newer than this program.
    """
    held_out, lacking = None, ""
    scores = read_scores(folder)
    try:
        held_out = read_held_out(folder)
    except DamagedFileError:
        raise
    except CacheError as error:
        lacking = str(error)
    return ComparedRun(
        name,
        read_facts(folder),
        scores,
        _cost(folder, scores),
        held_out,
        lacking,
        read_error_texts(folder),
    )


def _cost(folder: Path, scores: Scores) -> Cost:
    folders = [folder]
    if isinstance(scores, BlendResult):
        folders = [folder / PARTS / str(i) for i in range(1, len(scores.parts) + 1)]
    results = [read_metrics(each) for each in folders]
    stored: dict[str, float | None] = {}  # parts over the same vectors share them
    for each, result in zip(folders, results, strict=True):
        fingerprint, count = _stored(each, result)
        stored[fingerprint] = count
    sizes = [size for size in stored.values() if size is not None]
    return Cost(
        seconds=sum(result.seconds["training"] / _trainings(result) for result in results),
        parameters=sum(result.parameters for result in results),
        bytes_per_text=sum(sizes) if len(sizes) == len(stored) else None,
    )


def _trainings(result: ExperimentResult) -> int:
    return max(1, len(result.trainings))


def _stored(folder: Path, result: ExperimentResult) -> tuple[str, float | None]:
    """Return the fingerprint of the vectors, and their bytes per text."""
    resolved = read_config(folder).resolved
    size = result.bytes_per_text
    if size is None and resolved.spec.get("layout") == POOLED:
        width, item = resolved.spec.get("width"), ITEM_BYTES.get(resolved.spec.get("dtype", ""))
        size = float(width * item) if width and item else None
    return resolved.fingerprint, size
