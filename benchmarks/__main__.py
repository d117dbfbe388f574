"""``make bench``: every comparison in one run; exit code 1 if a goal was not reached."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from benchmarks import encoding, reading
from features.corpus import read_corpus
from pipeline.config import EXAMPLE
from pipeline.runs import environment


def main() -> int:
    """Run all comparisons and print a line each, or one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, default=EXAMPLE, help="texts to encode")
    parser.add_argument(
        "--rounds", type=int, default=3, help="measured in turn; the median counts"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    corpus = read_corpus(options.data, labels=False)
    results = [
        *encoding.run(corpus.texts, options.rounds),
        reading.token_shards(options.rounds),
        reading.warm_features(options.rounds),
    ]
    if options.json:
        rows = [{**asdict(result), "ratio": result.ratio} for result in results]
        sys.stdout.write(json.dumps({"results": rows, "environment": environment()}) + "\n")
    else:
        facts = environment()
        print(f"{facts['processor']}, {facts['cores']} cores; {corpus.name}")
        for result in results:
            print(result.line())
    return 0 if all(result.reached for result in results) else 1


sys.exit(main())
