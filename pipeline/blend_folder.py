"""A blend on disk: copies of the runs that it is made of, beside the number it adds.

    blend.json   labels in the order of the columns, temperature, digests of the heads
    parts/1 ...  a run each, with what prediction and export need of it

In an exported blend the parts are model folders. Every single run or model folder opens as a
blend of one part, so that prediction knows one thing only.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import CacheError
from heads.checkpoint import DESCRIPTION, WEIGHTS
from pipeline.explain import TRAINING
from pipeline.model_folder import MODEL, Model, read_model, read_run
from pipeline.runs import (
    CONFIG,
    ENVIRONMENT,
    METRICS,
    PREDICTIONS,
    find_run,
    read_json,
    write_json,
)

BLEND = "blend.json"
PARTS = "parts"
VERSION = 1

COPIED = (CONFIG, ENVIRONMENT, METRICS, PREDICTIONS, TRAINING, DESCRIPTION, WEIGHTS)
"""Files of a run that stand in a part."""


class BlendFile(BaseModel):
    """What ``blend.json`` holds; ``sha256`` has the digest of each part's weights, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    labels: tuple[str, ...]
    temperature: float = Field(gt=0, allow_inf_nan=False)
    sha256: tuple[str, ...] = Field(min_length=2)


@dataclass(frozen=True, eq=False)
class BlendModel:
    """What predicts: one head, or several whose mean counts.

    Attributes:
        folder: where it stands.
        parts: the heads, and what their vectors must be; all have the same labels.
        folders: where each part stands.
        temperature: of the mean; None where there is one part.
    """

    folder: Path
    parts: tuple[Model, ...]
    folders: tuple[Path, ...]
    temperature: float | None

    @property
    def labels(self) -> tuple[str, ...]:
        """C labels, in the order of the columns."""
        return self.parts[0].head.classes


def open_blend(run: str, runs: Path) -> BlendModel:
    """What a run, a blend or an exported model predicts with.

    Args:
        run: a folder, or what ``find_run`` takes.

    Raises:
        CacheError: there is none, or it is damaged.
    """
    if (Path(run) / MODEL).is_file():
        return BlendModel(Path(run), (read_model(Path(run)),), (Path(run),), None)
    exported = (Path(run) / BLEND).is_file()
    folder = Path(run) if exported else find_run(run, runs)
    if not (folder / BLEND).is_file():
        return BlendModel(folder, (read_run(folder),), (folder,), None)
    file = _read_file(folder / BLEND)
    folders = part_folders(folder, len(file.sha256))
    for part, digest in zip(folders, file.sha256, strict=True):
        if _digest(part / WEIGHTS) != digest:
            raise CacheError(
                f"{part / WEIGHTS} is not the head that was blended: blend the runs again"
            )
    parts = tuple(
        read_model(part) if (part / MODEL).is_file() else read_run(part) for part in folders
    )
    if any(part.head.classes != file.labels for part in parts):
        raise CacheError(f"{folder} is damaged (its labels differ): blend the runs again")
    return BlendModel(folder, parts, folders, file.temperature)


def _read_file(path: Path) -> BlendFile:
    try:
        file = BlendFile.model_validate(read_json(path))
    except ValidationError as error:
        reason = " ".join(str(error).split())
        raise CacheError(f"{path} is damaged ({reason}): blend the runs again") from error
    if file.version != VERSION:
        raise CacheError(
            f"{path} is of format version {file.version}, this program reads {VERSION}: "
            "use the manyheads that wrote it, or blend the runs again"
        )
    return file


def part_folders(folder: Path, count: int) -> tuple[Path, ...]:
    """Where the parts of a blend stand."""
    return tuple(folder / PARTS / str(place) for place in range(1, count + 1))


def copy_parts(runs: Sequence[Path], folder: Path) -> None:
    """Copy what a blend needs of its runs into its folder. Raises ``CacheError``."""
    for run, part in zip(runs, part_folders(folder, len(runs)), strict=True):
        part.mkdir(parents=True)
        for name in COPIED:
            try:
                shutil.copyfile(run / name, part / name)
            except OSError as error:
                raise CacheError(
                    f"cannot copy {run / name} ({error.strerror}); train that run again"
                ) from error
    # The texts that all learned from, for predict --explain.
    shutil.copyfile(folder / PARTS / "1" / TRAINING, folder / TRAINING)


def write_blend_file(folder: Path, labels: Sequence[str], temperature: float) -> None:
    """Write ``blend.json`` beside parts that stand already."""
    count = sum(part.is_dir() for part in (folder / PARTS).iterdir())
    file = BlendFile(
        version=VERSION,
        labels=tuple(labels),
        temperature=temperature,
        sha256=tuple(_digest(part / WEIGHTS) for part in part_folders(folder, count)),
    )
    write_json(folder / BLEND, file.model_dump(mode="json"))


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CacheError(
            f"{path} cannot be read ({error.strerror}): blend the runs again"
        ) from error
