"""A model folder: one trained head by itself, to predict with anywhere.

    head.safetensors   the weights, as in the run folder
    head.onnx          the same head for any ONNX runtime (see heads.onnx_export)
    model.json         labels in the order of the logits, temperature, the vectors it takes
    README.md          the model card

``manyheads predict`` takes such a folder as it takes a run folder.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.encoders.description.hub import pinned
from features.errors import CacheError, EncoderError, SettingError
from features.output import appearing, check_output
from features.vectors.spec import FeatureSpec
from heads import checkpoint
from heads.checkpoint import WEIGHTS
from heads.onnx_export import onnx_model
from heads.trained import TrainedHead
from pipeline.models.card import CARD, model_card, read_facts
from pipeline.runs.folder import CONFIG, read_json, write_json

MODEL = "model.json"
ONNX = "head.onnx"
VERSION = 1


class EncoderPart(BaseModel):
    """Which vectors the head takes.

    Attributes:
        name: of the encoder: the embedded one's, a hub id, or a folder's own name.
        folder: whether it is the name of a folder, which is somewhere else by now.
        fingerprint: of the spec.
        spec: everything that changes a vector, the digests of weights and tokenizer included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    folder: bool
    fingerprint: str
    spec: dict[str, Any]


class ModelFile(BaseModel):
    """What ``model.json`` holds; ``labels`` stand in the order of the logits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    labels: tuple[str, ...]
    temperature: float = Field(gt=0, allow_inf_nan=False)
    head: str
    settings: dict[str, Any]
    layout: str
    width: int
    encoder: EncoderPart
    sha256: dict[str, str]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained head, and what its vectors must be.

    Attributes:
        head: the head.
        spec: of the vectors that it was trained on.
        encoder: where the encoder was at that time; of one on the hub the very commit.
        moved: whether that was a folder, and only its own name is known.
    """

    head: TrainedHead
    spec: FeatureSpec
    encoder: str
    moved: bool = False

    def encoder_name(self) -> str:
        """Where the encoder was.

        Raises:
            EncoderError: in a folder on another machine.
        """
        if self.moved:
            raise EncoderError(
                f"the model was trained on vectors of an encoder in a folder {self.encoder!r}; "
                "say where that folder is now with --encoder"
            )
        return self.encoder


def check_out(out: Path) -> None:
    """Refuse a place that a model folder cannot take.

    Raises:
        SettingError: no folder to make it in, the current one, or what is no empty folder.
        OutputError: nothing can be written there.
    """
    if out.resolve() == Path.cwd():
        raise SettingError(f"--out {out} is the current folder: name one in it or elsewhere")
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        raise SettingError(f"--out {out} exists and is not an empty folder: name another")
    if not out.exists():
        check_output(out, "--out")


def read_run(folder: Path) -> Model:
    """The head of a run folder. Raises ``CacheError`` if it is damaged."""
    config = read_json(folder / CONFIG)
    try:
        spec, fingerprint = config["resolved"]["spec"], config["resolved"]["fingerprint"]
        encoder = str(config["vectors"]["encoder"])
        commit = str(config["resolved"].get("encoder_commit", ""))
    except (KeyError, TypeError) as error:
        raise CacheError(
            f"{folder / CONFIG} is damaged (it lacks {error}): train again"
        ) from error
    if commit:
        encoder = pinned(encoder, commit)
    return Model(checkpoint.load(folder), _spec(spec, fingerprint, folder / CONFIG), encoder)


def _spec(values: dict[str, Any], fingerprint: str, path: Path) -> FeatureSpec:
    """A spec as a file holds it. Raises ``CacheError`` if it is not that of the fingerprint."""
    try:
        spec = FeatureSpec.from_dict(values)
        found = spec.fingerprint
    except (TypeError, ValueError) as error:
        raise CacheError(
            f"{path} is damaged (its spec of the vectors: {error}): train again"
        ) from error
    if found != fingerprint:
        raise CacheError(
            f"{path} is damaged (its spec of the vectors has the fingerprint {found}, not "
            f"{fingerprint}, which stands beside it): train again"
        )
    return spec


def write_model(model: Model, run_folder: Path, out: Path, shown: str | None = None) -> None:
    """Write the model folder of a run; it appears whole or not at all.

    Args:
        shown: how the examples of its card name the folder; None: by its own name.

    Raises:
        SettingError: ``out`` will not do, or the head cannot be written as ONNX.
        CacheError: the run folder is damaged.
        OutputError: the folder cannot be written.
    """
    check_out(out)
    onnx = onnx_model(model.head)
    name, folder = model.encoder, Path(model.encoder).is_absolute()
    encoder = EncoderPart(
        name=Path(name).name if folder else name,
        folder=folder,
        fingerprint=model.spec.fingerprint,
        spec=model.spec.to_dict(),
    )
    card = _card(model, encoder.name, run_folder, shown or out.name)
    with appearing(out, "--out", folder=True) as temporary:
        digest = checkpoint.save_weights(model.head, temporary)
        (temporary / ONNX).write_bytes(onnx)
        (temporary / CARD).write_text(card, encoding="utf-8", errors="backslashreplace")
        described = ModelFile(
            version=VERSION,
            labels=model.head.classes,
            temperature=model.head.temperature,
            head=model.head.head,
            settings=model.head.settings.model_dump(mode="json"),
            layout=model.head.layout,
            width=model.head.width,
            encoder=encoder,
            sha256={WEIGHTS: digest, ONNX: hashlib.sha256(onnx).hexdigest()},
        )
        write_json(temporary / MODEL, described.model_dump(mode="json"))


def _card(model: Model, encoder: str, run_folder: Path, name: str) -> str:
    """The model card. Raises ``CacheError`` if the run lacks what it tells."""
    try:
        return model_card(model.head, model.spec, encoder, read_facts(run_folder), name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CacheError(
            f"the run {run_folder} is damaged or of another version "
            f"({type(error).__name__}: {error}): train it again, then export it"
        ) from error


def read_model(folder: Path) -> Model:
    """What ``write_model`` wrote. Raises ``CacheError`` if it is damaged."""
    path = folder / MODEL
    try:
        file = ModelFile.model_validate(read_json(path))
    except ValidationError as error:
        reason = " ".join(str(error).split())
        raise CacheError(f"{path} is damaged ({reason}): export the model again") from error
    if file.version != VERSION:
        raise CacheError(
            f"{path} is of format version {file.version}, this program reads {VERSION}: "
            "predict with the manyheads that wrote it, or export the model again"
        )
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
    )
    head = checkpoint.assemble(description, folder / WEIGHTS)
    spec = _spec(file.encoder.spec, file.encoder.fingerprint, path)
    return Model(head, spec, file.encoder.name, file.encoder.folder)
