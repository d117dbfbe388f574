"""``manyheads export-model``: write a run as one folder that predicts anywhere.

A blend becomes a folder of model folders (see ``blend_folder``) under a card of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.encoders.description.model import EncoderModel
from features.errors import SettingError
from features.outputs.output import appearing, check_output
from features.vectors.table import POOLED
from heads.persistence import checkpoint
from heads.persistence.checkpoint import WEIGHTS
from heads.persistence.onnx_export import onnx_model
from pipeline.console import print_note
from pipeline.models.blend_folder import file_digest
from pipeline.models.card import CARD, model_card, read_facts
from pipeline.models.encoder_onnx import check_exportable
from pipeline.models.model import (
    MODEL,
    MODEL_FORMAT,
    VERSION,
    WORDS_VERSION,
    EncoderPart,
    Model,
    ModelFile,
)
from pipeline.models.standalone import (
    FILES as STANDALONE,
)
from pipeline.models.standalone import (
    StandaloneReport,
    check_runtime,
    write_standalone,
)
from pipeline.runs.files.training_texts import TRAINING, read_training

ONNX = "head.onnx"


@dataclass(frozen=True)
class ExportedModel:
    """The report of ``manyheads export-model``."""

    folder: Path
    run: Path
    head: str
    labels: int
    files: tuple[str, ...]
    standalone: StandaloneReport | None = None
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "folder": str(self.folder),
            "run": str(self.run),
            "head": self.head,
            "labels": self.labels,
            "files": list(self.files),
            **({"agreement": self.standalone.to_dict()} if self.standalone else {}),
        }

    def to_text(self) -> str:
        """Return what people see: the files, which of them explains the others, and the price
        of what was rounded."""
        *files, card = self.files
        told = self.standalone.lines() if self.standalone else []
        first = (
            f"{self.head} with {self.labels} labels: {', '.join(files)} and {card}, "
            f"which says how to use them, in {self.folder}"
        )
        return "\n".join([first, *told])


def check_out(out: Path) -> None:
    """Refuse a path at which a model folder cannot be written.

    Raises:
        SettingError: its parent does not exist, or it is the current folder or not empty.
        OutputError: nothing can be written there.
    """
    if out.resolve() == Path.cwd():
        raise SettingError(f"--out {out} is the current folder: name one in it or elsewhere")
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        raise SettingError(f"--out {out} exists and is not an empty folder: name another")
    if not out.exists():
        check_output(out, "--out")


def write_model(
    model: Model,
    run_folder: Path,
    out: Path,
    shown: str | None = None,
    encoder: EncoderModel | None = None,
    quantize: str | None = None,
) -> StandaloneReport | None:
    """Write the model folder of a run; it appears whole or not at all.

    Args:
        shown: name of the folder in the examples of the card; None: its own name.
        encoder: what to write too, with a program that needs no manyheads; None: nothing.
        quantize: as ``write_standalone``.

    Returns:
        How the encoder that was written agrees; None without one.

    Raises:
        SettingError: ``out`` cannot be used, or the head or encoder not be written as ONNX.
        CacheError: the run folder is damaged.
        OutputError: the folder cannot be written.
    """
    check_out(out)
    if encoder is not None:
        check_standalone(model)
    # An ONNX model takes vectors, and the words of a text are none: such a head has no file.
    onnx = None if model.reads_words else onnx_model(model.head)
    described = _encoder_part(model)
    facts = read_facts(run_folder)
    report = None
    with appearing(out, "--out", folder=True) as temporary:
        digests = {WEIGHTS: checkpoint.save_weights(model.head, temporary)}
        if onnx is not None:
            (temporary / ONNX).write_bytes(onnx)
            digests[ONNX] = hashlib.sha256(onnx).hexdigest()
        _write_description(temporary, model, described, digests)
        if encoder is not None:
            texts = read_training(run_folder / TRAINING).texts
            report = write_standalone(
                temporary, model.head, model.spec, encoder, texts, quantize
            )
            digests |= {name: file_digest(temporary / name) for name in STANDALONE}
            _write_description(temporary, model, described, digests)
        named = shown or out.name
        card = model_card(model.head, model.spec, described.name, facts, named, report)
        (temporary / CARD).write_text(card, encoding="utf-8", errors="backslashreplace")
    if onnx is None:
        print_note(
            f"note: this head reads the words of a text, which ONNX cannot, so {ONNX} is left "
            "out; one over vectors alone has it: train with --layout "
            f"{model.head.layout.partition(',')[0] if model.reads_vectors else POOLED}"
        )
    return report


def check_standalone(model: Model) -> None:
    """Refuse a model that no program but manyheads can run. Raises ``SettingError``."""
    if model.reads_words:
        raise SettingError(
            "--with-encoder cannot write this run: its head reads the words of a text, which "
            "ONNX cannot; leave the option out, or train with --layout "
            f"{model.head.layout.partition(',')[0] if model.reads_vectors else POOLED}"
        )
    check_exportable(model.spec, model.encoder)
    check_runtime()


def _encoder_part(model: Model) -> EncoderPart:
    name, folder = model.encoder, Path(model.encoder).is_absolute()
    return EncoderPart(
        name=Path(name).name if folder else name,
        folder=folder,
        fingerprint=model.spec.fingerprint,
        spec=model.spec.to_dict(),
    )


def _write_description(
    folder: Path, model: Model, encoder: EncoderPart, digests: dict[str, str]
) -> None:
    """Write ``model.json``."""
    described = ModelFile(
        labels=model.head.classes,
        temperature=model.head.temperature,
        head=model.head.head,
        settings=model.head.settings.model_dump(mode="json"),
        layout=model.head.layout,
        width=model.head.width,
        encoder=encoder,
        sha256=digests,
    )
    version = WORDS_VERSION if model.reads_words else VERSION
    values = {"version": version, **described.model_dump(mode="json")}
    MODEL_FORMAT.write(folder / MODEL, values)
