"""``predict --output``: predictions as CSV, Parquet or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.corpus.source import Source
from features.errors import SettingError
from features.messages import listed
from features.output import appearing, check_output
from pipeline import spreadsheet
from pipeline.console import one_line
from pipeline.models.blend_folder import COPIED
from pipeline.runs.folder import find_run
from pipeline.runs.training_texts import Neighbor

LONGEST_LABEL, LONGEST_TEXT = 60, 80
"""Characters of a label and of a text on the terminal."""


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


@dataclass(frozen=True, eq=False)
class Predictions:
    """Labels for texts.

    Attributes:
        run: the run or model folder that gave them.
        texts: N texts.
        classes: C labels.
        probabilities: (N, C) float32, each row summing to 1.
        truncated: (N,) bool, texts longer than the encoder sees.
        neighbors: for each text the training texts nearest to it; empty if not asked for.
        rows: data row of each text, from 1, where rows were left out; otherwise empty.
    """

    run: Path
    texts: Sequence[str]
    classes: tuple[str, ...]
    probabilities: np.ndarray
    truncated: np.ndarray
    neighbors: Sequence[tuple[Neighbor, ...]] = ()
    rows: Sequence[int] = ()

    @property
    def labels(self) -> list[str]:
        """N labels, the most probable of each text."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    @property
    def probability_columns(self) -> list[str]:
        """C column names, ``probability:<label>``, which no other column can collide with."""
        return [f"probability:{name}" for name in self.classes]

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "run": str(self.run),
            "truncated": int(self.truncated.sum()),
            "predictions": [
                {
                    **({"row": self.rows[place]} if self.rows else {}),
                    "text": text,
                    "label": label,
                    "probabilities": dict(zip(self.classes, map(rounded, row), strict=True)),
                    **({"neighbors": list(map(asdict, near))} if self.neighbors else {}),
                }
                for place, (text, label, row, near) in enumerate(
                    zip(
                        self.texts,
                        self.labels,
                        self.probabilities.tolist(),
                        self.neighbors or [()] * len(self.texts),
                        strict=True,
                    )
                )
            ],
        }

    def to_text(self) -> str:
        """For people: each text's label and its three most probable classes."""
        lines = []
        near = self.neighbors or [()] * len(self.texts)
        names = [one_line(name, LONGEST_LABEL) for name in self.classes]
        for text, row, neighbors in zip(self.texts, self.probabilities, near, strict=True):
            best = np.argsort(-row, kind="stable")[:3]
            shares = ", ".join(f"{names[i]} {row[i]:.1%}" for i in best)
            lines.append(f"{names[best[0]]}\t({shares})\t{one_line(text, LONGEST_TEXT)}")
            lines += [
                f"    {each.similarity:.2f} [{one_line(each.label, LONGEST_LABEL)}] "
                f"{one_line(each.text, LONGEST_TEXT)} (training row {each.row:,})"
                for each in neighbors
            ]
        return "\n".join(lines)


def rounded(probability: float) -> float:
    """Return a probability as it is written: to six digits."""
    return round(probability, 6)
