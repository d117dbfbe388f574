"""Compare stored vectors with the encoder's: some random texts, encoded again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.probe.probe import settle
from features.storage.location import Location
from features.store.inventory import manifests
from features.store.manifest import SpaceManifest
from features.store.space import Space
from features.store.verification import CHANGED_MODEL, OTHER_VECTORS, Fault
from features.text import text_keys
from features.vectors.agreement import smallest_cosine
from features.vectors.precision import MIN_COSINE, MIN_COSINE_INT8
from features.vectors.spec import FeatureSpec
from features.vectors.table import FeatureTable


def changed_models(
    root: Location, model: EncoderModel, twin: EncoderModel | None = None
) -> list[Fault]:
    """Return spaces that an encoder of this name filled when it had other weights or files.

    Args:
        twin: the same encoder with or without its Python code; what it filled is as it was.
    """
    return [
        Fault(
            CHANGED_MODEL,
            Path(card.spec.fingerprint),
            f"was encoded by {card.model!r} with {_differences(card, model)} than it has now",
        )
        for card in manifests(root)
        if card.model == model.label
        and _differences(card, model)
        and not (twin and not _differences(card, twin))
    ]


def compare_sample(
    space: Space, texts: Sequence[str], encoder: Encoder, count: int, seed: int = 0
) -> tuple[int, list[Fault]]:
    """Encode random texts of a corpus again and compare them with what is stored.

    Args:
        texts: the corpus; texts that the space lacks are passed over.
        count: how many to compare at the most.

    Returns:
        How many were compared, and a finding where some of them differ.
    """
    keys = text_keys(texts)
    known = np.flatnonzero(~space.missing(keys))
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(known, min(count, len(known)), replace=False))
    if not len(rows):
        return 0, []
    stored = space.table(keys[rows])
    settle(encoder, space)
    (block,) = encoder.encode([texts[row] for row in rows], [space.spec], lambda *_: None)
    bounds = np.concatenate([[0], np.cumsum(block.lengths)])
    fresh = FeatureTable(block.values, bounds, space.spec.layout)
    least = MIN_COSINE[space.spec.precision]
    if space.spec.dtype == "int8":
        least = min(least, MIN_COSINE_INT8)
    cosines = [smallest_cosine(stored.sequence(i), fresh.sequence(i)) for i in range(len(rows))]
    bad = [place for place, cosine in enumerate(cosines) if not cosine >= least]
    if not bad:
        return len(rows), []
    worst = min(bad, key=lambda place: cosines[place])
    detail = (
        f"{len(bad)} of {len(rows)} texts encoded again differ; the worst, text "
        f"{rows[worst] + 1}, {texts[rows[worst]][:60]!r}, has a cosine of {cosines[worst]:.4f}"
    )
    return len(rows), [Fault(OTHER_VECTORS, Path(space.folder.name), detail)]


def filled_by(root: Location, model: EncoderModel) -> list[FeatureSpec]:
    """Return the specs of the spaces that an encoder of these weights and files filled."""
    return [card.spec for card in manifests(root) if not _differences(card, model)]


def _differences(card: SpaceManifest, model: EncoderModel) -> str:
    pairs = {"weights": model.weights, "tokenizer": model.tokenizer}
    return " and ".join(
        f"other {name}" for name, digest in pairs.items() if getattr(card.spec, name) != digest
    )
