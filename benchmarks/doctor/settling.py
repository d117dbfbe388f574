"""Settle what a brief run leaves open: is a cause right that was named but not seeded?

A brief run takes for right what was seeded, and for healthy what was made so. Where the doctor
names another cause, the changes that mend it are tried afterwards, and so are ``logistic`` and
the ten that people name most; a full run tries all 41. What is settled rests on fresh texts
alone: no answer of the doctor goes into it, only the choice of what to look at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.doctor.case import Case, Pair, train
from benchmarks.doctor.changes import (
    CHANGES,
    FREQUENT,
    REFERENCES,
    best_change,
    right_causes,
    try_all,
)
from benchmarks.doctor.measures import DOCTOR, EXCLUDED, FAULT, Line, judge

FIRST = 3
"""So many causes of an answer are looked at, as many as are counted."""


def disputed(records: Sequence[Line]) -> dict[str, set[str]]:
    """Return for each case that is not settled what the doctor named and is not right: causes.

    Args:
        records: lines of the journal.
    """
    found: dict[str, set[str]] = {}
    judged = judge(records, DOCTOR)
    for line in judged.lines:
        truth = judged.truths[line["case"]]
        if "settled" in truth or truth["tried"] or not judged.alarm(line):
            continue
        named = {cause for one in judged.causes(line)[:FIRST] for cause in one}
        if wrong := named - set(truth["right"]):
            found.setdefault(line["case"], set()).update(wrong)
    return found


def settle(
    case: Case, pair: Pair, truth: Line, causes: Collection[str], seeds: Sequence[int]
) -> dict[str, Any]:
    """Return the truth of a case once more, with what the changes of some causes show.

    Args:
        case: the candidate.
        pair: what it makes.
        truth: its line in the journal.
        causes: that were named and not seeded.
        seeds: of trainings; a fault is judged by the first.
    """
    wanted = [
        change
        for change in CHANGES
        if change.cause in causes or change.name in FREQUENT or change in REFERENCES
    ]
    faulty = truth["kind"] == FAULT
    before = [train(pair.faulty, seed) for seed in (seeds[:1] if faulty else seeds)]
    tried = list(try_all(pair.faulty, before[0], seeds[0], wanted))
    line: Mapping[str, Any] = {**truth, "settled": [asdict(each) for each in tried]}
    if faulty:
        right = right_causes(case.causes, case.accepted, truth["lost"], tried)
        return {**line, "right": right}
    better = best_change(pair.faulty, before, seeds, tried)
    if better is None:
        return dict(line)
    return {**line, "kind": EXCLUDED, "better": asdict(better)}
