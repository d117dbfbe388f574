"""Read the files of a run folder: the one place that opens them; ``writer`` writes them.

A file that breaks its format raises ``DamagedFileError``, with the rule, the file and a remedy.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from features.arrow import values_of
from features.errors import CacheError, DamagedFileError
from features.storage.files import read_file
from heads.problem import EpochRecord, current_names
from pipeline.evaluation.evaluation import ClassNames, Evaluation
from pipeline.evaluation.result import BLEND_NAME, BlendResult, ExperimentResult, Scores
from pipeline.runs.files.arrow import numbers_of
from pipeline.runs.files.held_out import SIDES, HeldOutPredictions, TrainingPredictions
from pipeline.runs.files.json_format import check_version, read_object, reason
from pipeline.runs.files.tables import read_table, with_schema
from pipeline.runs.folder import CONFIG, ERRORS, HISTORY, METRICS, PREDICTIONS, PROBABILITIES
from pipeline.runs.formats import (
    BLEND_METRICS_FORMAT,
    CONFIG_FORMAT,
    DESCRIPTION,
    METRICS_FORMAT,
    PREDICTIONS_SCHEMA,
    PROBABILITIES_NAMES,
    PROBABILITIES_VERSION,
    RETRAIN,
    HistoryLine,
    ProbabilitiesDescription,
    probabilities_schema,
)
from pipeline.runs.run_config import RunConfig

if TYPE_CHECKING:
    from pipeline.runs.files.misclassified import Misclassified

MAX_POSITION = 2**31
"""Maximum number of texts in a corpus; a larger position means a damaged file."""


def read_config(folder: Path) -> RunConfig:
    """Return what a run was asked for. Raises ``DamagedFileError``."""
    return CONFIG_FORMAT.read(folder / CONFIG)


def read_options(folder: Path) -> dict[str, Any]:
    """Return all options of ``config.json`` as plain values. Raises ``DamagedFileError``."""
    return read_object(folder / CONFIG, RETRAIN)


def read_metrics(folder: Path) -> ExperimentResult:
    """Return the results of a run of one head. Raises ``DamagedFileError``."""
    return METRICS_FORMAT.read(folder / METRICS)


def read_blend_metrics(folder: Path) -> BlendResult:
    """Return the results of a blend. Raises ``DamagedFileError``."""
    return BLEND_METRICS_FORMAT.read(folder / METRICS)


def read_scores(folder: Path) -> Scores:
    """Return the scores of any run. Raises ``DamagedFileError``."""
    head = read_object(folder / METRICS, RETRAIN).get("head")
    return read_blend_metrics(folder) if head == BLEND_NAME else read_metrics(folder)


def read_history(folder: Path) -> tuple[HistoryLine, ...]:
    """Return every epoch of every training, NaN where none was measured.

    Raises:
        DamagedFileError: the file is missing or damaged.
    """
    path = folder / HISTORY
    numbers = {field.name for field in fields(EpochRecord)}
    line_of = TypeAdapter(HistoryLine).validate_python
    try:
        lines = []
        for text in read_file(path).decode("utf-8").splitlines():
            values = json.loads(text)
            if not isinstance(values, dict):
                raise DamagedFileError(path, "a line holds no JSON object", RETRAIN)
            record = {
                key: math.nan if value is None else value
                for key, value in current_names(values).items()
                if key in numbers
            }
            lines.append(line_of({**values, "record": record}))
    except ValidationError as error:
        raise DamagedFileError(path, reason(error), RETRAIN) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFileError(path, error, RETRAIN) from error
    return tuple(lines)


def read_errors(folder: Path) -> tuple[Misclassified, ...]:
    """Return the misclassified test texts, the surest first; () of a run that kept none.

    Raises:
        DamagedFileError: the file is damaged.
    """
    from pipeline.runs.files.misclassified import Misclassified  # imports faiss

    path = folder / ERRORS
    if not path.exists():
        return ()
    error_of = TypeAdapter(Misclassified).validate_python
    try:
        lines = read_file(path).splitlines()  # of bytes: a text may hold U+2028
        return tuple(error_of(json.loads(line)) for line in lines)
    except ValidationError as error:
        raise DamagedFileError(path, reason(error), RETRAIN) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedFileError(path, error, RETRAIN) from error


def read_error_texts(folder: Path) -> dict[int, str]:
    """Return the misclassified test texts by data row; of a blend, which keeps none, {}.

    Raises:
        DamagedFileError: the file is damaged.
    """
    path = folder / ERRORS
    if not path.exists():
        return {}
    try:
        errors = [json.loads(line) for line in read_file(path).splitlines()]
        return {int(each["row"]): str(each["text"]) for each in errors}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFileError(path, error, RETRAIN) from error


def read_predictions(folder: Path) -> pa.Table:
    """Return ``predictions.parquet``, with the columns of ``PREDICTIONS_SCHEMA``.

    Raises:
        DamagedFileError: the file is missing or damaged.
    """
    path = folder / PREDICTIONS
    return with_schema(path, read_table(path, RETRAIN), PREDICTIONS_SCHEMA, RETRAIN)


def read_held_out(folder: Path) -> HeldOutPredictions:
    """Return the predictions of the heads of a run for validation and test texts.

    Raises:
        CacheError: the run has none.
        DamagedFileError: they are damaged.
    """
    path = folder / PROBABILITIES
    if not path.exists():
        raise CacheError(
            f"the run {folder} has no {PROBABILITIES}: it was trained before runs kept the "
            "probabilities of held-out texts; train it again"
        )
    table = read_table(path, RETRAIN)
    try:
        text = (table.schema.metadata or {}).get(DESCRIPTION, b"")
        described = TypeAdapter(ProbabilitiesDescription).validate_json(text)
    except ValidationError as error:
        raise DamagedFileError(path, f"its description: {reason(error)}", RETRAIN) from error
    check_version(path, described.version, PROBABILITIES_VERSION, RETRAIN)
    if described.version == 1:
        table = table.rename_columns(
            [PROBABILITIES_NAMES.get(name, name) for name in table.column_names]
        )
    names = ClassNames(described.classes, described.unseen)
    table = with_schema(path, table, probabilities_schema(len(names.classes)), RETRAIN)
    position = numbers_of(table, "position")
    if len(position) and not 0 <= position.min() <= position.max() < MAX_POSITION:
        raise DamagedFileError(path, "a position in the corpus is out of range", RETRAIN)
    trainings = _trainings(path, table, names)
    if len(described.learned) != sum(each.best for each in trainings):
        raise DamagedFileError(path, "'learned' has not one number per fold", RETRAIN)
    rows = np.zeros(int(position.max(initial=-1)) + 1, np.int64)
    rows[position] = numbers_of(table, "row")
    return HeldOutPredictions(
        described.corpus_digest,
        names,
        rows,
        described.learned,
        trainings,
    )


def _trainings(
    path: Path, table: pa.Table, names: ClassNames
) -> tuple[TrainingPredictions, ...]:
    fold, seed, best, position = (
        numbers_of(table, name) for name in ("fold", "seed", "best", "position")
    )
    side = _codes(path, table, "side", SIDES)
    labels = _codes(path, table, "label", names.all)
    flat = table.column("probabilities").combine_chunks().flatten()
    if flat.null_count or not np.isfinite(values_of(flat)).all():
        raise DamagedFileError(path, "a probability is no finite number", RETRAIN)
    shares = values_of(flat).reshape(len(table), len(names.classes))

    def evaluation(code: int, training: np.ndarray) -> Evaluation:
        chosen = np.flatnonzero(training & (side == code))
        if len(chosen) == 0:
            raise DamagedFileError(path, f"a training without {SIDES[code]} texts", RETRAIN)
        own = shares[chosen]
        return Evaluation(SIDES[code], position[chosen], labels[chosen], own, own)

    found = []
    for each_fold, each_seed in sorted(set(zip(fold.tolist(), seed.tolist(), strict=True))):
        training = (fold == each_fold) & (seed == each_seed)
        validation, test = (evaluation(code, training) for code in range(len(SIDES)))
        is_best = bool(best[training].all())
        found.append(TrainingPredictions(each_fold, each_seed, is_best, validation, test))
    if not any(each.best for each in found):
        raise DamagedFileError(path, "no training is marked as the best", RETRAIN)
    return tuple(found)


def _codes(path: Path, table: pa.Table, column: str, values: tuple[str, ...]) -> np.ndarray:
    """Return (n,) int64: the index in ``values`` of each cell of a dictionary column."""
    cells = table.column(column).combine_chunks()
    index = {value: code for code, value in enumerate(values)}
    words = cells.dictionary.to_pylist()
    if unknown := [word for word in words if word not in index]:
        raise DamagedFileError(path, f"{column} {unknown[0]!r} is unknown", RETRAIN)
    codes = np.array([index[word] for word in words], np.int64)
    return np.asarray(codes[values_of(cells.indices)])
