"""``make bench``: every comparison in one run; exit code 1 if a goal was not reached."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks import encoding, heads, lengths, reading, trained
from benchmarks.commands import fixed_cost, scripts, warm
from benchmarks.handed import Handed
from benchmarks.measure import Result
from features.duplicates.duplicates import find_duplicates
from features.vectors.table import POOLED, TOKENS
from pipeline.config import EXAMPLE, DataConfig, VectorConfig
from pipeline.console import print_note
from pipeline.encoding.vectors import ensure_vectors
from pipeline.runs.environment import environment
from pipeline.training.partition import read_labelled, split_corpus


def main() -> int:
    """Run all comparisons: a line each on stderr, with --json one object on stdout."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=EXAMPLE, help="labelled texts that the heads train on"
    )
    parser.add_argument(
        "--corpora",
        type=Path,
        metavar="FOLDER",
        help="texts to encode: banking77/banking77.csv, isear/isear.csv, "
        "ng20_body/ng20_body.csv (default: made-up ones of those lengths)",
    )
    parser.add_argument("--cache", type=Path, default=VectorConfig.cache, help="feature store")
    parser.add_argument(
        "--encoder", help="of the whole commands: a folder or name (default: the embedded one)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="measured in turn; the median counts"
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="of the numbers of texts; below 1 only to try the benchmark itself",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of a fifth of the texts, without Keras and Lightning: some 3 minutes",
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.scale = 1, options.scale / 5
    start = time.perf_counter()
    facts = environment()
    print_note(f"{facts['processor']}, {facts['cores']} cores; {options.data.name}")
    results = []
    for result in run(options):
        print_note(result.line())
        results.append(result)
    print_note(f"{(time.perf_counter() - start) / 60:.1f} minutes")
    if options.json:
        rows = [{**asdict(result), "ratio": result.ratio} for result in results]
        sys.stdout.write(json.dumps({"results": rows, "environment": facts}) + "\n")
    return 0 if all(result.reached for result in results) else 1


def run(options: argparse.Namespace) -> Iterator[Result]:
    """All comparisons: encoding by length, warm paths, and heads on the labelled data."""
    rounds, scale = options.rounds, options.scale
    yield from encoding.run(options.corpora, rounds, scale)
    yield from warm.run(rounds, scale)
    yield reading.token_shards(rounds, round(16_000 * scale))
    handed = labelled(options.data, options.cache)
    yield from heads.run(handed.problem())
    yield from fixed_cost.run(options.data, options.cache, min(rounds, 2))
    for data, count in files(options):
        yield from scripts.run(data, options.encoder, 1, round(count * scale))
    if not options.quick:
        yield from trained.run(options.data, options.cache, handed)


def files(options: argparse.Namespace) -> list[tuple[Path, int]]:
    """Return files of labelled texts for the whole commands, and how many texts of each."""
    found = [
        (options.corpora / profile.corpus / f"{profile.corpus}.csv", 4 * profile.texts)
        for profile in lengths.PROFILES
        if options.corpora
    ]
    return [(path, count) for path, count in found if path.exists()] or [(options.data, 8_000)]


def labelled(data: Path, cache: Path) -> Handed:
    """The labelled data's token vectors, split."""
    config = DataConfig(data=data)
    corpus = read_labelled(config)
    vectors = ensure_vectors(corpus.texts, VectorConfig(cache=cache), (POOLED, TOKENS))
    copies = find_duplicates(corpus.texts, vectors.table(POOLED).values)
    split = split_corpus(corpus, config, copies)
    labels = split.label_ids(corpus.labels or ())
    return Handed.of(vectors.table(TOKENS), labels, split)


sys.exit(main())
