"""The formats of the files in a run folder that are read again.

config.json             what was asked for, and what it came to
metrics.json            the results
history.jsonl           of every training, one line per epoch or value tried
predictions.parquet     of the best training of each fold, one row per held-out text: data
                        row, side, true and predicted label, confidence, fold
probabilities.parquet   of every training, one row per held-out text: the probability of
                        each class; ``position`` is the text's position in the corpus, from 0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from heads.problem import EpochRecord
from pipeline.evaluation.result import VERSION, BlendResult, ExperimentResult
from pipeline.runs.files.json_format import JsonFormat, Values
from pipeline.runs.run_config import RunConfig

RETRAIN = "train the run again"
BLEND_AGAIN = "blend the runs again"


METRICS_NAMES = {
    "copied": "leaked",
    "test_without_copies": "test_without_leaked",
    "trials": "trainings",
}
"""Keys of ``metrics.json`` up to version 2, and what they are called now."""

ADDED: Values = {"advice": [], "against": {}, "command": ""}
"""Keys that version 3 has, and 2 but for advice not; 1 had no advice."""


def _older_metrics(values: Values, version: int) -> Values:
    """Return version 4. Version 3 does not have the bytes per text, 2 has other keys, and 1
    has neither number nor advice.
    """
    values = _renamed(values, METRICS_NAMES)
    trainings = values.get("trainings")
    if isinstance(trainings, list):  # the check that follows says what else is wrong
        values["trainings"] = [
            _renamed(each, {"kept": "best"}) if isinstance(each, dict) else each
            for each in trainings
        ]
    lacking: Values = {
        "chosen": "",
        "mistake": None,
        "mean_absolute_error": None,
        "foreign": None,
        "bytes_per_text": None,
        "accuracy_by_coverage": [],
    }
    return {**ADDED, **lacking, **values}


def _older_blend_metrics(values: Values, version: int) -> Values:
    """Return version 4. Up to 3 all weights are equal, and up to 2 keys have other names."""
    values = _renamed(values, {"copied": "leaked", "best": "best_part"})
    parts = values.get("parts")
    count = len(parts) if isinstance(parts, list) else 0
    equal = {"weights": [1 / max(count, 1)] * count, "weighting": {"kind": "equal"}}
    return {**ADDED, **equal, **values}


def _renamed(values: Values, names: Mapping[str, str]) -> Values:
    return {names.get(key, key): value for key, value in values.items()}


CONFIG_FORMAT = JsonFormat(RunConfig, 3, RETRAIN)
"""Version 1 differs from 2 in having no number; 3, written of several encoders alone, has
``resolved.encoder`` and ``resolved.further``."""

ONE_ENCODER_VERSION = 2
"""Version in which the configuration of a run of one encoder is written."""

METRICS_FORMAT = JsonFormat(ExperimentResult, VERSION, RETRAIN, _older_metrics)
BLEND_METRICS_FORMAT = JsonFormat(BlendResult, VERSION, BLEND_AGAIN, _older_blend_metrics)


@dataclass(frozen=True)
class HistoryLine:
    """A line of ``history.jsonl``: which training, and its record."""

    fold: int
    seed: int
    record: EpochRecord


@dataclass(frozen=True)
class ProbabilitiesDescription:
    """The metadata of ``probabilities.parquet``.

    Attributes:
        classes, unseen: as in ``ClassNames``.
        corpus_digest: of texts, labels and sides in their order.
        learned: how many texts the heads of each fold have learned from.
        version: of the columns; see ``PROBABILITIES_NAMES``.
    """

    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    unseen: tuple[str, ...]
    corpus_digest: str
    learned: tuple[int, ...]
    version: int = 1


PROBABILITIES_VERSION = 2
PROBABILITIES_NAMES = {"kept": "best", "place": "position"}
"""Columns of ``probabilities.parquet`` in version 1, and what they are called now."""

DESCRIPTION = b"manyheads"
"""Key of that description in the metadata of the file."""

PREDICTIONS_SCHEMA = pa.schema(
    {
        "row": pa.int64(),
        "side": pa.string(),
        "label": pa.string(),
        "predicted": pa.string(),
        "confidence": pa.float64(),
        "fold": pa.int64(),
    }
)


def probabilities_schema(classes: int) -> pa.Schema:
    """Return the columns of ``probabilities.parquet`` for C ``classes``."""
    words = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        {
            "fold": pa.int32(),
            "seed": pa.int64(),
            "best": pa.bool_(),
            "side": words,
            "row": pa.int64(),
            "position": pa.int64(),
            "label": words,
            "probabilities": pa.list_(pa.float32(), classes),
        }
    )
