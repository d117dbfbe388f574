"""Probes of earlier runs on this machine: the same encoder is not probed for every space.

A probe depends on the encoder, on the kind of vectors, on the back end, the packages, this code
and the processor. Under a digest of all of them its result is kept in the user's folder
(``features.storage.results``). Only results that call for nothing are kept: no padding that
changes vectors, no rounding that is worth a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.machine.hardware import processor
from features.storage import results
from features.storage.location import user_folder
from features.vectors.agreement import Agreement
from features.vectors.spec import FeatureSpec

PACKAGES = (
    "numpy",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "sentence-transformers",
    "openvino",
)
"""Packages that may change what a probe finds, where they are installed."""

FOLDERS = (
    "features/encoders",
    "features/encoders/backends",
    "features/encoders/description",
    "features/probe",
    "features/vectors",
)
"""Folders of the code that may change what a probe finds."""


def find(encoder: Any, specs: Sequence[FeatureSpec], way: str) -> list[Agreement] | None:
    """Return what an earlier probe found; None if there was none.

    Args:
        encoder: a ``TransformerEncoder``.
        specs: specs of one run, as the probe compares them.
        way: back end and kind of device.
    """
    path = _path(encoder, specs, way)
    kept = None if path is None else results.read(path)
    if kept is None:
        return None
    pairs = zip(kept["difference"].tolist(), kept["cosine"].tolist(), strict=True)
    return [Agreement(difference, cosine) for difference, cosine in pairs]


def keep(
    encoder: Any, specs: Sequence[FeatureSpec], way: str, found: Sequence[Agreement]
) -> None:
    """Keep what a probe found, if it calls for nothing."""
    path = _path(encoder, specs, way)
    usual = all(
        one.close(spec.precision) and not one.unpadded
        for one, spec in zip(found, specs, strict=True)
    )
    if path is not None and usual:
        arrays = {
            "difference": np.array([one.difference for one in found]),
            "cosine": np.array([one.cosine for one in found]),
        }
        results.write(path, arrays)


def _path(encoder: Any, specs: Sequence[FeatureSpec], way: str) -> Path | None:
    """Return the file of a probe; None where nothing is kept: on a GPU, and of models that run
    Python code of their own."""
    model = encoder.model
    if encoder.device.type != "cpu" or model.trust_remote_code:
        return None
    try:
        root = user_folder()
    except RuntimeError:  # no home folder
        return None
    parts = [model.weights, model.tokenizer, model.family, way, processor()]
    parts += [spec.to_json() for spec in specs]
    return results.path_of(root, parts, _code(), results.installed(PACKAGES))


def _code() -> list[str]:
    """Return the names of all modules that take part in a probe."""
    above = Path(__file__).parents[2]
    return [
        f"{folder}/{path.stem}".replace("/", ".")
        for folder in FOLDERS
        for path in sorted((above / folder).glob("*.py"))
    ]
