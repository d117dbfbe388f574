"""What is to be run: a request, and its cases in their order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.doctor.candidates.faults import MADE, data_cases, double_cases, setting_cases
from benchmarks.doctor.candidates.foreign import foreign_cases
from benchmarks.doctor.candidates.healthy import healthy_cases
from benchmarks.doctor.case import Case

SEEDS = Path(__file__).with_name("seeds.json")
DOUBLES = 7
"""Cases with two faults in each round, beside one of each cause."""


@dataclass(frozen=True)
class Request:
    """What is to be run.

    Attributes:
        half: ``tune`` or ``report``.
        out: folder of the journal.
        cache: folder of encoded texts.
        data: folder of the public corpora, or None.
        limit: maximum number of cases; 0: all.
        corpora: the only ones; (): all.
        only: cases whose name has one of these, joined by commas; '': all.
        seconds: time for the whole; after it no case begins. 0: no end.
        again: ask about runs that the journal has, too, since the doctor has changed.
        brief: one seed, and no single changes: right is what was seeded, healthy what was made
            so and neither ``logistic`` nor TF-IDF beats; who tries changes is not asked.
    """

    half: str
    out: Path
    cache: Path
    data: Path | None = None
    limit: int = 0
    corpora: tuple[str, ...] = ()
    only: str = ""
    seconds: float = 0.0
    again: bool = False
    brief: bool = False
    draw: int = 1

    @property
    def name(self) -> str:
        """Return the name of the half and its draw, as seeds and journals have it."""
        return self.half if self.draw == 1 else f"{self.half}_{self.draw}"

    @property
    def journal(self) -> Path:
        """Return the journal's file."""
        return self.out / f"{self.name}.jsonl"

    @property
    def seeds(self) -> dict[str, Any]:
        """Return the seeds, from the file that was written beforehand."""
        found: dict[str, Any] = json.loads(SEEDS.read_text(encoding="utf-8"))[self.name]
        return found


def cases_of(request: Request) -> list[Case]:
    """Return the cases in the order in which they are taken; a limit keeps the mixture.

    In turn one of each cause, some with two, and as many healthy ones, of which half look ill.
    """
    half, rng = request.half, np.random.default_rng(request.seeds["order"])
    groups: dict[str, list[Case]] = {}
    for case in (*setting_cases(half), *data_cases(half), *foreign_cases(half)):
        groups.setdefault(case.causes[0], []).append(case)
    healthy = list(healthy_cases(half))
    groups["two"] = list(double_cases(half))
    groups["ill"] = [case for case in healthy if case.ill]
    groups["well"] = [case for case in healthy if not case.ill]
    mixed = {
        name: [group[i] for i in rng.permutation(len(group))] for name, group in groups.items()
    }
    kept = {
        name: [case for case in group if _wanted(case, request)]
        for name, group in mixed.items()
    }
    ordered = list(_rounds(kept))
    return ordered[: request.limit] if request.limit else ordered


def _wanted(case: Case, request: Request) -> bool:
    corpus = case.name.split("/")[2]
    if request.corpora and corpus not in request.corpora:
        return False
    if request.data is None and corpus not in ("E", "T", *MADE):
        return False
    return any(part in case.name for part in request.only.split(","))


def _rounds(groups: Mapping[str, list[Case]]) -> Iterator[Case]:
    causes = [group for name, group in groups.items() if name not in ("two", "ill", "well")]
    ill, well, two = iter(groups["ill"]), iter(groups["well"]), iter(groups["two"])
    for wave in zip_longest(*causes):
        faults = [case for case in wave if case is not None]
        faults += islice(two, DOUBLES)
        for i, case in enumerate(faults):
            yield case
            partner = next(ill if i % 2 else well, None)
            if partner is not None:
                yield partner
