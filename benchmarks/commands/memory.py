"""Memory and time of ``manyheads features`` by size: neither may grow with the corpus.

    python -m benchmarks.commands.memory [--sizes 10000 100000 1000000]

Made-up short texts in a CSV file, and an encoder that costs nothing: what is left is the stage
itself, reading, planning, committing and reporting. Each size runs in a process of its own,
cold and then warm: seconds and peak memory are that size's alone.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import OnBatch
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED
from pipeline.config import DataConfig, VectorConfig
from pipeline.encoding.corpus_encoding import run_features

SIZES = (10_000, 100_000, 1_000_000)
WIDTH, MOST_VECTORS = 32, 5
MEMORY_GOAL_MB, TIME_GOAL = 300, 1.3
"""How far the largest two sizes may lie apart: megabytes, and the ratio of times a text."""

MODEL = EncoderModel(
    name="made-up",
    folder=Path("made-up"),
    transformer=Path("made-up"),
    family="bert",
    width=WIDTH,
    depth=2,
    max_length=MOST_VECTORS,
    pooling="mean",
    pooled_width=WIDTH,
    normalize=False,
    prompt="",
    weights="0" * 64,
    tokenizer="0" * 64,
)


class FreeEncoder:
    """Gives random vectors, the same few thousand again and again: one pooled, five tokens."""

    def __init__(self, model: EncoderModel) -> None:
        rng = np.random.default_rng(0)
        self.values = rng.standard_normal((2048 * MOST_VECTORS, model.width), dtype=np.float32)

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        """One block a spec."""
        count = len(texts)
        on_batch(count, MOST_VECTORS * count)
        tokens = np.full(count, MOST_VECTORS, np.int32)
        blocks = []
        for spec in specs:
            lengths = np.ones_like(tokens) if spec.layout == POOLED else tokens
            values = np.resize(self.values, (int(lengths.sum()), spec.width))
            blocks.append(Block(tokens, lengths, values.astype(spec.dtype)))
        return blocks


@dataclass(frozen=True)
class Measured:
    """Seconds of a cold and of a warm run over ``texts`` texts, and the peak of both in MB."""

    texts: int
    cold: float
    warm: float
    peak: float

    def line(self) -> str:
        """One line for people."""
        cold, warm = (seconds / self.texts * 1e6 for seconds in (self.cold, self.warm))
        return (
            f"{self.texts:>9,} texts: peak {self.peak:5.0f} MB, "
            f"{cold:5.1f} microseconds a text, {warm:5.1f} when all are cached"
        )


def measure(count: int, letters: int = 0) -> Measured:
    """Run the stage over a made-up corpus, cold and warm, in this process.

    Args:
        letters: how many are added to every text.
    """
    padding = "x" * letters
    with tempfile.TemporaryDirectory() as folder:
        path, cache = Path(folder) / "data.csv", Path(folder) / "cache"
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["text"])
            rows.writerows(
                [f"a made-up text about nothing, number {i}{padding}"] for i in range(count)
            )
        seconds = [run(path, cache, expected) for expected in (count, 0)]
    return Measured(count, *seconds, peak_memory() / 1e6)


def peak_memory() -> int:
    """Bytes of memory that this process has had at the most."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage begins with what the parent had at the fork.
        (line,) = (line for line in status.read_text().splitlines() if "VmHWM" in line)
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(path: Path, cache: Path, expected: int) -> float:
    """Seconds of ``manyheads features`` over a file, which must encode so many texts."""
    start = time.perf_counter()
    vectors = VectorConfig(cache=cache)
    result = run_features(DataConfig(path), vectors, None, model=MODEL, load=FreeEncoder)
    encoded = result.to_dict()["encoded"]
    if encoded != expected:
        raise RuntimeError(f"{encoded} texts were encoded, not {expected}")
    return time.perf_counter() - start


def measure_alone(count: int, letters: int = 0) -> Measured:
    """``measure`` in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(measure, count, letters).result()


def main() -> int:
    """Print a line a size; exit code 1 if the largest two lie too far apart."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    measured = []
    for size in sorted(parser.parse_args().sizes):
        measured.append(measure_alone(size))
        print(measured[-1].line(), flush=True)
    if len(measured) < 2:
        return 0
    before, last = measured[-2:]
    more = last.peak - before.peak
    slower = (last.cold / last.texts) / (before.cold / before.texts)
    print(
        f"{last.texts:,} against {before.texts:,} texts: {more:+.0f} MB (goal: at most "
        f"{MEMORY_GOAL_MB}), {slower:.2f} times as long a text (goal: at most {TIME_GOAL})"
    )
    return 0 if more <= MEMORY_GOAL_MB and slower <= TIME_GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
