"""One command with the fake encoder, and what it took: a process of its own.

    python -m benchmarks.growth.command RESULT.json features --data texts.csv ...

``near-duplicates DATA CACHE COPIES`` is no command of manyheads: it searches the
near-duplicates of a file whose vectors are cached, and tells how many of the planted copies
were found.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.commands.memory import peak_memory
from benchmarks.growth.fake import install

NEAR = "near-duplicates"


def near_duplicates(data: Path, cache: Path, copies: Path) -> dict[str, Any]:
    """Return what the search found: recall of the planted copies, and of close vectors."""
    from features.duplicates.duplicates import find_duplicates
    from features.vectors.table import POOLED
    from pipeline.config import DataConfig, VectorConfig
    from pipeline.corpora import read_data
    from pipeline.encoding.vectors import ensure_vectors

    texts = read_data(DataConfig(data), labels=False).texts
    vectors = ensure_vectors(texts, VectorConfig(cache=cache), (POOLED,)).table(POOLED).values
    start = time.perf_counter()
    found = find_duplicates(texts, vectors)
    seconds = time.perf_counter() - start
    planted = np.load(copies)
    rows, sources, exact = planted["rows"], planted["sources"], int(planted["exact"])
    same = found.exact[rows[:exact]] == found.exact[sources[:exact]]
    linked = found.clusters[rows[exact:]] == found.clusters[sources[exact:]]
    return {
        "search": round(seconds, 3),
        "recall exact": float(same.mean()),
        "recall changed": float(linked.mean()),
        "recall close": found.recall,
    }


def main(arguments: Sequence[str]) -> int:
    """Run the command, and write seconds, processor seconds and peak memory."""
    target, *rest = arguments
    install()
    facts: dict[str, Any] = {}
    start = time.perf_counter()
    if rest[0] == NEAR:
        facts, code = near_duplicates(*map(Path, rest[1:])), 0
    else:
        from pipeline.cli.main import main as command

        code = command(rest)
    spent = [
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    facts |= {
        "seconds": round(time.perf_counter() - start, 3),
        "processor": round(sum(each.ru_utime + each.ru_stime for each in spent), 3),
        "peak": peak_memory(),
    }
    Path(target).write_text(json.dumps(facts), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
