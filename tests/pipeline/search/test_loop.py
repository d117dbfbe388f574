"""The loop and the journal: nothing lost, nothing twice, the same result after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.errors import CacheError, DiskSpaceError
from pipeline.search.candidate import Job, Outcome, seconds_used
from pipeline.search.halving import Halving
from pipeline.search.loop import Loop, OneByOne
from pipeline.search.records.journal import (
    DRAWN,
    LOG,
    REPEATS,
    SIMPLE,
    Claim,
    Journal,
    remove_half_line,
)
from pipeline.search.space import make_space
from tests.support.cli import REPOSITORY
from tests.support.drivers.search_driver import TRIALS, facts, killed_plan, plan, search, train


def finished(folder: Path, kind: str) -> dict[str, float]:
    with Journal(folder, 0, "random") as journal:
        return facts(journal.finished(kind))


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_interrupted_search_ends_as_one_that_was_not(sampler: str, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    search(whole, plan(), sampler=sampler)
    calls = 0

    def until_interrupted(job: Job, behind: object) -> Outcome:
        nonlocal calls
        calls += 1
        if calls in (2, 5):
            raise KeyboardInterrupt
        return train(job, behind)  # type: ignore[arg-type]

    for _ in range(2):
        with Journal(cut, 0, sampler) as journal, pytest.raises(KeyboardInterrupt):
            Loop(journal, plan(), OneByOne(until_interrupted)).try_candidates()
    search(cut, plan(), sampler=sampler)
    for kind in (SIMPLE, DRAWN, REPEATS):
        assert finished(cut, kind) == finished(whole, kind)
    assert len(finished(whole, DRAWN)) == TRIALS
    assert len({key.partition(" ")[2] for key in finished(whole, DRAWN)}) == TRIALS


class ThreeAtOnce:
    """Trains three jobs at once; the one that began last ends first."""

    slots = 3

    def __init__(self, stops_at: int | None = None) -> None:
        self.begun: list[Claim] = []
        self.at_once, self.done, self.stops_at = 0, 0, stops_at

    def begin(self, claim: Claim, is_behind: object) -> None:
        self.begun.append(claim)
        self.at_once = max(self.at_once, len(self.begun))

    def ended(self) -> tuple[Claim, Outcome]:
        if self.done == self.stops_at:
            raise KeyboardInterrupt
        self.done += 1
        claim = self.begun.pop()
        return claim, train(claim.job)


def test_trials_that_are_trained_three_at_once_are_those_of_one_after_another(
    tmp_path: Path,
) -> None:
    search(tmp_path / "one", killed_plan())
    folder = tmp_path / "three"
    with Journal(folder, 0, "random") as journal, pytest.raises(KeyboardInterrupt):
        Loop(journal, killed_plan(), ThreeAtOnce(stops_at=6)).try_candidates()
    trainer = ThreeAtOnce()
    with Journal(folder, 0, "random") as journal:
        loop = Loop(journal, killed_plan(), trainer)
        loop.try_candidates()
        loop.repeat_best()
    for kind in (SIMPLE, DRAWN, REPEATS):
        assert finished(folder, kind) == finished(tmp_path / "one", kind)
    assert (trainer.at_once, trainer.begun) == (3, [])


def test_time_counts_where_trials_are_still_being_trained(tmp_path: Path) -> None:
    before = time.time() - 60
    assert seconds_used([], [before, before + 1]) == pytest.approx(60, abs=10)
    with Journal(tmp_path, 0, "random") as journal:
        loop = Loop(journal, plan(budget=30.0), ThreeAtOnce())
        loop.try_candidates()
        loop._begun[-1] = before  # one that takes long: no other is begun beside it
        assert loop._next_candidate() is None
        assert loop.ended == "the time is over"


def test_more_trials_go_on_with_those_that_are_done(tmp_path: Path) -> None:
    search(tmp_path / "a", plan(trials=2))
    before = finished(tmp_path / "a", DRAWN)
    search(tmp_path / "a", plan(trials=5))
    after = finished(tmp_path / "a", DRAWN)
    assert before.items() <= after.items()
    assert len(after) == 5


def test_two_processes_share_a_study_and_take_over_from_one_that_died(tmp_path: Path) -> None:
    own = plan()
    with Journal(tmp_path, 0, "random") as one, Journal(tmp_path, 0, "random") as two:
        first, second = (each.claim(SIMPLE, own.simple) for each in (one, two))
        assert (first.job, second.job) == tuple(own.simple)  # type: ignore[union-attr]
        assert one.claim(SIMPLE, own.simple) is None
        assert one.others_at_work(SIMPLE)
        two.finish(second, train(second.job), 1.0)  # type: ignore[union-attr,arg-type]
    with Journal(tmp_path, 0, "random") as three:
        again = three.claim(SIMPLE, own.simple)
        assert again is not None
        assert (again.job, again.number) == (first.job, first.number)  # type: ignore[union-attr]
        assert len(three.finished(SIMPLE)) == 1


def test_half_a_line_is_removed_and_a_damaged_journal_is_named(tmp_path: Path) -> None:
    search(tmp_path, plan(trials=1))
    known = finished(tmp_path, DRAWN)
    path = tmp_path / LOG
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"wor')  # as a full disk leaves it
    search(tmp_path, plan(trials=2))
    assert known.items() <= finished(tmp_path, DRAWN).items()
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    with pytest.raises(CacheError, match="damaged"):
        search(tmp_path, plan())
    path.write_bytes(b"no line")
    remove_half_line(path)
    assert path.read_bytes() == b""


def test_a_full_disk_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    study = small_disk / "study"
    search(study, plan(trials=1))
    before = finished(study, DRAWN)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    with pytest.raises((OSError, DiskSpaceError)):
        search(study, plan())
    filler.unlink()
    search(study, plan())
    search(tmp_path / "whole", plan())
    assert finished(study, DRAWN) == finished(tmp_path / "whole", DRAWN)
    assert before.items() <= finished(study, DRAWN).items()


def test_a_small_space_ends_when_all_of_it_is_tried(tmp_path: Path) -> None:
    own = plan(make_space(None, ("logistic",), 3), arms=plan().arms[:1])
    loop = search(tmp_path, own)
    assert "nothing new is left" in loop.ended
    assert len(finished(tmp_path, DRAWN)) == 1  # the other one is the default


def test_a_head_whose_settings_are_all_tried_does_not_hold_up_others(
    tmp_path: Path,
) -> None:
    loop = search(tmp_path, plan(trials=30), sampler="tpe")
    assert not loop.ended
    heads = [trial.candidate.head for trial in loop.trials]
    assert (heads.count("logistic"), heads.count("mlp")) == (2, 29)


def test_the_time_and_a_plateau_end_a_search(tmp_path: Path) -> None:
    loop = search(tmp_path / "time", plan(trials=None, budget=0.05), seconds=0.02)
    assert loop.ended == "the time is over"
    with Journal(tmp_path / "plateau", 0, "random") as journal:
        same = train(plan().simple[1])
        again = Loop(journal, plan(trials=None), OneByOne(lambda job, behind: replace(same)))
        trials = again.try_candidates()
    assert "did not improve validation beyond noise" in again.ended
    assert 40 < len(trials) < 60


def test_halving_keeps_the_best_third_at_a_rung_alone() -> None:
    halving = Halving([(0.1, 0.5, 0.6), (0.1, 0.6), (0.2, 0.7, 0.8, 0.9)])
    assert halving.is_behind(2, 0.55)
    assert not halving.is_behind(2, 0.65)
    assert not halving.is_behind(1, 0.0)
    assert not halving.is_behind(4, 0.0)  # no rung
    assert not halving.is_behind(6, 0.0)  # no rival has come so far
    assert seconds_used([]) == 0.0


def killed(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.drivers.search_driver",
            folder,
            str(kills),
            str(seed),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_processes_lose_nothing_and_repeat_nothing(kills: int, tmp_path: Path) -> None:
    search(tmp_path / "whole", killed_plan())
    report = killed(tmp_path / "killed", kills, seed=kills)
    assert not any(report["last"])
    whole = finished(tmp_path / "whole", DRAWN)
    assert all(drawn == whole for drawn in report["drawn"])
