"""Cold encoding against ``SentenceTransformer.encode`` with its defaults.

Every back end and precision, on three lengths of texts. Loading and converting are done
before; ours plans, encodes and commits to a fresh store.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from sentence_transformers import SentenceTransformer

from benchmarks.lengths import PROFILES, texts_of
from benchmarks.measure import Result, in_turn
from features.encoders.backends.names import OPENVINO, TORCH
from features.encoders.backends.selection import installed
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.roofline import forward_flops, measured_peak
from features.encoders.transformer import TransformerEncoder
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.machine.hardware import cpu_bfloat16
from features.store.store import FeatureStore

LEAST_COSINE = 0.9999
GOALS = {(TORCH, "float32"): 1.25, (TORCH, "bfloat16"): 1.9, (OPENVINO, "float32"): 1.25}
FASTEST_GOAL = 2.5
ROOFLINE_GOAL = 0.7
ROOFLINE_PROFILE = "isear"
WARM_UP = 64

Side = tuple[str, str]
"""A back end and a precision."""


def run(corpora: Path | None, rounds: int, scale: float) -> Iterator[Result]:
    """All sides on every profile, a line each; then the fastest, and the roofline."""
    model = find_model()
    theirs = SentenceTransformer(str(model.folder), device="cpu")
    names = [TORCH, *([OPENVINO] if installed() else [])]
    encoders = {name: TransformerEncoder(model, "cpu", backend=name) for name in names}
    precisions = ["float32", *(["bfloat16"] if cpu_bfloat16() else [])]
    sides = [(name, precision) for name in names for precision in precisions]
    for profile in PROFILES:
        source, texts = texts_of(profile, corpora, scale)
        what = f"encoding {profile.name} ({len(texts):,} texts, {source})"
        runs = {side: partial(ours, texts, model, encoders[side[0]], side[1]) for side in sides}
        vectors = {side: call() for side, call in runs.items()}  # and warm up
        reference = theirs.encode(texts[:WARM_UP])
        peaks: dict[str, list[float]] = {precision: [] for precision in precisions}

        def measure_peaks(peaks: dict[str, list[float]] = peaks) -> None:
            for precision, measured in peaks.items():
                measured.append(measured_peak(precision))

        reference_seconds, _, *taken = in_turn(
            rounds, partial(theirs.encode, texts), measure_peaks, *runs.values()
        )
        roofline = {precision: statistics.median(each) for precision, each in peaks.items()}
        reference = theirs.encode(texts)
        operations = needed(model, texts)
        results = []
        for side, seconds in zip(sides, taken, strict=True):
            cosine = smallest_cosine(vectors[side], reference)
            notes: dict[str, float | str] = {
                "texts a second": len(texts) / seconds,
                "smallest cosine": cosine,
                "share of the roofline": operations / seconds / roofline[side[1]],
                "roofline in GFLOP/s": roofline[side[1]] / 1e9,
            }
            name = f"{what} with {side[0]} in {side[1]} against sentence-transformers"
            kept = cosine >= LEAST_COSINE
            goal = GOALS.get(side, GOALS[TORCH, side[1]])
            results.append(Result(name, seconds, reference_seconds, goal, notes, kept))
        yield from results
        place = min(range(len(sides)), key=lambda i: taken[i])
        backend, precision = sides[place]
        fastest = f"{what}, fastest: {backend} in {precision}"
        kept = results[place].kept
        yield Result(fastest, taken[place], reference_seconds, FASTEST_GOAL, {}, kept)
        if profile.name == ROOFLINE_PROFILE:
            ideal = operations / roofline[precision]
            yield Result(f"{fastest}, against the roofline", taken[place], ideal, ROOFLINE_GOAL)


def ours(
    texts: list[str], model: EncoderModel, encoder: TransformerEncoder, precision: str
) -> np.ndarray:
    """(N, D) float32: the vectors of texts, encoded into a fresh store and read from it."""
    with tempfile.TemporaryDirectory() as folder:
        space = FeatureStore(folder).space(model.spec("pooled", precision=precision))
        plan = plan_encoding(texts, [space])
        encode(plan, texts, [space], lambda: encoder)
        return space.table(plan.keys).values.astype(np.float32)


def needed(model: EncoderModel, texts: list[str]) -> float:
    """Operations of the forward pass over the texts, without padding."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.transformer)
    ids: Any = tokenizer(texts, truncation=True, max_length=model.max_length)["input_ids"]
    config = json.loads((model.transformer / "config.json").read_text("utf-8"))
    return forward_flops(config, np.array([len(row) for row in ids]))


def smallest_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Smallest cosine between the rows of two (N, D) arrays."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / norms).min())
