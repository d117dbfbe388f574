"""Write the files of a run folder that are read again; ``reader`` reads them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.evaluation.result import Scores
from pipeline.runs.folder import CONFIG, HISTORY, METRICS, PREDICTIONS, PROBABILITIES
from pipeline.runs.formats import (
    CONFIG_FORMAT,
    DESCRIPTION,
    PREDICTIONS_SCHEMA,
    PROBABILITIES_VERSION,
    HistoryLine,
    ProbabilitiesDescription,
    probabilities_schema,
)
from pipeline.runs.held_out import SIDES, HeldOutPredictions
from pipeline.runs.json_format import Values, write_json
from pipeline.runs.run_config import Resolved


def write_config(folder: Path, options: Values, resolved: Resolved | None = None) -> None:
    """Write ``config.json``.

    Args:
        options: what was asked for, as plain values.
        resolved: what it came to; a blend has none.
    """
    found = {} if resolved is None else {"resolved": resolved.model_dump(mode="json")}
    CONFIG_FORMAT.write(folder / CONFIG, {**options, **found})


def write_metrics(folder: Path, result: Scores) -> None:
    """Write ``metrics.json``, the last file of a run: it means that the run is complete."""
    write_json(folder / METRICS, result.to_dict())


def write_history(folder: Path, lines: Iterable[HistoryLine]) -> None:
    """Write ``history.jsonl``, with null for NaN, which JSON does not have."""
    texts = []
    for line in lines:
        values: dict[str, float] = asdict(line.record)
        finite = {name: x if math.isfinite(x) else None for name, x in values.items()}
        texts.append(json.dumps({"fold": line.fold, "seed": line.seed, **finite}) + "\n")
    (folder / HISTORY).write_text("".join(texts), encoding="utf-8")


def write_held_out(folder: Path, held_out: HeldOutPredictions) -> None:
    """Write both files into a run folder."""
    _write_predictions(folder / PREDICTIONS, held_out)
    _write_probabilities(folder / PROBABILITIES, held_out)


def _write_predictions(path: Path, held_out: HeldOutPredictions) -> None:
    """Write the predictions. With folds, most texts have several rows on validation."""
    names = held_out.names
    columns: dict[str, list[Any]] = {name: [] for name in PREDICTIONS_SCHEMA.names}
    for training in held_out.folds:
        for evaluation in (training.validation, training.test):
            columns["row"] += held_out.rows[evaluation.rows].tolist()
            columns["side"] += [evaluation.side] * len(evaluation.rows)
            columns["label"] += [names.all[i] for i in evaluation.labels]
            columns["predicted"] += [names.classes[i] for i in evaluation.predicted]
            columns["confidence"] += evaluation.probabilities.max(axis=1).tolist()
            columns["fold"] += [training.fold] * len(evaluation.rows)
    pq.write_table(pa.table(columns, PREDICTIONS_SCHEMA), path)


def _write_probabilities(path: Path, held_out: HeldOutPredictions) -> None:
    parts = [
        (training, evaluation)
        for training in held_out.trainings
        for evaluation in (training.validation, training.test)
    ]
    counts = [len(evaluation.rows) for _, evaluation in parts]

    def repeated(values: Sequence[object], dtype: Any) -> np.ndarray:
        return np.repeat(np.array(values, dtype=dtype), counts)

    def stacked(name: str) -> np.ndarray:
        return np.concatenate([getattr(evaluation, name) for _, evaluation in parts])

    shares = stacked("probabilities").astype(np.float32)
    sides = repeated([SIDES.index(each.side) for _, each in parts], np.int32)
    columns = {
        "fold": pa.array(repeated([training.fold for training, _ in parts], np.int32)),
        "seed": pa.array(repeated([training.seed for training, _ in parts], np.int64)),
        "best": pa.array(repeated([training.best for training, _ in parts], bool)),
        "side": pa.DictionaryArray.from_arrays(sides, pa.array(SIDES)),
        "row": pa.array(held_out.rows[stacked("rows")]),
        "position": pa.array(stacked("rows")),
        "label": pa.DictionaryArray.from_arrays(
            stacked("labels").astype(np.int32), pa.array(held_out.names.all)
        ),
        "probabilities": pa.FixedSizeListArray.from_arrays(
            shares.reshape(-1), len(held_out.names.classes)
        ),
    }
    description = ProbabilitiesDescription(
        held_out.names.classes,
        held_out.names.unseen,
        held_out.corpus_digest,
        held_out.learned,
        PROBABILITIES_VERSION,
    )
    schema = probabilities_schema(len(held_out.names.classes))
    metadata = {DESCRIPTION: json.dumps(asdict(description))}
    table = pa.table(columns, schema.with_metadata(metadata))
    pq.write_table(table, path, compression="zstd")
