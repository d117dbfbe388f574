"""A TrainedHead as two files: ``head.safetensors`` (weights) and ``head.json`` (all else).

Nothing is pickled. The weights' digest stands in the JSON, which is written last, so that a
pair of files from two runs, or a truncated one, is noticed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensor_bytes

from features.errors import CacheError, SettingError, listed
from heads.base import EpochRecord
from heads.registry import make_settings
from heads.trained import TrainedHead

WEIGHTS = "head.safetensors"
DESCRIPTION = "head.json"
VERSION = 2
READABLE = (1, 2)
"""Versions that can be read. 1 had no temperature: its probabilities were the plain softmax."""


class Description(BaseModel):
    """What ``head.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    version: int
    head: str
    settings: dict[str, Any]
    classes: tuple[str, ...]
    layout: str
    width: int
    history: tuple[EpochRecord, ...]
    best_epoch: int
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    weights_digest: str


def save(trained: TrainedHead, folder: Path) -> None:
    """Write both files into an existing folder; what stands there under their names goes.

    Raises:
        CacheError: the folder cannot be written.
    """
    weights = tensor_bytes(trained.state)
    description = Description(
        version=VERSION,
        head=trained.head,
        settings=trained.settings.model_dump(mode="json"),
        classes=trained.classes,
        layout=trained.layout,
        width=trained.width,
        history=trained.history,
        best_epoch=trained.best_epoch,
        temperature=trained.temperature,
        weights_digest=_digest(weights),
    )
    try:
        (folder / WEIGHTS).write_bytes(weights)
        (folder / DESCRIPTION).write_text(
            description.model_dump_json(indent=2) + "\n", encoding="utf-8"
        )
    except OSError as error:
        raise CacheError(f"the head cannot be written to {folder}: {error}") from error


def load(folder: Path) -> TrainedHead:
    """Read what :func:`save` wrote.

    Raises:
        CacheError: a file is missing, damaged, of another version, or not of the other's run.
    """
    description = _read_description(folder / DESCRIPTION)
    weights = _read(folder / WEIGHTS)
    if _digest(weights) != description.weights_digest:
        raise CacheError(
            f"{folder / WEIGHTS} does not match the digest in {DESCRIPTION} beside it: it is "
            "damaged or from another run; train again"
        )
    try:
        trained = TrainedHead(
            head=description.head,
            settings=make_settings(description.head, description.settings),
            classes=description.classes,
            layout=description.layout,
            width=description.width,
            state=read_tensors(weights),
            history=description.history,
            best_epoch=description.best_epoch,
            temperature=description.temperature,
        )
        _ = trained.module  # built now, so that weights that do not fit are found now
    except (SafetensorError, SettingError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise CacheError(
            f"{folder / WEIGHTS} does not hold the head that {DESCRIPTION} describes "
            f"({reason}): train again"
        ) from error
    return trained


def _read_description(path: Path) -> Description:
    try:
        values = json.loads(_read(path))
        version = values["version"]
        if version not in READABLE:
            raise CacheError(
                f"{path} is of format version {version}, this program reads "
                f"{listed(READABLE)}: predict with the manyheads that trained it, or train "
                "again"
            )
        return Description.model_validate(values)
    except (ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise CacheError(f"{path} is damaged ({reason}): train again") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CacheError(
            f"{path} cannot be read ({error.strerror}): name a folder that holds a finished run"
        ) from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
