"""A blend on disk: copies of the runs that it is made of, beside the number it adds.

    blend.json   labels in the order of the columns, temperature, digests of the heads
    parts/1 ...  a run each, with what prediction and export need of it

In an exported blend the parts are model folders. A single run or model folder opens as a
predictor of one part, so that prediction knows one thing only.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import CacheError
from heads.checkpoint import DESCRIPTION, WEIGHTS
from pipeline.models.model import MODEL, Model, read_model, read_run
from pipeline.runs.folder import (
    CONFIG,
    ENVIRONMENT,
    METRICS,
    PREDICTIONS,
    PROBABILITIES,
    find_run,
    read_json,
    write_json,
)
from pipeline.runs.training_texts import TRAINING

BLEND = "blend.json"
PARTS = "parts"
REMEDY = re.compile("[:;] [^:;]*$")
"""What an error about a part ends with: to train a run again that may be gone."""
VERSION = 1

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

    version: int
    labels: tuple[str, ...]
    temperature: float = Field(gt=0, allow_inf_nan=False)
    sha256: tuple[str, ...] = Field(min_length=2)


@dataclass(frozen=True, eq=False)
class Predictor:
    """What predicts: one head, or a blend of several.

    Attributes:
        folder: where it stands.
        parts: the heads, and what their vectors must be; all have the same labels.
        folders: where each part stands.
        temperature: of the mean of a blend; of one head None, which has its own.
    """

    folder: Path
    parts: tuple[Model, ...]
    folders: tuple[Path, ...]
    temperature: float | None

    @property
    def labels(self) -> tuple[str, ...]:
        """C labels, in the order of the columns."""
        return self.parts[0].head.classes


def open_predictor(run: str, runs: Path) -> Predictor:
    """What a run, a blend or an exported model predicts with.

    Args:
        run: a folder, or what ``find_run`` takes.

    Raises:
        CacheError: there is none, or it is damaged.
    """
    if (Path(run) / MODEL).is_file():
        return Predictor(Path(run), (read_model(Path(run)),), (Path(run),), None)
    exported = (Path(run) / BLEND).is_file() and not (Path(run) / METRICS).is_file()
    folder = Path(run) if exported else find_run(run, runs)
    if not (folder / PARTS).is_dir():
        return Predictor(folder, (read_run(folder),), (folder,), None)
    try:
        file = _read_file(folder / BLEND)
        folders = part_folders(folder, len(file.sha256))
        parts = tuple(map(read_model if exported else read_run, folders))
        if [file_digest(part / WEIGHTS) for part in folders] != list(file.sha256):
            raise CacheError("its heads are not those that were blended")
        if any(part.head.classes != file.labels for part in parts):
            raise CacheError("its labels are not those of its heads")
    except CacheError as error:
        again = "blend the runs, or their copies in its parts, again"
        remedy = "export it again" if exported else again
        reason = REMEDY.sub("", str(error))
        raise CacheError(f"the blend {folder} is damaged ({reason}): {remedy}") from error
    return Predictor(folder, parts, folders, file.temperature)


def _read_file(path: Path) -> BlendFile:
    try:
        file = BlendFile.model_validate(read_json(path))
    except ValidationError as error:
        reason = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'all of it'}, {each['msg']}"
            for each in error.errors()
        )
        raise CacheError(f"{path} does not hold a blend, {reason}") from error
    if file.version != VERSION:
        raise CacheError(
            f"{path} is of format version {file.version}, this program reads {VERSION}"
        )
    return file


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
        version=VERSION,
        labels=tuple(labels),
        temperature=temperature,
        sha256=tuple(file_digest(part / WEIGHTS) for part in part_folders(folder, count)),
    )
    write_json(folder / BLEND, file.model_dump(mode="json"))


def file_digest(path: Path) -> str:
    """SHA-256 of a file. Raises ``CacheError`` if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CacheError(f"{path} cannot be read, {error.strerror}") from error
