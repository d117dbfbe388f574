"""Run folders read back: old ones as new ones, damaged ones refused in one line."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.errors import CacheError, DamagedFileError
from heads.problem import EpochRecord
from pipeline.evaluation.result import VERSION, BlendResult, ExperimentResult
from pipeline.models.blend_folder import BLEND_FORMAT
from pipeline.models.model import MODEL_FORMAT
from pipeline.runs import reader
from pipeline.runs.files.training_texts import read_training
from pipeline.runs.formats import DESCRIPTION, HistoryLine
from pipeline.runs.writer import write_config, write_held_out, write_history, write_metrics

OLD = Path(__file__).parents[2] / "old"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of an old run."""
    return Path(shutil.copytree(OLD / "runs" / "logistic", tmp_path / "run"))


def test_old_runs_are_read_in_the_form_of_today() -> None:
    single, blend = (reader.read_scores(OLD / "runs" / name) for name in ("logistic", "blend"))
    assert isinstance(single, ExperimentResult)
    assert single.advice == ()
    assert single.test.accuracy_interval == (0.0, 1.0)
    assert single.trainings[0].validation.texts == 4
    assert (single.trainings[0].best, single.leaked) == (True, 0)
    assert isinstance(blend, BlendResult)
    assert [part.head for part in blend.parts] == ["logistic", "cnn"]
    assert blend.best_part == 0
    assert (blend.weights, blend.weighting.kind) == ((0.5, 0.5), "equal")
    assert (single.bytes_per_text, blend.weighting.gain) == (None, None)
    config = reader.read_config(OLD / "runs" / "logistic")
    assert config.resolved.encoder_commit == ""
    assert config.resolved.rows.train == 16
    assert BLEND_FORMAT.read(OLD / "runs" / "blend" / "blend.json").labels[0] == "fear"
    assert MODEL_FORMAT.read(OLD / "model" / "model.json").labels[0] == "fear"


def test_version_2_of_metrics_is_read(run: Path) -> None:
    """It differs from version 1 in the advice alone."""
    values = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(
        json.dumps({"version": 2, **values, "copied": 2, "advice": ["try it"]})
    )
    found = reader.read_metrics(run)
    assert (found.leaked, found.advice, found.trainings[0].best) == (2, ("try it",), True)


def test_what_is_written_is_read(run: Path) -> None:
    metrics, held_out = reader.read_metrics(run), reader.read_held_out(run)
    values = json.loads((run / "config.json").read_text())
    resolved = reader.read_config(run).resolved
    history = reader.read_history(run)
    history = (
        *history,
        HistoryLine(2, 7, EpochRecord(1, 1.0, 0.5, math.nan, 0.0, 0.1, 1.0, 0.0)),
    )
    predictions = reader.read_predictions(run)

    write_metrics(run, metrics)
    write_config(run, {key: values[key] for key in values if key != "resolved"}, resolved)
    write_history(run, history)
    write_held_out(run, held_out)

    assert reader.read_metrics(run) == metrics
    assert reader.read_config(run).resolved == resolved
    assert [json.loads((run / name).read_text())["version"] for name in FILES] == [2, VERSION]
    *same, last = reader.read_history(run)
    assert tuple(same) == history[:-1]
    assert (last.fold, last.seed) == (2, 7)
    assert math.isnan(last.record.validation_loss)
    assert reader.read_predictions(run) == predictions
    again = reader.read_held_out(run)
    assert again.names.classes == held_out.names.classes
    assert again.test.rows.tolist() == held_out.test.rows.tolist()
    assert (again.test.probabilities == held_out.test.probabilities).all()


FILES = ("config.json", "metrics.json")
READERS: dict[str, Callable[[Path], object]] = {
    "config.json": reader.read_config,
    "metrics.json": reader.read_scores,
    "history.jsonl": reader.read_history,
    "predictions.parquet": reader.read_predictions,
    "probabilities.parquet": reader.read_held_out,
    "training.parquet": lambda folder: read_training(folder / "training.parquet"),
}


