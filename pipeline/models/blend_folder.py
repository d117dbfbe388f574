"""A blend on disk: copies of its runs, and the temperature of their mean.

    blend.json   labels in the order of the columns, temperature, digests of the heads
    parts/1 ...  one run each, with the files that prediction and export need

In an exported blend the parts are model folders. A single run or model folder opens as a blend
of one part, so that prediction has one case only.
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
from pipeline.runs.reference import REFERENCE
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
"""Files of a run that are copied into a part."""


class BlendFile(BaseModel):
    """The content of ``blend.json``; ``sha256`` has the digest of each part's weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...]
    temperature: float = Field(gt=0, allow_inf_nan=False)
    sha256: tuple[str, ...] = Field(min_length=2)


BLEND_FORMAT = JsonFormat(BlendFile, 1, BLEND_AGAIN)


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


def write_blend_file(folder: Path, labels: Sequence[str], temperature: float) -> None:
    """Write ``blend.json``; the parts must exist already. Raises ``CacheError``."""
    count = sum(part.is_dir() for part in (folder / PARTS).iterdir())
    file = BlendFile(
        labels=tuple(labels),
        temperature=temperature,
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
