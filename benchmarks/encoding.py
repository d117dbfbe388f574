"""Cold encoding against ``SentenceTransformer.encode`` with its defaults."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np
from sentence_transformers import SentenceTransformer

from benchmarks.measure import Result, in_turn
from features.encoder import load_encoder
from features.encoding import encode, plan_encoding
from features.model import find_model
from features.processor import gains_from_bfloat16
from features.store import FeatureStore

GOALS = {"float32": (1.2, 0.99999), "bfloat16": (1.9, 0.9999)}
"""Ratio to reach, and smallest cosine to keep, by precision."""


def run(texts: Sequence[str], rounds: int) -> list[Result]:
    """Encode the texts with both; ours plans, encodes and commits to a fresh store."""
    model = find_model()
    encoder = load_encoder(model, "cpu")
    theirs = SentenceTransformer(str(model.folder), device="cpu")
    texts = list(dict.fromkeys(texts))
    precisions = ["float32", *(["bfloat16"] if gains_from_bfloat16() else [])]
    vectors: dict[str, np.ndarray] = {}

    def ours(precision: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            space = FeatureStore(folder).space(model.spec("pooled", precision=precision))
            plan = plan_encoding(texts, [space])
            encode(plan, texts, [space], lambda: encoder)
            vectors[precision] = space.table(plan.keys).values.astype(np.float32)

    def reference() -> None:
        vectors["theirs"] = theirs.encode(texts)

    theirs.encode(texts[:64])
    encoder.encode(texts[:64], [model.spec("pooled")], lambda *_: None)
    sides = [lambda precision=precision: ours(precision) for precision in precisions]
    seconds, *own = in_turn(rounds, reference, *sides)
    results = []
    for precision, taken in zip(precisions, own, strict=True):
        goal, cosine_goal = GOALS[precision]
        cosine = smallest_cosine(vectors[precision], vectors["theirs"])
        notes = {
            "texts a second": len(texts) / taken,
            "smallest cosine": cosine,
            "cosine goal": f"{cosine_goal} {'kept' if cosine >= cosine_goal else 'NOT kept'}",
        }
        name = f"encoding {len(texts):,} texts in {precision} against sentence-transformers"
        results.append(Result(name, taken, seconds, goal, notes))
    return results


def smallest_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Smallest cosine between the rows of two (N, D) arrays."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / norms).min())
