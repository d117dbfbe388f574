"""Run cases and keep a journal: JSON Lines, one line on disk before the next training begins.

A case gives one ``truth`` line, which says whether its fault takes effect or whether it is
healthy, decided without the doctor, and one ``run`` line for each training seed. What the
journal has is not done again, so a kill loses one run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any

from benchmarks.doctor.journal import read_journal
from benchmarks.doctor.measures import DOCTOR, FAULT, HARMLESS, HEALTHY, TRIED, judge
from benchmarks.doctor.plan import Request, cases_of
from benchmarks.doctor.worker import Worker

_worker: Worker | None = None


def _start(request: Request) -> None:
    global _worker
    import torch

    torch.set_num_threads(1)
    _worker = Worker(request)


def _do(name: str, done: list[dict[str, Any]]) -> str:
    assert _worker is not None
    _worker.do(name, done)
    return name


def _settle(name: str, truth: dict[str, Any], causes: set[str]) -> str:
    assert _worker is not None
    _worker.settle(name, truth, causes)
    return name


def _ask_who_tries(name: str, truth: dict[str, Any], run: dict[str, Any]) -> str:
    assert _worker is not None
    _worker.ask_who_tries(name, truth, run)
    return name


def run(request: Request, jobs: int) -> None:
    """Do the cases that the journal does not have; one job is this process."""
    done: dict[str, list[dict[str, Any]]] = {}
    for line in read_journal(request.journal):
        done.setdefault(line["case"], []).append(line)
    names = [case.name for case in cases_of(request)]
    _in_processes(request, jobs, _do, [(name, done.get(name, [])) for name in names])


def settle_all(request: Request, jobs: int, causes: Mapping[str, set[str]]) -> None:
    """Settle the causes of some cases: case -> causes that were named and not seeded."""
    lines = read_journal(request.journal)
    truths = {line["case"]: line for line in lines if line["record"] == "truth"}
    names = [name for name in truths if name in causes]
    _in_processes(
        request, jobs, _settle, [(name, truths[name], causes[name]) for name in names]
    )


def ask_all_who_try(request: Request, jobs: int) -> None:
    """Ask those who try changes without a doctor about the runs that they were not asked of."""
    judged = judge(read_journal(request.journal), DOCTOR)
    calls = [
        (line["case"], judged.truths[line["case"]], line)
        for line in judged.of(FAULT, HEALTHY, HARMLESS)
        if TRIED not in line["said"]
    ]
    _in_processes(request, jobs, _ask_who_tries, calls)


def _in_processes(
    request: Request, jobs: int, work: Callable[..., str], calls: Sequence[tuple[Any, ...]]
) -> None:
    """Do each call, in as many processes; none begins after the request's seconds."""
    started, count = time.monotonic(), 0

    def late() -> bool:
        return 0 < request.seconds < time.monotonic() - started

    if jobs == 1:
        _start(request)
        for call in calls:
            if late():
                return
            count = _tell(work(*call), count, len(calls))
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start, (request,)) as pool:
        waiting = iter(calls)
        running = {
            pool.submit(work, *call) for _, call in zip(range(jobs), waiting, strict=False)
        }
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for each in finished:
                count = _tell(each.result(), count, len(calls))
                call = None if late() else next(waiting, None)
                if call is not None:
                    running.add(pool.submit(work, *call))


def _tell(name: str, count: int, total: int) -> int:
    sys.stderr.write(f"{count + 1} of {total}: {name}\n")
    sys.stderr.flush()
    return count + 1
