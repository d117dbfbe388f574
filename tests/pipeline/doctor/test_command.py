"""``manyheads doctor``: what it says of runs, its options, and what it refuses."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from pipeline.doctor.cause import Cause
from pipeline.doctor.examination import examine
from pipeline.doctor.findings import Remedy, Suspicion
from pipeline.doctor.runs import doctor
from tests.support.cli import Command, Refusal, Run, run_name


def test_a_run_is_examined_and_its_files_are_left_as_they_were(
    train: Command, run: Run
) -> None:
    result = train("logistic")
    folder = Path(result["run"])
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    told = run("doctor", "latest", "--json").json
    assert told["run"] == result["run"]
    assert told["state"] in ("ill", "healthy", "unknown")
    learning = told["measurements"]["learning"]
    assert learning["accuracy"] == pytest.approx(result["validation"]["accuracy"])
    assert told["measurements"]["settings"]["head"] == "logistic"
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in folder.iterdir()} - {path.name for path in before} == {
        "doctor.json"
    }
    out = run("doctor", run_name(result))
    assert (out.code, bool(out.out.strip())) == (0, True)


def test_a_run_from_before_the_measurements_is_trained_once_more(
    train: Command, run: Run
) -> None:
    folder = Path(train("cnn", "--seed", 3)["run"])
    with_file = run("doctor", folder, "--no-prove", "--json").json["measurements"]
    (folder / "diagnostics.json").unlink()
    without = run("doctor", folder, "--no-prove", "--json").json["measurements"]
    assert without["learning"]["accuracy"] == with_file["learning"]["accuracy"]
    assert without["learning"]["train_accuracy"] == with_file["learning"]["train_accuracy"]
    assert without["steps"]["update_ratio"] == pytest.approx(with_file["steps"]["update_ratio"])


def test_the_cure_is_set_beside_the_run_on_the_same_texts(
    train: Command, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(train("cnn", "--seed", 4)["run"])
    remedy = Remedy("train longer", settings=(("epochs", "12"), ("learning_rate", "0.01")))
    found = Suspicion(0.9, "It is ill.", "it stops too early", (), remedy, measured=True)
    cause = Cause("too_early", "too early", "learning", lambda measured: found)
    monkeypatch.setattr(doctor, "examine", partial(examine, causes=(cause,)))
    told = run("doctor", folder, "--cure", "--strict")
    assert told.code == 3
    assert "Do this:  manyheads train --head cnn" in told.out
    assert "epochs=12 batch_size=16 learning_rate=0.01" in told.out
    assert "ured, on the same validation texts: " in told.out
    values = run("doctor", folder, "--cure", "--json").json
    (cured,) = values["remedies"]
    assert (values["cured"] is None) is (cured["interval"][0] <= 0)
    assert cured["difference"] == pytest.approx(
        cured["after"]["accuracy"] - cured["before"]["accuracy"]
    )
    assert Path(cured["run"], "metrics.json").exists()


def test_without_a_proven_remedy_nothing_is_trained(train: Command, run: Run) -> None:
    folder = Path(train("logistic")["run"])
    before = len(list(folder.parent.iterdir()))
    out = run("doctor", folder, "--cure", "--budget", "0.001").out
    assert "Nothing was trained: nothing is to be mended." in out
    assert len(list(folder.parent.iterdir())) == before


def test_what_it_cannot_examine_is_refused_in_one_line(
    train: Command, refusal: Refusal
) -> None:
    folder = Path(train("logistic")["run"])
    assert "no-prove" in refusal("doctor", folder, "--cure", "--no-prove")
    assert "--budget" in refusal("doctor", folder, "--budget", "0")
    assert "such as 10m" in refusal("doctor", folder, "--budget", "soon")
    (folder / "diagnostics.json").write_text("{")
    assert "diagnostics.json" in refusal("doctor", folder)


def test_texts_that_are_gone_are_asked_for(
    train: Command, refusal: Refusal, data: Path, tmp_path: Path
) -> None:
    folder = train("logistic", "--seed", 5)["run"]
    moved = data.rename(tmp_path / "moved.csv")
    assert "say where they are now with --data FILE" in refusal("doctor", folder)
    assert "gone.csv" in refusal("doctor", folder, "--data", "gone.csv")
    moved.rename(data)


def test_data_that_has_changed_since_is_refused(
    train: Command, refusal: Refusal, data: Path
) -> None:
    folder = train("logistic")["run"]
    data.write_text(data.read_text().replace("boat", "ship"))
    assert "other texts" in refusal("doctor", folder, "--data", data)
