"""A model folder: one trained head that predicts anywhere.

    head.safetensors   the weights, as in the run folder
    head.onnx          the same head for any ONNX runtime (see heads.persistence.onnx_export)
    model.json         labels in the order of the logits, temperature, the vectors it takes
    README.md          the model card

``manyheads predict`` accepts it like a run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from features.encoders.description.hub import pinned
from features.errors import DamagedFileError, EncoderError
from features.vectors.spec import OPTIONAL, FeatureSpec
from features.words.table import WORDS
from heads.persistence import checkpoint
from heads.persistence.checkpoint import WEIGHTS
from heads.trained import TrainedHead
from pipeline.runs.files.json_format import JsonFormat, reason
from pipeline.runs.folder import CONFIG
from pipeline.runs.formats import RETRAIN
from pipeline.runs.reader import read_config

MODEL = "model.json"
EXPORT_AGAIN = "export the model again"


class EncoderPart(BaseModel):
    """The vectors that the head takes.

    Attributes:
        name: of the encoder: the embedded one's, a hub id, or a folder's own name.
        folder: whether that is the name of a folder, which may have moved.
        fingerprint: of the spec.
        spec: everything that changes a vector, the digests of weights and tokenizer included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    folder: bool
    fingerprint: str
    spec: dict[str, Any]


class FurtherPart(BaseModel):
    """The vectors of a further encoder.

    Attributes:
        encoder: as of the first one.
        vectors: number, width and share of their part of the head.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: EncoderPart
    vectors: checkpoint.FurtherVectors


class ModelFile(BaseModel):
    """The content of ``model.json``; ``labels`` are in the order of the logits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...] = Field(min_length=1)
    temperature: float = Field(gt=0, allow_inf_nan=False)
    head: str
    settings: dict[str, Any]
    layout: str
    width: int
    encoder: EncoderPart
    sha256: dict[str, str]
    further: tuple[FurtherPart, ...] = ()


VERSION, WORDS_VERSION, ENCODERS_VERSION = 1, 2, 3
"""Versions of ``model.json`` that are written; 2 of heads that read words, 3 of heads that read
vectors of several encoders."""

MODEL_FORMAT = JsonFormat(ModelFile, ENCODERS_VERSION, EXPORT_AGAIN)


@dataclass(frozen=True)
class Source:
    """The vectors of an encoder that a head reads.

    Attributes:
        spec: of the vectors.
        encoder: path of the encoder when the head was trained; for one from the hub, with its
            commit.
        moved: whether that was a folder of which only the name is known.
    """

    spec: FeatureSpec
    encoder: str
    moved: bool = False

    def name(self) -> str:
        """Return the path or name of the encoder.

        Raises:
            EncoderError: it was a folder on another machine.
        """
        if self.moved:
            raise EncoderError(
                f"the model was trained on vectors of an encoder in a folder {self.encoder!r}; "
                "say where that folder is now with --encoder"
            )
        return self.encoder


@dataclass(frozen=True, eq=False)
class Model:
    """A trained head, and the vectors that it reads.

    Attributes:
        head: the head.
        sources: the vectors, one per encoder; of a head that reads words alone, those that tell
            which texts are near.
    """

    head: TrainedHead
    sources: tuple[Source, ...]

    @property
    def spec(self) -> FeatureSpec:
        """Return the spec of the vectors of the first encoder."""
        return self.sources[0].spec

    @property
    def limit(self) -> int:
        """Return the tokens of a text that it sees."""
        return max(source.spec.limit for source in self.sources)

    @property
    def reads_vectors(self) -> bool:
        """Whether the head reads vectors; one that reads words alone needs no encoder."""
        return self.head.layout != WORDS

    @property
    def reads_words(self) -> bool:
        """Whether the head reads words."""
        return WORDS in self.head.layout.split(",")


def read_run(folder: Path) -> Model:
    """Return the model of a run folder. Raises ``CacheError`` if it is damaged."""
    sources = []
    for found in read_config(folder).sources:
        name = found.encoder
        if found.encoder_commit:
            name = pinned(name, found.encoder_commit)
        spec = _spec(found.spec, found.fingerprint, folder / CONFIG, RETRAIN)
        sources.append(Source(spec, name))
    return _model(checkpoint.load(folder), sources, folder / CONFIG, RETRAIN)


def _model(head: TrainedHead, sources: Sequence[Source], path: Path, remedy: str) -> Model:
    """Return a model. Raises ``CacheError`` if the head reads other tables than there are."""
    if head.reads not in ((), tuple(range(len(sources)))):
        raise DamagedFileError(
            path,
            f"it describes vectors of {len(sources)} encoders, and the head beside it reads "
            f"those of {len(head.reads)}",
            remedy,
        )
    return Model(head, tuple(sources))


def _spec(values: dict[str, Any], fingerprint: str, path: Path, remedy: str) -> FeatureSpec:
    """Return the spec in a file. Raises ``CacheError`` if its fingerprint is another."""
    try:
        TypeAdapter(FeatureSpec).validate_python({**OPTIONAL, **values})
    except ValidationError as error:
        fault = f"its spec of the vectors: {reason(error)}"
        raise DamagedFileError(path, fault, remedy) from error
    spec = FeatureSpec.from_dict(values)
    if spec.fingerprint != fingerprint:
        raise DamagedFileError(
            path,
            f"its spec of the vectors has the fingerprint {spec.fingerprint}, not "
            f"{fingerprint}, which stands beside it",
            remedy,
        )
    return spec


def read_model(folder: Path) -> Model:
    """Return the model that ``write_model`` wrote. Raises ``CacheError`` if it is damaged."""
    path = folder / MODEL
    file = MODEL_FORMAT.read(path)
    description = checkpoint.Description(
        version=checkpoint.VERSION,
        head=file.head,
        settings=file.settings,
        classes=file.labels,
        layout=file.layout,
        width=file.width,
        history=(),
        best_epoch=0,
        temperature=file.temperature,
        weights_digest=file.sha256.get(WEIGHTS, ""),
        table=0,
        further=tuple(each.vectors for each in file.further),
    )
    head = checkpoint.assemble(description, folder / WEIGHTS)
    sources = [
        Source(_spec(part.spec, part.fingerprint, path, EXPORT_AGAIN), part.name, part.folder)
        for part in (file.encoder, *(each.encoder for each in file.further))
    ]
    return _model(head, sources, path, EXPORT_AGAIN)
