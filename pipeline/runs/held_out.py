"""What the heads of a run answer for the texts that they did not learn from.

    predictions.parquet     of the kept training of each fold, one row a text: data row, side,
                            true and predicted label, confidence, fold
    probabilities.parquet   of every training, one row a text: the probability of each class;
                            ``place`` is the text's position in the corpus, from 0

The answers on validation are those of the head before its refit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import CacheError
from pipeline.evaluation.evaluation import ClassNames, Evaluation, pooled
from pipeline.runs.folder import PREDICTIONS, PROBABILITIES

SIDES = ("validation", "test")
DESCRIPTION = b"manyheads"
DAMAGE = (LookupError, ValueError, TypeError, AttributeError)
"""What a file of another form than ours makes the reading raise."""


@dataclass(frozen=True, eq=False)
class TrainingPredictions:
    """Those of one training.

    Attributes:
        fold: from 1.
        seed: of the training.
        kept: whether it is the one of its fold that validates best.
        validation, test: predictions; in those that were read ``plain`` is ``probabilities``.
    """

    fold: int
    seed: int
    kept: bool
    validation: Evaluation
    test: Evaluation


@dataclass(frozen=True, eq=False)
class HeldOutPredictions:
    """Those of all trainings of a run.

    Attributes:
        corpus_digest: of the texts, labels and sides in their order.
        names: the class ids.
        rows: data rows by position in the corpus, (N,) int64; 0 for a text that no training
            held out. The same texts may stand in other rows of another file.
        learned: how many texts the heads of each fold have learned from.
        answers: by fold, then by seed.
    """

    corpus_digest: str
    names: ClassNames
    rows: np.ndarray
    learned: tuple[int, ...]
    answers: tuple[TrainingPredictions, ...]

    @property
    def folds(self) -> tuple[TrainingPredictions, ...]:
        """Those of the training that is kept of each fold; without folds, one."""
        return tuple(each for each in self.answers if each.kept)

    @property
    def validation(self) -> Evaluation:
        """What the kept trainings say on validation; a text may have answers of several."""
        return pooled([fold.validation for fold in self.folds])

    @property
    def test(self) -> Evaluation:
        """What the kept trainings say on test, of all folds."""
        return pooled([fold.test for fold in self.folds])

    @property
    def fold_count(self) -> int:
        """How many folds, as ``--folds`` takes it: 0 without."""
        return len(self.folds) if len(self.folds) > 1 else 0


def write_held_out(folder: Path, held_out: HeldOutPredictions) -> None:
    """Write both files into a run folder."""
    _write_predictions(folder / PREDICTIONS, held_out)
    _write_probabilities(folder / PROBABILITIES, held_out)


def _write_predictions(path: Path, held_out: HeldOutPredictions) -> None:
    """With folds every text has one row on test, and most several on validation."""
    names = held_out.names
    columns: dict[str, list[Any]] = {
        name: [] for name in ("row", "side", "label", "predicted", "confidence", "fold")
    }
    for answers in held_out.folds:
        for evaluation in (answers.validation, answers.test):
            columns["row"] += held_out.rows[evaluation.rows].tolist()
            columns["side"] += [evaluation.side] * len(evaluation.rows)
            columns["label"] += [names.all[i] for i in evaluation.labels]
            columns["predicted"] += [names.classes[i] for i in evaluation.predicted]
            columns["confidence"] += evaluation.probabilities.max(axis=1).tolist()
            columns["fold"] += [answers.fold] * len(evaluation.rows)
    pq.write_table(pa.table(columns), path)


def _write_probabilities(path: Path, held_out: HeldOutPredictions) -> None:
    parts = [
        (answers, evaluation)
        for answers in held_out.answers
        for evaluation in (answers.validation, answers.test)
    ]
    counts = [len(evaluation.rows) for _, evaluation in parts]

    def repeated(values: Sequence[object], dtype: Any) -> np.ndarray:
        return np.repeat(np.array(values, dtype=dtype), counts)

    def stacked(name: str) -> np.ndarray:
        return np.concatenate([getattr(evaluation, name) for _, evaluation in parts])

    shares = stacked("probabilities").astype(np.float32)
    sides = repeated([SIDES.index(each.side) for _, each in parts], np.int32)
    columns = {
        "fold": pa.array(repeated([answers.fold for answers, _ in parts], np.int32)),
        "seed": pa.array(repeated([answers.seed for answers, _ in parts], np.int64)),
        "kept": pa.array(repeated([answers.kept for answers, _ in parts], bool)),
        "side": pa.DictionaryArray.from_arrays(sides, pa.array(SIDES)),
        "row": pa.array(held_out.rows[stacked("rows")]),
        "place": pa.array(stacked("rows")),
        "label": pa.DictionaryArray.from_arrays(
            stacked("labels").astype(np.int32), pa.array(held_out.names.all)
        ),
        "probabilities": pa.FixedSizeListArray.from_arrays(
            shares.reshape(-1), len(held_out.names.classes)
        ),
    }
    description = {
        "classes": held_out.names.classes,
        "unseen": held_out.names.unseen,
        "corpus_digest": held_out.corpus_digest,
        "learned": held_out.learned,
    }
    table = pa.table(columns).replace_schema_metadata({DESCRIPTION: json.dumps(description)})
    pq.write_table(table, path, compression="zstd")


def read_held_out(folder: Path) -> HeldOutPredictions:
    """Those of a run folder. Raises ``CacheError`` if it has none or they are damaged."""
    path = folder / PROBABILITIES
    if not path.exists():
        raise CacheError(
            f"the run {folder} has no {PROBABILITIES}: it was trained before runs kept the "
            "probabilities of held-out texts; train it again"
        )
    try:
        table = pq.read_table(path)
        description = json.loads(table.schema.metadata[DESCRIPTION])
        names = ClassNames(tuple(description["classes"]), tuple(description["unseen"]))
        place = table.column("place").to_numpy()
        rows = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
        rows[place] = table.column("row").to_numpy()
        return HeldOutPredictions(
            str(description["corpus_digest"]),
            names,
            rows,
            tuple(map(int, description["learned"])),
            _answers(table, names),
        )
    except (OSError, pa.ArrowException, *DAMAGE) as error:
        raise CacheError(f"{path} is damaged ({error}): train the run again") from error


def _answers(table: pa.Table, names: ClassNames) -> tuple[TrainingPredictions, ...]:
    fold, seed, kept, place = (
        table.column(name).to_numpy() for name in ("fold", "seed", "kept", "place")
    )
    side = _coded(table, "side", SIDES)
    labels = _coded(table, "label", names.all)
    flat = table.column("probabilities").combine_chunks().flatten().to_numpy()
    shares = flat.reshape(len(table), len(names.classes))

    def evaluation(code: int, training: np.ndarray) -> Evaluation:
        chosen = np.flatnonzero(training & (side == code))
        if len(chosen) == 0:
            raise ValueError(f"a training without {SIDES[code]} texts")
        own = shares[chosen]
        return Evaluation(SIDES[code], place[chosen], labels[chosen], own, own)

    answers = []
    for each_fold, each_seed in sorted(set(zip(fold.tolist(), seed.tolist(), strict=True))):
        training = (fold == each_fold) & (seed == each_seed)
        validation, test = (evaluation(code, training) for code in range(len(SIDES)))
        answers.append(
            TrainingPredictions(
                each_fold, each_seed, bool(kept[training].all()), validation, test
            )
        )
    if not any(each.kept for each in answers):
        raise ValueError("no training is kept")
    return tuple(answers)


def _coded(table: pa.Table, column: str, values: Sequence[str]) -> np.ndarray:
    """(n,) int64: where each cell of a dictionary column stands in ``values``."""
    cells = table.column(column).combine_chunks()
    codes = np.array([values.index(each) for each in cells.dictionary.to_pylist()], np.int64)
    return np.asarray(codes[cells.indices.to_numpy()])
