"""``manyheads report STUDY``: a search as a page; nothing in it can run but our script."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.pages.figures.parallel import parallel
from pipeline.pages.figures.study_charts import elapsed, scored, value_axis
from pipeline.pages.figures.symbol import KINDS, symbol
from pipeline.pages.study_report import study_page
from pipeline.search.records.record import read_record
from pipeline.search.records.study import Study
from tests.pipeline.pages.test_report import OLD, Reader
from tests.support.cli import Command, Refusal
from tests.support.runs.made_studies import FAILURE, made_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of 34 trials, whose winner's run is one of the first version."""
    runs = tmp_path_factory.mktemp("runs")
    shutil.copytree(OLD / "cnn", runs / "a-run")
    return made_study(runs, data="a </title><b>b</b>.csv")


@pytest.fixture(scope="module")
def page(study: Study) -> Reader:
    return Reader(study_page(read_record(study.folder)))


def test_the_page_tells_who_won_and_how_far_to_believe_it(study: Study, page: Reader) -> None:
    record = read_record(study.folder)
    winner = record.finalists[0]
    assert f"The best of 34 trials: {winner.candidate.head} on" in page.text
    for words in (
        "with other seeds: its seed",
        "Test was looked at once, by the winner.",
        "within noise",
        "The best of n trials flatters validation",
        "manyheads search --join made",
        "manyheads train --head cnn",
        "manyheads compare study-made RUN",
        "holds no texts of the data",
    ):
        assert words in page.text, words
    assert f"{winner.search:.1%}" in page.text
    # Every trial has a row, and its symbol with what a pointer reads.
    assert page.text.count("stopped after epoch") >= sum(
        trial.outcome.stopped for trial in record.trials
    )
    kinds = [each["class"] for each in page.of("path")]
    assert len([each for each in kinds if each and each.startswith("sign")]) > len(
        scored(record.trials)
    )


def test_names_and_messages_of_markup_are_texts(page: Reader) -> None:
    assert len(page.inside["script"]) == 2
    assert not {"b", "img"} & {tag for tag, _ in page.tags}
    assert FAILURE in page.text
    names = {name for _, attributes in page.tags for name in attributes}
    assert not [name for name in names if name.startswith("on") or name == "style"]
    drawn = [each for each in page.of("svg") if each.get("aria-hidden") != "true"]
    assert len(drawn) >= 5
    assert all(each["role"] == "img" and each["aria-label"] for each in drawn)
    assert len(page.of("table")) == len(page.of("caption"))


def test_a_study_without_a_winner_shows_its_trials(tmp_path: Path) -> None:
    made = made_study(tmp_path, trials=2)
    (made.folder / "result.json").unlink()
    page = study_page(read_record(made.folder))
    assert "No winner is named yet." in page
    assert "Score against time" in page
    assert "The finalists" not in page
    assert "manyheads search --data" in page


def test_report_writes_the_page_into_the_study(
    tmp_path: Path, command: Command, refusal: Refusal
) -> None:
    made = made_study(Path("runs"), trials=1)
    found = command("report", "made")
    assert found["out"] == "runs/study-made/report.html"
    assert found["runs"] == ["runs/study-made"]
    assert Path(found["out"]).read_text().startswith("<!doctype html>")
    assert "leave --data out" in refusal("report", "made", "--data", "x.csv")
    assert "write over what this command reads" in refusal(
        "report", "made", "--out", made.folder / "study.json"
    )
    shutil.copytree(OLD / "cnn", "runs/a-run")
    shutil.copytree(OLD / "logistic", "runs/other")
    pair = command("report", "made", "other", "--out", tmp_path / "pair.html")
    assert sorted(pair["runs"]) == ["runs/a-run", "runs/other"]
    (made.folder / "journal.log").write_text("nonsense\n")
    assert "is damaged" in refusal("report", "made")


def test_values_stand_where_they_are(study: Study) -> None:
    few, places = value_axis("filters", [64, 256, 64, 128])
    assert [text for _, text in few.ticks] == ["64", "128", "256"]
    assert places == [0.0, 2.0, 0.0, 1.0]
    rates = [10**-i * (1 + j / 10) for i in (2, 3) for j in range(5)]
    wide, _ = value_axis("learning_rate", rates)
    assert wide.logarithmic
    assert all(wide.low <= value <= wide.high for value, _ in wide.ticks)
    words, places = value_axis("dense", ["", "a long list of values", 3])
    assert [text for _, text in words.ticks] == ["3", "none", "a long list…"]
    record = read_record(study.folder)
    times = elapsed(record.trials)
    assert times == sorted(times)
    cnn = [each for each in scored(record.trials) if each.candidate.head == "cnn"]
    drawn = parallel("cnn", cnn, record.shares)
    assert drawn is not None
    assert len(drawn.lines) == len(cnn)
    assert drawn.lines[-1].best
    assert parallel("cnn", cnn[:2], record.shares) is None
    assert len({symbol(kind, 0, 0).path for kind in range(KINDS)}) == KINDS
