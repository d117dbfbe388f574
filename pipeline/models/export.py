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
from heads.persistence.checkpoint import WEIGHTS, further_of
from heads.persistence.onnx_export import onnx_model
from pipeline.console import print_note
from pipeline.models.blend_folder import file_digest
from pipeline.models.card import CARD, model_card, read_facts
from pipeline.models.encoder_onnx import check_exportable
from pipeline.models.model import (
    ENCODERS_VERSION,
    MODEL,
    MODEL_FORMAT,
    VERSION,
    WORDS_VERSION,
    EncoderPart,
    FurtherPart,
    Model,
    ModelFile,
    Source,
)
from pipeline.models.standalone import FILES as STANDALONE
from pipeline.models.standalone import StandaloneReport, check_runtime, write_standalone
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
    pushed: str = ""
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "folder": str(self.folder),
            "run": str(self.run),
            "head": self.head,
            "labels": self.labels,
            "files": list(self.files),
            **({"pushed": self.pushed} if self.pushed else {}),
            **({"agreement": self.standalone.to_dict()} if self.standalone else {}),
        }

    def to_text(self) -> str:
        """Return what people see: the files, which of them explains the others, and the price
        of what was rounded."""
        *files, card = self.files
        told = self.standalone.lines() if self.standalone else []
        if self.pushed:
            told.append(f"on the hub: manyheads predict {self.pushed} --text TEXT")
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
    # An ONNX model takes the vectors of one encoder; words are none: such heads have no file.
    reason = _no_onnx(model)
    onnx = None if reason else onnx_model(model.head)
    facts = read_facts(run_folder)
    report = None
    with appearing(out, "--out", folder=True) as temporary:
        digests = {WEIGHTS: checkpoint.save_weights(model.head, temporary)}
        if onnx is not None:
            (temporary / ONNX).write_bytes(onnx)
            digests[ONNX] = hashlib.sha256(onnx).hexdigest()
        _write_description(temporary, model, digests)
        if encoder is not None:
            texts = read_training(run_folder / TRAINING).texts
            own = temporary, model.head, model.spec, encoder, texts, quantize
            report = write_standalone(*own)
            digests |= {name: file_digest(temporary / name) for name in STANDALONE}
            _write_description(temporary, model, digests)
        names = [_part(source).name for source in model.sources]
        card = model_card(model, names, facts, shown or out.name, report)
        (temporary / CARD).write_text(card, encoding="utf-8", errors="backslashreplace")
    if reason:
        print_note(f"note: {reason}")
    return report


def check_standalone(model: Model) -> None:
    """Refuse a model that no program but manyheads can run. Raises ``SettingError``."""
    if reason := _no_onnx(model):
        raise SettingError(
            f"--with-encoder cannot write this run: {reason}; or leave the option out"
        )
    check_exportable(model.spec, model.sources[0].encoder)
    check_runtime()


def _write_description(folder: Path, model: Model, digests: dict[str, str]) -> None:
    """Write ``model.json``."""
    encoder, *others = map(_part, model.sources)
    described = ModelFile(
        labels=model.head.classes,
        temperature=model.head.temperature,
        head=model.head.head,
        settings=model.head.settings.model_dump(mode="json"),
        layout=model.head.layout,
        width=model.head.width,
        encoder=encoder,
        sha256=digests,
        further=tuple(
            FurtherPart(encoder=each, vectors=vectors)
            for each, vectors in zip(others, further_of(model.head), strict=True)
        ),
    )
    version = WORDS_VERSION if model.reads_words else VERSION
    version = ENCODERS_VERSION if others else version
    usual = set() if others else {"further"}
    values = {"version": version, **described.model_dump(mode="json", exclude=usual)}
    MODEL_FORMAT.write(folder / MODEL, values)


def _part(source: Source) -> EncoderPart:
    """Return the description of an encoder's vectors in ``model.json``."""
    name, folder = source.encoder, Path(source.encoder).is_absolute()
    return EncoderPart(
        name=Path(name).name if folder else name,
        folder=folder,
        fingerprint=source.spec.fingerprint,
        spec=source.spec.to_dict(),
    )


def writes_onnx(model: Model) -> bool:
    """Return whether a head is written as ONNX."""
    return not _no_onnx(model)


def _no_onnx(model: Model) -> str:
    """Return why a head is not written as ONNX; '' if it is."""
    if model.reads_words:
        layout = model.head.layout.partition(",")[0] if model.reads_vectors else POOLED
        return (
            f"this head reads the words of a text, which ONNX cannot, so {ONNX} is left "
            f"out; one over vectors alone has it: train with --layout {layout}"
        )
    if len(model.sources) > 1:
        return (
            f"this head reads the vectors of {len(model.sources)} encoders, so {ONNX}, which "
            "would take those of one, is left out; train with one --encoder for it"
        )
    return ""
