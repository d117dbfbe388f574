"""Recheck: encode random stored texts again and compare the vectors."""

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
from features.text.keys import text_keys
from features.vectors.agreement import smallest_cosine
from features.vectors.precision import MIN_COSINE, MIN_COSINE_INT8
from features.vectors.spec import FeatureSpec
from features.vectors.table import FeatureTable


def changed_models(
    root: Location, model: EncoderModel, twin: EncoderModel | None = None
) -> list[Fault]:
    """Return the spaces that were filled by an encoder of this name with other weights or
    files.

    Args:
        root: the cache.
        model: the encoder.
        twin: the same encoder with or without its Python code; spaces that it filled are not
            reported.
    """
    return [
        Fault(
            CHANGED_MODEL,
            Path(manifest.spec.fingerprint),
            f"was encoded by {manifest.model!r} with {_differences(manifest, model)} than it "
            "has now",
        )
        for manifest in manifests(root)
        if manifest.model == model.label
        and _differences(manifest, model)
        and not (twin and not _differences(manifest, twin))
    ]


def compare_sample(
    space: Space, texts: Sequence[str], encoder: Encoder, count: int, seed: int = 0
) -> tuple[int, list[Fault]]:
    """Encode random texts of a corpus again and compare them with the stored vectors.

    Args:
        space: the space to check.
        texts: the corpus; texts that are not in the space are skipped.
        encoder: the encoder that filled the space.
        count: maximum number of texts to compare.
        seed: seed of the random choice.

    Returns:
        The number of texts compared, and a fault if some of them differ.
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
    minimum = MIN_COSINE[space.spec.precision]
    if space.spec.dtype == "int8":
        minimum = min(minimum, MIN_COSINE_INT8)
    cosines = [smallest_cosine(stored.sequence(i), fresh.sequence(i)) for i in range(len(rows))]
    bad = [index for index, cosine in enumerate(cosines) if not cosine >= minimum]
    if not bad:
        return len(rows), []
    worst = min(bad, key=lambda index: cosines[index])
    detail = (
        f"{len(bad)} of {len(rows)} texts encoded again differ; the worst, text "
        f"{rows[worst] + 1}, {texts[rows[worst]][:60]!r}, has a cosine of {cosines[worst]:.4f}"
    )
    return len(rows), [Fault(OTHER_VECTORS, Path(space.folder.name), detail)]


def filled_by(root: Location, model: EncoderModel) -> list[FeatureSpec]:
    """Return the specs of the spaces that an encoder with these weights and files filled."""
    return [manifest.spec for manifest in manifests(root) if not _differences(manifest, model)]


def _differences(manifest: SpaceManifest, model: EncoderModel) -> str:
    pairs = {"weights": model.weights, "tokenizer": model.tokenizer}
    return " and ".join(
        f"other {name}"
        for name, digest in pairs.items()
        if getattr(manifest.spec, name) != digest
    )
