"""A study read from its folder says what the search said, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.errors import CacheError
from pipeline.search.candidate import Outcome
from pipeline.search.loop import Loop, OneByOne
from pipeline.search.records.journal import DRAWN, LOG, REPEATS, SIMPLE, Journal
from pipeline.search.records.reading import read_trials
from pipeline.search.records.record import StudyRecord, count_texts
from pipeline.search.records.study import NamedWinner, StudyDescription, named_winner
from tests.support.drivers.search_driver import TEXTS, plan, search


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_journal_is_read_as_the_search_reads_it(tmp_path: Path) -> None:
    search(tmp_path, plan())
    with Journal(tmp_path, 0, "random") as journal:
        known = {kind: journal.finished(kind) for kind in (SIMPLE, DRAWN, REPEATS)}
    with (tmp_path / LOG).open("ab") as file:
        file.write(b'{"op_code":4,"wor')  # another process is writing
    before = files(tmp_path)
    tmp_path.chmod(0o500)
    try:
        assert read_trials(tmp_path) == known
    finally:
        tmp_path.chmod(0o700)
    assert files(tmp_path) == before
    assert count_texts(known[SIMPLE]) == count_texts(known[REPEATS]) == TEXTS
    assert count_texts([]) == 0


def test_a_damaged_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="is damaged"):
        read_trials(tmp_path)
    (tmp_path / LOG).write_bytes(b"nonsense\n")
    with pytest.raises(CacheError, match="is damaged"):
        read_trials(tmp_path)


def test_finalists_are_those_that_the_search_compared(tmp_path: Path) -> None:
    search(tmp_path, plan())
    with Journal(tmp_path, 0, "random") as journal:
        untouched = OneByOne(lambda job, behind: Outcome(failed="never trained"))
        found = Loop(journal, plan(), untouched).repeat_best()
    read = read_trials(tmp_path)
    keys = tuple(one.candidate.key for one in found)
    named = NamedWinner(keys[0], "a-run", 1, keys, 2, TEXTS, "", "")
    trials = tuple(sorted([*read[SIMPLE], *read[DRAWN]], key=lambda trial: trial.outcome.ended))
    record = StudyRecord(
        tmp_path, StudyDescription((), {}), trials, tuple(read[REPEATS]), named
    )
    assert record.finalists == tuple(found)
    assert record.flattery is not None
    assert record.flattery.best == max(t.outcome.accuracy for t in trials if t.outcome.whole)
    assert record.run == tmp_path.parent / "a-run"


def test_a_result_of_version_1_is_read(tmp_path: Path) -> None:
    assert named_winner(tmp_path) is None
    old = {"version": 1, "candidate": "{}", "run": "a-run", "looks": 2}
    (tmp_path / "result.json").write_text(json.dumps(old))
    named = named_winner(tmp_path)
    assert named is not None
    assert (named.run, named.looks, named.finalists, named.command) == ("a-run", 2, (), "")
    record = StudyRecord(tmp_path, StudyDescription((), {}), (), (), named)
    assert (record.finalists, record.flattery, record.luck, record.texts) == ((), None, (), 0)
