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
from pipeline.runs.files.arrow import named, numbers, strings
from pipeline.runs.files.held_out import SIDES, HeldOutPredictions
from pipeline.runs.files.json_format import Values, write_json
from pipeline.runs.folder import CONFIG, HISTORY, METRICS, PREDICTIONS, PROBABILITIES
from pipeline.runs.formats import (
    CONFIG_FORMAT,
    DESCRIPTION,
    ONE_ENCODER_VERSION,
    PREDICTIONS_SCHEMA,
    PROBABILITIES_VERSION,
    HistoryLine,
    ProbabilitiesDescription,
    probabilities_schema,
)
from pipeline.runs.run_config import Resolved


def write_config(folder: Path, options: Values, resolved: Resolved | None = None) -> None:
    """Write ``config.json``.

    Args:
        options: what was asked for, as plain values.
        resolved: what it came to; a blend has none.
    """
    found: Values = {}
    if resolved is None or not resolved.encoder:
        found["version"] = ONE_ENCODER_VERSION
    if resolved is not None:
        one = set() if resolved.encoder else {"encoder", "further"}
        found["resolved"] = resolved.model_dump(mode="json", exclude=one)
    CONFIG_FORMAT.write(folder / CONFIG, {**found, **options, **found})


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
    parts = [
        (training, evaluation)
        for training in held_out.folds
        for evaluation in (training.validation, training.test)
    ]
    counts = [len(evaluation.rows) for _, evaluation in parts]
    every = np.concatenate([evaluation.rows for _, evaluation in parts])
    labels = np.concatenate([evaluation.labels for _, evaluation in parts])
    predicted = np.concatenate([evaluation.predicted for _, evaluation in parts])
    confidence = [evaluation.probabilities.max(axis=1) for _, evaluation in parts]
    columns = {
        "row": numbers(held_out.rows[every]),
        "side": strings(
            [
                each.side
                for (_, each), count in zip(parts, counts, strict=True)
                for _ in range(count)
            ]
        ),
        "label": strings([names.all[i] for i in labels.tolist()]),
        "predicted": strings([names.classes[i] for i in predicted.tolist()]),
        "confidence": numbers(np.concatenate(confidence).astype(np.float64)),
        "fold": numbers(np.repeat(np.array([one.fold for one, _ in parts], np.int64), counts)),
    }
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
        "fold": numbers(repeated([training.fold for training, _ in parts], np.int32)),
        "seed": numbers(repeated([training.seed for training, _ in parts], np.int64)),
        "best": numbers(repeated([training.best for training, _ in parts], bool)),
        "side": named(sides, SIDES),
        "row": numbers(held_out.rows[stacked("rows")]),
        "position": numbers(stacked("rows")),
        "label": named(stacked("labels"), held_out.names.all),
        "probabilities": pa.FixedSizeListArray.from_arrays(
            numbers(shares.reshape(-1)), len(held_out.names.classes)
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
