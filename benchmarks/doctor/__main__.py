"""Measure the doctor on seeded faults and healthy runs: ``python -m benchmarks.doctor``.

It goes on where it was stopped. The report half is for measuring only: thresholds are chosen
on the tune half, and frozen by a commit before the report half runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.doctor.measures import FOREST, report
from benchmarks.doctor.rivals.forest import add_forest
from benchmarks.doctor.runner import Request, Worker, cases_of, read_journal

LIMIT = 200
"""Cases by default: about two hours on two cores, faults and healthy ones alike."""

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


def main(arguments: list[str] | None = None) -> int:
    """Run the cases of one half, and print the report as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doctor", description=__doc__)
    parser.add_argument("--half", choices=("tune", "report"), required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the journal")
    parser.add_argument("--limit", type=int, default=LIMIT, help="cases; 0: all")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="encoded texts")
    parser.add_argument("--data-folder", type=Path, help="public corpora, NAME/NAME.csv")
    parser.add_argument("--corpora", default="", help="only these, such as S,T")
    parser.add_argument("--only", default="", help="cases whose name has this")
    parser.add_argument("--seconds", type=float, default=0, help="no case begins after them")
    parser.add_argument("--taught", type=Path, help="journal that teaches the forest")
    parser.add_argument("--report-only", action="store_true", help="of what the journal has")
    options = parser.parse_args(arguments)
    request = Request(
        options.half,
        options.out,
        options.cache,
        options.data_folder,
        options.limit,
        tuple(filter(None, options.corpora.split(","))),
        options.only,
        options.seconds,
    )
    request.out.mkdir(parents=True, exist_ok=True)
    if not options.report_only:
        run(request, options.jobs)
    taught = read_journal(options.taught) if options.taught else []
    records = add_forest(read_journal(request.journal), taught, FOREST)
    sys.stdout.write(report(records, request.half))
    return 0


def run(request: Request, jobs: int) -> None:
    """Do the cases that the journal does not have; with one job in this process."""
    done: dict[str, list[dict[str, Any]]] = {}
    for line in read_journal(request.journal):
        done.setdefault(line["case"], []).append(line)
    names = [case.name for case in cases_of(request)]
    started, count = time.monotonic(), 0

    def late() -> bool:
        return 0 < request.seconds < time.monotonic() - started

    if jobs == 1:
        _start(request)
        for name in names:
            if late():
                return
            _do(name, done.get(name, []))
            count = _tell(name, count, len(names))
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start, (request,)) as pool:
        waiting = iter(names)
        running = {
            pool.submit(_do, name, done.get(name, []))
            for _, name in zip(range(jobs), waiting, strict=False)
        }
        while running:
            finished = next(as_completed(running))
            running.discard(finished)
            count = _tell(finished.result(), count, len(names))
            name = None if late() else next(waiting, None)
            if name is not None:
                running.add(pool.submit(_do, name, done.get(name, [])))


def _tell(name: str, count: int, total: int) -> int:
    sys.stderr.write(f"{count + 1} of {total}: {name}\n")
    sys.stderr.flush()
    return count + 1


if __name__ == "__main__":
    sys.exit(main())
