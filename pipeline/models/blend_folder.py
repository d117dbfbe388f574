"""A blend on disk: copies of its runs, and the temperature of their mean.

    blend.json   labels in the order of the columns, temperature, weights, digests of the heads
    parts/1 ...  one run each, with the files that prediction and export need

In an exported blend the parts are model folders. A single run or model folder opens as a blend
of one part, so that prediction has one case only.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.errors import CacheError
from features.storage.files import read_file
from heads.persistence.checkpoint import DESCRIPTION, WEIGHTS
from pipeline.runs.files.json_format import JsonFormat, Values
from pipeline.runs.files.training_texts import TRAINING
from pipeline.runs.folder import (
    CONFIG,
    ENVIRONMENT,
    METRICS,
    PREDICTIONS,
    PROBABILITIES,
)
from pipeline.runs.folder import PARTS as PARTS
from pipeline.runs.formats import BLEND_AGAIN
from pipeline.runs.reference import REFERENCE

BLEND = "blend.json"

COPIED = (
    CONFIG,
    ENVIRONMENT,
    METRICS,
    PREDICTIONS,
    PROBABILITIES,
    TRAINING,
    DESCRIPTION,
    WEIGHTS,
)
"""Files of a run that are copied into a part."""


class BlendFile(BaseModel):
    """The content of ``blend.json``.

    Attributes:
        labels: in the order of the columns.
        temperature: of the mean.
        weights: of each part in the mean, summing to 1.
        sha256: digest of the file of each part's head.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...]
    temperature: float = Field(gt=0, allow_inf_nan=False)
    weights: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    sha256: tuple[str, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        if len(self.weights) != len(self.sha256) or abs(sum(self.weights) - 1) > 1e-6:
            raise ValueError("weights must be one for each head and sum to 1")
        return self


def _equal_weights(values: Values, version: int) -> Values:
    """Return version 2; in version 1 all weights are equal, and none is written."""
    heads = values.get("sha256")
    count = len(heads) if isinstance(heads, list) else 0
    return {**values, "weights": [1 / max(count, 1)] * count}


BLEND_FORMAT = JsonFormat(BlendFile, 2, BLEND_AGAIN, _equal_weights)


def part_folders(folder: Path, count: int) -> tuple[Path, ...]:
    """Return the folders of the parts of a blend."""
    return tuple(folder / PARTS / str(number) for number in range(1, count + 1))


def copy_parts(runs: Sequence[Path], folder: Path) -> None:
    """Copy the files that a blend needs from its runs. Raises ``CacheError``."""
    parts = part_folders(folder, len(runs))
    pairs = [
        (run / name, part / name)
        for run, part in zip(runs, parts, strict=True)
        for name in COPIED
    ]
    pairs.append((runs[0] / TRAINING, folder / TRAINING))  # for predict --explain
    pairs += [
        (run / REFERENCE, part / REFERENCE)
        for run, part in zip(runs, parts, strict=True)
        if (run / REFERENCE).exists()  # older runs have none
    ]
    for part in parts:
        part.mkdir(parents=True)
    for source, target in pairs:
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise CacheError(
                f"{source} cannot be copied into the blend ({error.strerror}): make room if "
                "the disk is full, or train that run again if it is damaged"
            ) from error


def write_blend_file(
    folder: Path, labels: Sequence[str], temperature: float, weights: Sequence[float]
) -> None:
    """Write ``blend.json``; the parts must exist already. Raises ``CacheError``."""
    count = sum(part.is_dir() for part in (folder / PARTS).iterdir())
    file = BlendFile(
        labels=tuple(labels),
        temperature=temperature,
        weights=tuple(weights),
        sha256=tuple(file_digest(part / WEIGHTS) for part in part_folders(folder, count)),
    )
    BLEND_FORMAT.write(folder / BLEND, file.model_dump(mode="json"))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file. Raises ``CacheError`` if it cannot be read."""
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CacheError(f"{path} cannot be read, {reason}") from error
