"""The cost of an audit by size, on made-up vectors with planted copies.

    python -m benchmarks.audit.scale [--sizes 10000 50000 200000]

Texts are words drawn by Zipf's law; a vector is its class's centre with noise, and a copy's is
its source's with a little. Each size runs in a process of its own: seconds and peak memory are
that size's alone. Reading and encoding are left out, as from a warm cache.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections import Counter

import numpy as np

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import find_duplicates
from pipeline.audit.audit import audit
from pipeline.audit.finding import Evidence

WIDTH, CLASSES, VOCABULARY = 384, 10, 20_000
COPIED, CHANGED = 0.01, 0.01
SIZES = (10_000, 50_000, 200_000)


def made_up(count: int, seed: int = 0) -> tuple[Corpus, np.ndarray, dict[str, set[int]]]:
    """A corpus, its (count, 384) float16 vectors, and the rows of the planted copies."""
    rng = np.random.default_rng(seed)
    words = np.array([f"{_syllables(i)}" for i in range(VOCABULARY)])
    lengths = rng.integers(6, 60, count)
    drawn = np.minimum(rng.zipf(1.3, int(lengths.sum())), VOCABULARY) - 1
    parts = np.split(words[drawn], np.cumsum(lengths)[:-1])
    texts = [" ".join(part) for part in parts]
    labels = rng.integers(0, CLASSES, count)
    centres = rng.standard_normal((CLASSES, WIDTH)).astype(np.float32)
    vectors = 0.8 * centres[labels] + rng.standard_normal((count, WIDTH)).astype(np.float32)
    rows = rng.permutation(np.arange(count // 2, count))
    exact, changed = int(COPIED * count), int(CHANGED * count)
    planted = {"exact": set(), "near": set()}
    for place, row in enumerate(rows[: exact + changed].tolist()):
        source = int(rng.integers(count // 2))
        texts[row], labels[row] = texts[source], labels[source]
        vectors[row] = vectors[source]
        kind = "exact"
        if place >= exact:
            kind = "near"
            pieces = texts[row].split(" ")
            pieces[int(rng.integers(len(pieces)))] = words[int(rng.integers(VOCABULARY))]
            texts[row] = " ".join(pieces)
            vectors[row] += 0.2 * rng.standard_normal(WIDTH).astype(np.float32)
        planted[kind].add(row)
    names = tuple(f"class {label}" for label in labels.tolist())
    return Corpus(tuple(texts), names), vectors.astype(np.float16), planted


def _syllables(number: int) -> str:
    parts = []
    number += 7
    while number:
        number, rest = divmod(number, 85)
        parts.append("bcdfghjklmnprstvz"[rest % 17] + "aeiou"[rest // 17])
    return "".join(parts)


def measure(count: int) -> None:
    """Audit one made-up corpus and print a line."""
    corpus, vectors, planted = made_up(count)
    start, worked = time.perf_counter(), time.process_time()
    copies = find_duplicates(corpus.texts, vectors)
    searched = time.perf_counter() - start
    tokens = np.full(count, 50)
    found = audit(Evidence(corpus, None, copies, vectors, tokens, 256))
    seconds = time.perf_counter() - start
    rows = {f.kind: set(f.positions) for f in found}
    exact = rows.get("exact_duplicates_within_splits", set())
    near = rows.get("near_duplicates_within_splits", set()) | exact
    near |= rows.get("normalized_duplicates_within_splits", set())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    kinds = Counter({f.kind: f.count for f in found})
    print(
        f"{count:>9,} texts: {seconds:6.1f} s ({searched:.1f} s of it copies; "
        f"{time.process_time() - worked:.1f} s of processor time), "
        f"peak {peak:.2f} GB, "
        f"recall exact {len(planted['exact'] & exact) / len(planted['exact']):.1%}, "
        f"near {len(planted['near'] & near) / len(planted['near']):.1%}, "
        f"search {'exact' if copies.recall == 1 else f'recall {copies.recall:.1%}'}; "
        f"{dict(kinds)}",
        flush=True,
    )


def main() -> None:
    """Measure every size in a fresh process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    for size in parser.parse_args().sizes:
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(size,))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
