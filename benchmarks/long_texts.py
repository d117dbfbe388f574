"""Training on long texts: seconds per epoch against what reading and multiplying take at least.

    python -m benchmarks.long_texts                       # 300 made-up texts of 300 vectors
    python -m benchmarks.long_texts --texts 2000 --vectors 300 --precision float32

Reading is gathering the batches of an epoch without learning from them. Multiplying is the
matrix products of an epoch at the rate of square products. No epoch takes less than the longer
of the two; the goal is four times that.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count, pairwise

import numpy as np

from benchmarks.measure import Result, in_turn
from features.encoders.roofline import measured_peak
from features.vectors.table import TOKENS, FeatureTable
from heads.architectures.settings import AttentionSettings
from heads.presets import OWN
from heads.problem import Problem
from heads.registry import head_type, make_settings
from heads.settings import TrainingSettings
from heads.training.trainer import start, use_bfloat16

GOAL = 0.25
WIDTH, CLASSES = 384, 20
ROUNDS = 3


def made_up(texts: int, vectors: int) -> Problem:
    """Return texts of which one vector in ten tells the class; a sixth of them validates."""
    random = np.random.default_rng(0)
    lengths = random.integers(max(1, vectors // 2), vectors * 3 // 2 + 1, texts)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    labels = np.arange(texts) % CLASSES
    signs = random.standard_normal((CLASSES, WIDTH), dtype=np.float32).astype(np.float16)
    values = random.standard_normal((offsets[-1], WIDTH), dtype=np.float32).astype(np.float16)
    telling = np.flatnonzero(random.random(len(values)) < 0.1)
    values[telling] += signs[labels[np.repeat(np.arange(texts), lengths)[telling]]]
    table = FeatureTable(values, offsets, TOKENS)
    rows = random.permutation(texts)
    return Problem(table, labels, rows[texts // 6 :], rows[: texts // 6], CLASSES)


def operations(settings: TrainingSettings, problem: Problem) -> float:
    """Return the floating-point operations of the matrix products of an epoch.

    Queries on the vectors themselves: scores, weighted means, and their two gradients, each two
    operations per number; dense layers: forwards, and backwards for weights and inputs.
    """
    texts = len(problem.train)
    vectors = int(problem.table.lengths[problem.train].sum())
    attends = isinstance(settings, AttentionSettings)
    queries = settings.queries if attends else 0
    widths = [WIDTH * (queries or 2), *getattr(settings, "dense", ()), CLASSES]
    dense = sum(a * b for a, b in pairwise(widths))
    return float(settings.members * (8 * WIDTH * queries * vectors + 6 * dense * texts))


def compare(name: str, overrides: dict[str, object], problem: Problem, title: str) -> Result:
    """Return the seconds of an epoch, against the longer of reading and multiplying."""
    settings = make_settings(name, overrides)
    assert isinstance(settings, TrainingSettings)
    trainer = start(head_type(name).build, settings, problem, 0)  # type: ignore[arg-type]
    numbers = count(1)

    def read() -> None:
        for _ in trainer.parts(1):
            pass

    read()
    epoch, reading = in_turn(ROUNDS, lambda: trainer.learn(next(numbers)), read)
    precision = "bfloat16" if use_bfloat16(settings.precision) else "float32"
    products = operations(settings, problem) / measured_peak(precision)
    table = problem.table
    size = int(table.lengths[problem.train].sum()) * table.width * table.values.itemsize
    notes: dict[str, float | str] = {
        "texts": len(problem.train),
        "MB read": size / 1e6,
        "s to read them": reading,
        "s of products at least": products,
        "times reading": epoch / reading,
        "in": precision,
    }
    return Result(title, epoch, max(reading, products), GOAL, notes)


def run(texts: int = 300, vectors: int = 300, precision: str = "auto") -> Iterator[Result]:
    """Yield the preset for long texts, and mean and maximum."""
    problem = made_up(texts, vectors)
    long = OWN["LONG"]
    for name, overrides in ((long.head, long.overrides(CLASSES)), ("meanmax", {})):
        title = f"a training epoch of {name} on long texts, against reading or products"
        yield compare(name, {**overrides, "precision": precision}, problem, title)


def main() -> int:
    """Print a line a comparison, or one JSON object."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long_texts", description=__doc__
    )
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--vectors", type=int, default=300, help="per text, on average")
    parser.add_argument("--precision", default="auto", help="auto, float32 or bfloat16")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = list(run(options.texts, options.vectors, options.precision))
    if options.json:
        rows = [{**asdict(result), "ratio": result.ratio} for result in results]
        sys.stdout.write(json.dumps({"results": rows}) + "\n")
    else:
        for result in results:
            print(result.line())
    return 0 if all(result.reached for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
