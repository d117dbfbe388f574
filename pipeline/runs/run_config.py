"""``config.json`` of a run: what was asked for, and what it came to."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from pipeline.config import full_name

if TYPE_CHECKING:
    from features.encoders.description.model import EncoderModel
    from features.vectors.spec import FeatureSpec


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


class EncoderSection(_Section):
    """Vectors that a head reads.

    Attributes:
        encoder: name of the encoder, or the folder that it was in.
        spec: of the vectors, as ``FeatureSpec.from_dict`` takes it.
        fingerprint: of the spec.
        encoder_commit: of the encoder on the hub; '' where it lay in a folder.
    """

    encoder: str
    spec: dict[str, Any]
    fingerprint: str
    encoder_commit: str = ""

    @classmethod
    def of(cls, model: EncoderModel, spec: FeatureSpec) -> EncoderSection:
        """Return the section of vectors of an encoder."""
        return cls(
            encoder=full_name(model.name),
            spec=asdict(spec),
            fingerprint=spec.fingerprint,
            encoder_commit=model.commit,
        )


class Resolved(_Section):
    """What the options came to, for the head in the run folder.

    Attributes:
        settings: of the head, defaults included.
        seed: of its training.
        spec, fingerprint, encoder_commit: of the vectors of the first encoder that the head
            reads, as in ``EncoderSection``.
        encoder: its name; '' where ``vectors`` names one encoder alone.
        further: the vectors of the other encoders that the head reads.
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
    encoder: str = ""
    further: tuple[EncoderSection, ...] = ()
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

    @property
    def sources(self) -> tuple[EncoderSection, ...]:
        """Return the vectors that the head reads, one per encoder."""
        own = self.resolved
        first = EncoderSection(
            encoder=own.encoder or self.vectors.encoder,
            spec=own.spec,
            fingerprint=own.fingerprint,
            encoder_commit=own.encoder_commit,
        )
        return first, *own.further
