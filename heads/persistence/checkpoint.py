"""A TrainedHead as two files: ``head.safetensors`` (weights) and ``head.json`` (everything
else).

Nothing is pickled. The JSON holds the digest of the weights and is written last, so that
truncated files or files from two different runs are noticed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as tensor_bytes

from features.errors import CacheError, DamagedFileError, SettingError
from features.messages import listed
from features.words.table import WORDS
from heads.problem import EpochRecord, current_names
from heads.registry import make_settings
from heads.trained import TrainedHead
from heads.vector_model import VectorModel, further_arrays, split_further
from heads.words.model import split_state

WEIGHTS = "head.safetensors"
DESCRIPTION = "head.json"
REMEDY = "train again"
VERSION, WORDS_VERSION, ENCODERS_VERSION = 3, 4, 5
"""Versions that are written: the second of heads that read words, the third of those whose
vectors are of several encoders."""

READABLE = (1, 2, 3, 4, 5)
"""Versions that can be read. Version 1 had no temperature; its probabilities were the softmax.
In versions 1 and 2 the ``value`` of an epoch was called ``learning_rate``. Version 4 has words,
5 ``table`` and ``further``.
"""


class FurtherVectors(BaseModel):
    """What ``head.json`` says of the vectors of a further encoder, as in ``VectorModel``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: int = Field(ge=0)
    width: int = Field(ge=1)
    share: float = Field(gt=0, lt=1)


class Description(BaseModel):
    """The content of ``head.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    version: int
    head: str
    settings: dict[str, Any]
    classes: tuple[str, ...] = Field(min_length=1)
    layout: str
    width: int
    history: tuple[EpochRecord, ...]
    best_epoch: int
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    weights_digest: str
    table: int = Field(0, ge=0)
    further: tuple[FurtherVectors, ...] = ()


def save(trained: TrainedHead, folder: Path) -> None:
    """Write both files into an existing folder, replacing earlier ones.

    Raises:
        CacheError: the folder cannot be written.
    """
    digest = save_weights(trained, folder)
    description = Description(
        version=version_of(trained),
        head=trained.head,
        settings=trained.settings.model_dump(mode="json"),
        classes=trained.classes,
        layout=trained.layout,
        width=trained.width,
        history=trained.history,
        best_epoch=trained.best_epoch,
        temperature=trained.temperature,
        weights_digest=digest,
        table=trained.table,
        further=further_of(trained),
    )
    usual = set() if several_encoders(trained) else {"table", "further"}
    text = description.model_dump_json(indent=2, exclude=usual) + "\n"
    _write(folder / DESCRIPTION, text.encode())


def version_of(trained: TrainedHead) -> int:
    """Return the version of the format in which a head is written."""
    if several_encoders(trained):
        return ENCODERS_VERSION
    return WORDS_VERSION if WORDS in trained.layout.split(",") else VERSION


def several_encoders(trained: TrainedHead) -> bool:
    """Return whether a head reads other vectors than those of the first encoder."""
    return trained.table > 0 or bool(trained.further)


def further_of(trained: TrainedHead) -> tuple[FurtherVectors, ...]:
    """Return the description of the further vectors of a head."""
    return tuple(
        FurtherVectors(table=model.table, width=model.width, share=model.share)
        for model in trained.further
    )


def save_weights(trained: TrainedHead, folder: Path) -> str:
    """Write the weights into an existing folder, and return their digest.

    Raises:
        CacheError: the folder cannot be written.
    """
    words = {} if trained.words is None else trained.words.arrays()
    weights = tensor_bytes({**trained.state, **further_arrays(trained.further), **words})
    _write(folder / WEIGHTS, weights)
    return _digest(weights)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise CacheError(f"the head cannot be written to {path.parent}: {error}") from error


def load(folder: Path) -> TrainedHead:
    """Read what :func:`save` wrote.

    Raises:
        CacheError: a file is missing, damaged or of another version, or the two are not of one
            run.
    """
    return assemble(_read_description(folder / DESCRIPTION), folder / WEIGHTS)


def assemble(description: Description, path: Path) -> TrainedHead:
    """Build a head from a description and a file of weights.

    Raises:
        CacheError: the weights are missing, damaged, or not those of the description.
    """
    weights = _read(path)
    if _digest(weights) != description.weights_digest:
        raise CacheError(
            f"{path} does not match the digest in the description beside it: it is damaged or "
            "from another run; train again"
        )
    try:
        arrays, words = split_state(read_tensors(weights))
        state, states = split_further(arrays, len(description.further))
        trained = TrainedHead(
            head=description.head,
            settings=make_settings(description.head, description.settings),
            classes=description.classes,
            layout=description.layout,
            width=description.width,
            state=state,
            history=description.history,
            best_epoch=description.best_epoch,
            temperature=description.temperature,
            words=words,
            table=description.table,
            further=tuple(
                VectorModel(each.table, each.width, each.share, own)
                for each, own in zip(description.further, states, strict=True)
            ),
        )
        check_parts(trained)
        _ = trained.modules  # built now, so that weights that do not fit are found now
    except (SafetensorError, SettingError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CacheError(
            f"{path} does not hold the head that the description beside it describes "
            f"({reason}): train again"
        ) from error
    return trained


def check_parts(trained: TrainedHead) -> None:
    """Raise ``ValueError`` if a head has other parts than its layout says."""
    names = trained.layout.split(",")
    if (trained.words is not None) != (WORDS in names):
        has = "no words" if trained.words is None else "words"
        raise ValueError(f"it has {has}, which is not the layout {trained.layout}")
    if trained.words is not None and len(trained.words.bias) != len(trained.classes):
        raise ValueError(f"its words tell {len(trained.words.bias)} classes apart")


def _read_description(path: Path) -> Description:
    try:
        values = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(path, error, REMEDY) from error
    if not isinstance(values, dict) or "version" not in values:
        raise DamagedFileError(path, "it holds no object with a version", REMEDY)
    if values["version"] not in READABLE:
        raise CacheError(
            f"{path} is of format version {values['version']}, this program reads "
            f"{listed(READABLE)}: predict with the manyheads that trained it, or train again"
        )
    try:
        values["history"] = [current_names(record) for record in values["history"]]
        return Description.model_validate(values)
    except (ValidationError, LookupError, TypeError, AttributeError) as error:
        raise DamagedFileError(path, error, REMEDY) from error


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # to open a named pipe would wait for ever
            raise ValueError("it is no regular file")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CacheError(
            f"{path} cannot be read ({reason}): name a folder that holds a finished run"
        ) from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
