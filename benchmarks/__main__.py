"""``make bench``: every comparison in one run; exit code 1 if a goal was not reached."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks import encoding, heads, reading
from benchmarks.measure import Result
from features.copies import find_copies
from features.table import POOLED, TOKENS
from heads.base import Problem
from pipeline.config import EXAMPLE, DataConfig, VectorConfig
from pipeline.partition import read_labelled, split_corpus
from pipeline.runs import environment
from pipeline.vectors import ensure_vectors, say


def main() -> int:
    """Run all comparisons: a line each on stderr, with --json one object on stdout."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, default=EXAMPLE, help="labelled texts")
    parser.add_argument("--cache", type=Path, default=VectorConfig.cache, help="feature store")
    parser.add_argument(
        "--rounds", type=int, default=3, help="measured in turn; the median counts"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    facts = environment()
    say(f"{facts['processor']}, {facts['cores']} cores; {options.data.name}")
    results = []
    for result in run(options.data, options.cache, options.rounds):
        say(result.line())
        results.append(result)
    if options.json:
        rows = [{**asdict(result), "ratio": result.ratio} for result in results]
        sys.stdout.write(json.dumps({"results": rows, "environment": facts}) + "\n")
    return 0 if all(result.reached for result in results) else 1


def run(data: Path, cache: Path, rounds: int) -> Iterator[Result]:
    """All comparisons: encoding and heads on the data, reading on made-up vectors."""
    config = DataConfig(data=data)
    corpus = read_labelled(config)
    vectors = ensure_vectors(corpus.texts, VectorConfig(cache=cache), (POOLED, TOKENS))
    table = vectors.table(TOKENS)
    split = split_corpus(
        corpus, config, find_copies(corpus.texts, vectors.table(POOLED).values)
    )
    labels = split.label_ids(corpus.labels or ())
    problem = Problem(table, labels, split.train, split.validation, len(split.classes))
    yield from encoding.run(corpus.texts, rounds)
    yield reading.token_shards(rounds)
    yield reading.warm_features(rounds)
    yield from heads.run(problem)


sys.exit(main())
