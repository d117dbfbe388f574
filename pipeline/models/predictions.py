"""``predict --output``: predictions as CSV, Parquet or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import SettingError, listed
from features.output import appearing, check_output
from features.storage.location import Source
from pipeline import spreadsheet
from pipeline.models.blend_folder import COPIED
from pipeline.models.predictor import Predictions, rounded
from pipeline.runs.folder import find_run

OUTPUTS = (".csv", ".parquet", ".jsonl")


def check_target(path: Path, run: str, runs: Path, reads: Sequence[Source | str]) -> None:
    """Refuse an output that cannot be written or is read, before any work is done.

    Args:
        run, runs: as in ``predict``.
        reads: what else is read: the texts, the cache, encoders.

    Raises:
        SettingError: an unknown suffix, or a place that will not do.
        OutputError: a file that cannot be written.
        CacheError: no such run.
    """
    if path.suffix not in OUTPUTS:
        raise SettingError(f"--output must end in one of {listed(OUTPUTS)}; got {str(path)!r}")
    check_output(path, "--output", reads)
    folder = Path(run) if Path(run).is_dir() else find_run(run, runs)
    check_output(path, "--output", [folder / name for name in COPIED])


def write_predictions(
    predictions: Predictions, path: Path, formulas: str = spreadsheet.ESCAPE
) -> None:
    """Write text, label and one probability a class, and the data row where some are left out.

    Args:
        formulas: what to do in CSV about cells that a spreadsheet would run; see
            ``spreadsheet.FORMULAS``.

    Raises:
        OutputError: the file cannot be written.
    """
    with appearing(path, "--output") as temporary:
        if path.suffix == ".csv":
            _write_csv(predictions, temporary, formulas == spreadsheet.ESCAPE)
        elif path.suffix == ".parquet":
            _write_parquet(predictions, temporary)
        else:
            _write_jsonl(predictions, temporary)


def _write_csv(predictions: Predictions, path: Path, escape: bool) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = ["row"] if predictions.rows else []
        writer.writerow([*names, "text", "label", *predictions.probability_columns])
        rows = predictions.probabilities.tolist()
        own = [[row] for row in predictions.rows] or [[]] * len(rows)
        for number, text, label, row in zip(
            own, predictions.texts, predictions.labels, rows, strict=True
        ):
            cells = [*number, text, label, *map(rounded, row)]
            writer.writerow(spreadsheet.escaped(cells) if escape else cells)


def _write_parquet(predictions: Predictions, path: Path) -> None:
    columns: dict[str, Any] = {"row": list(predictions.rows)} if predictions.rows else {}
    columns |= {"text": list(predictions.texts), "label": predictions.labels}
    for place, name in enumerate(predictions.probability_columns):
        columns[name] = predictions.probabilities[:, place]
    pq.write_table(pa.table(columns), path)


def _write_jsonl(predictions: Predictions, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in predictions.to_dict()["predictions"]:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
