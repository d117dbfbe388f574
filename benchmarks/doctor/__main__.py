"""Measure the doctor on seeded faults and healthy runs: ``python -m benchmarks.doctor``.

It goes on where it was stopped. The report half is for measuring only: thresholds are chosen
on the tune half, and frozen by a commit before the report half runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.doctor.journal import read_journal
from benchmarks.doctor.measures import FOREST, report
from benchmarks.doctor.plan import Request
from benchmarks.doctor.rivals.forest import add_forest
from benchmarks.doctor.runner import ask_all_who_try, run, settle_all
from benchmarks.doctor.settling import disputed

LIMIT = 200
"""Cases by default, faults and healthy ones alike: 80 minutes on two cores with ``--brief``."""


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
    parser.add_argument("--only", default="", help="cases whose name has one of these")
    parser.add_argument("--seconds", type=float, default=0, help="no case begins after them")
    parser.add_argument("--taught", type=Path, help="journal that teaches the forest")
    parser.add_argument("--again", action="store_true", help="ask about all runs once more")
    parser.add_argument(
        "--brief", action="store_true", help="one seed, no single changes: a sixth of the time"
    )
    parser.add_argument(
        "--draw", type=int, choices=(1, 2, 3), default=1, help="other texts and seeds (report)"
    )
    parser.add_argument(
        "--settle",
        action="store_true",
        help="try what the doctor named in brief runs, not seeded",
    )
    parser.add_argument(
        "--trying",
        action="store_true",
        help="ask about brief runs those who try changes without a doctor",
    )
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
        options.again,
        options.brief,
        options.draw,
    )
    if options.draw > 1 and options.half == "tune":
        parser.error("other draws are of the report half alone")
    request.out.mkdir(parents=True, exist_ok=True)
    if options.settle:
        settle_all(request, options.jobs, disputed(read_journal(request.journal)))
    elif options.trying:
        ask_all_who_try(request, options.jobs)
    elif not options.report_only:
        run(request, options.jobs)
    taught = read_journal(options.taught) if options.taught else []
    records = add_forest(read_journal(request.journal), taught, FOREST)
    sys.stdout.write(report(records, request.half))
    return 0


if __name__ == "__main__":
    sys.exit(main())
