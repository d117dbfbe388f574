"""``config.json`` of a run: what was asked for, and what it came to."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Section(BaseModel):
    """A part of the file. Options that nothing reads back are not checked."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class DataSection(_Section):
    """The texts: ``data`` is their file, the others are as in ``DataConfig``.

    ``columns`` has the names of the columns that were read, by role.
    """

    data: str
    split: str
    split_seed: int
    columns: dict[str, str | None] = {}


class VectorSection(_Section):
    """The vectors: the encoder's name, or the folder that it was in."""

    encoder: str


class SideRows(_Section):
    """How many texts of the corpus are on each side."""

    train: int
    validation: int
    test: int


class Resolved(_Section):
    """What the options came to, for the head in the run folder.

    Attributes:
        settings: of the head, defaults included.
        seed: of its training.
        spec: of the vectors, as ``FeatureSpec.from_dict`` takes it.
        fingerprint: of the spec.
        encoder_commit: of the encoder on the hub; '' where it lay in a folder.
        corpus_digest: of texts, labels and split column.
        classes: the labels that it knows.
        rows: sizes of the sides.
        device: that it learned on, with the name of the card; '' in runs that do not say.
    """

    settings: dict[str, Any]
    seed: int
    spec: dict[str, Any]
    fingerprint: str
    encoder_commit: str = ""
    corpus_digest: str
    classes: tuple[str, ...]
    rows: SideRows
    device: str = ""


class RunConfig(_Section):
    """The part of ``config.json`` that is read; the file has all options of ``train``."""

    data: DataSection
    vectors: VectorSection
    split_of: str | None = None
    resolved: Resolved