def refusal(name: str, run: Path) -> str:
    """The one line that a file is refused with."""
    with pytest.raises(CacheError) as error:
        READERS[name](run)
    line = str(error.value)
    assert str(run / name) in line
    assert "train the run again" in line
    assert "\n" not in line
    assert error.value.exit_code == 2
    return line


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "content", [b" ", b"PAR1", b"null", b"[" * 100_000, b"{}", b"\xff", b'"']
)
def test_other_bytes_are_refused(name: str, content: bytes, run: Path) -> None:
    (run / name).write_bytes(content)
    assert "is damaged" in refusal(name, run)


def change(path: Path, where: str, value: Any) -> None:
    """Set a value of a JSON file, or remove it if it is ``...``."""
    values = json.loads(path.read_text())
    *parents, last = where.split(".")
    inner = values
    for key in parents:
        inner = inner[int(key) if isinstance(inner, list) else key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("name", "where", "value", "words"),
    [
        ("config.json", "version", 4, "is of format version 4, this program reads 1, 2, 3"),
        ("metrics.json", "version", 5, "is of format version 5"),
        ("metrics.json", "version", "2", "is of format version 2"),
        ("metrics.json", "next", 1, "unknown: next; a newer version may have written it"),
        ("metrics.json", "refit", ..., "it lacks refit"),
        ("metrics.json", "test.accuracy", "good", "test.accuracy: "),
        ("metrics.json", "trials.0.seed", ..., "trainings.0.seed: "),
        ("metrics.json", "over_seeds", [], "over_seeds: "),
        ("config.json", "resolved.spec", ["a"], "resolved.spec: "),
        ("config.json", "resolved.rows", ..., "resolved.rows: "),
        ("config.json", "vectors", {}, "vectors.encoder: "),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
    name: str, where: str, value: Any, words: str, run: Path
) -> None:
    change(run / name, where, value)
    assert words in refusal(name, run)


def no_test(table: pa.Table) -> pa.Table:
    return table.filter(pc.not_equal(table["side"].cast(pa.string()), "test"))


def column(name: str, values: Callable[[pa.Table], Any]) -> Callable[[pa.Table], pa.Table]:
    """Return what puts other values into a column."""

    def put(table: pa.Table) -> pa.Table:
        index = table.column_names.index(name)
        return table.set_column(index, name, pa.array(values(table)))

    return put


def newer(table: pa.Table) -> pa.Table:
    described = json.loads(table.schema.metadata[DESCRIPTION])
    return table.replace_schema_metadata({DESCRIPTION: json.dumps({**described, "version": 3})})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda table: table.drop_columns("kept"), "column best"),
        (lambda table: table.replace_schema_metadata({}), "its description"),
        (newer, "is of format version 3, this program reads 1, 2"),
        (
            lambda table: table.replace_schema_metadata({"manyheads": '{"classes": []}'}),
            "its description",
        ),
        (no_test, "a training without test texts"),
        (column("place", lambda table: [-1] * len(table)), "out of range"),
        (
            column("place", lambda table: [None] * len(table)),
            "of the column position are empty",
        ),
        (column("place", lambda table: ["x"] * len(table)), "is damaged"),
        (
            column("kept", lambda table: [False] * len(table)),
            "no training is marked as the best",
        ),
        (column("fold", lambda table: [*range(len(table))]), "a training without"),
        (
            column("label", lambda table: pa.array(["?"] * len(table)).dictionary_encode()),
            "label '?' is unknown",
        ),
        (
            column("probabilities", lambda table: [[0.1, 0.2]] * len(table)),
            "is damaged",
        ),
        (
            column("probabilities", lambda table: [[0.1, None, 0.2]] * len(table)),
            "a probability is no finite number",
        ),
    ],
)
def test_damaged_probabilities_are_refused(
    damage: Callable[[pa.Table], pa.Table], words: str, run: Path
) -> None:
    path = run / "probabilities.parquet"
    pq.write_table(damage(pq.read_table(path)), path)
    assert words in refusal(path.name, run)


def test_a_fault_of_ours_is_no_damage(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what pydantic, JSON or Arrow find wrong counts; a bug stays a bug."""

    def bug(*_: object) -> None:
        raise AttributeError("ours")

    monkeypatch.setattr(reader, "Evaluation", bug)
    with pytest.raises(AttributeError, match="ours"):
        reader.read_held_out(run)


def test_a_missing_file_is_named(run: Path) -> None:
    (run / "metrics.json").unlink()
    with pytest.raises(DamagedFileError, match="No such file"):
        reader.read_scores(run)
