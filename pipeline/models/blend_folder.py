"""A blend on disk: copies of the runs that it is made of, beside the number it adds.

    blend.json   labels in the order of the columns, temperature, digests of the heads
    parts/1 ...  a run each, with what prediction and export need of it

In an exported blend the parts are model folders. A single run or model folder opens as a
predictor of one part, so that prediction knows one thing only.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from features.errors import CacheError
from features.storage.files import read_file
from heads.checkpoint import DESCRIPTION, WEIGHTS
from pipeline.runs.folder import (
    CONFIG,
    ENVIRONMENT,
    METRICS,
    PREDICTIONS,
    PROBABILITIES,
)
from pipeline.runs.folder import PARTS as PARTS
from pipeline.runs.formats import BLEND_AGAIN
from pipeline.runs.json_format import JsonFormat
from pipeline.runs.training_texts import TRAINING

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
"""Files of a run that stand in a part."""


class BlendFile(BaseModel):
    """What ``blend.json`` holds; ``sha256`` has the digest of each part's weights, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...]
    temperature: float = Field(gt=0, allow_inf_nan=False)
    sha256: tuple[str, ...] = Field(min_length=2)


BLEND_FORMAT = JsonFormat(BlendFile, 1, BLEND_AGAIN)


def part_folders(folder: Path, count: int) -> tuple[Path, ...]:
    """Where the parts of a blend stand."""
    return tuple(folder / PARTS / str(place) for place in range(1, count + 1))


def copy_parts(runs: Sequence[Path], folder: Path) -> None:
    """Copy what a blend needs of its runs into its folder. Raises ``CacheError``."""
    parts = part_folders(folder, len(runs))
    pairs = [
        (run / name, part / name)
        for run, part in zip(runs, parts, strict=True)
        for name in COPIED
    ]
    pairs.append((runs[0] / TRAINING, folder / TRAINING))  # for predict --explain
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


def write_blend_file(folder: Path, labels: Sequence[str], temperature: float) -> None:
    """Write ``blend.json`` beside parts that stand already. Raises ``CacheError``."""
    count = sum(part.is_dir() for part in (folder / PARTS).iterdir())
    file = BlendFile(
        labels=tuple(labels),
        temperature=temperature,
        sha256=tuple(file_digest(part / WEIGHTS) for part in part_folders(folder, count)),
    )
    BLEND_FORMAT.write(folder / BLEND, file.model_dump(mode="json"))


def file_digest(path: Path) -> str:
    """SHA-256 of a file. Raises ``CacheError`` if it cannot be read."""
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CacheError(f"{path} cannot be read, {reason}") from error
