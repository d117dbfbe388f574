"""``manyheads export-model``: write a run as one folder that predicts anywhere.

A blend becomes a folder of model folders (see ``blend_folder``) under a card of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import SettingError
from features.outputs.output import appearing, check_output
from features.vectors.table import POOLED
from heads.persistence import checkpoint
from heads.persistence.checkpoint import WEIGHTS, further_of
from heads.persistence.onnx_export import onnx_model
from pipeline.console import print_note
from pipeline.models.card import CARD, model_card, read_facts
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

ONNX = "head.onnx"


@dataclass(frozen=True)
class ExportedModel:
    """The report of ``manyheads export-model``."""

    folder: Path
    run: Path
    head: str
    labels: int
    files: tuple[str, ...]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "folder": str(self.folder),
            "run": str(self.run),
            "head": self.head,
            "labels": self.labels,
            "files": list(self.files),
        }

    def to_text(self) -> str:
        """Return one line for people: the files, and which of them explains the others."""
        *files, card = self.files
        return (
            f"{self.head} with {self.labels} labels: {', '.join(files)} and {card}, "
            f"which says how to use them, in {self.folder}"
        )


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


def write_model(model: Model, run_folder: Path, out: Path, shown: str | None = None) -> None:
    """Write the model folder of a run; it appears whole or not at all.

    Args:
        shown: name of the folder in the examples of the card; None: its own name.

    Raises:
        SettingError: ``out`` cannot be used, or the head cannot be written as ONNX.
        CacheError: the run folder is damaged.
        OutputError: the folder cannot be written.
    """
    check_out(out)
    # An ONNX model takes the vectors of one encoder; words are none: such heads have no file.
    reason = _no_onnx(model)
    onnx = None if reason else onnx_model(model.head)
    encoder, *others = map(_part, model.sources)
    facts = read_facts(run_folder)
    names = [encoder.name, *(each.name for each in others)]
    card = model_card(model, names, facts, shown or out.name)
    with appearing(out, "--out", folder=True) as temporary:
        digest = checkpoint.save_weights(model.head, temporary)
        digests = {WEIGHTS: digest}
        if onnx is not None:
            (temporary / ONNX).write_bytes(onnx)
            digests[ONNX] = hashlib.sha256(onnx).hexdigest()
        (temporary / CARD).write_text(card, encoding="utf-8", errors="backslashreplace")
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
        MODEL_FORMAT.write(temporary / MODEL, values)
    if reason:
        print_note(f"note: {reason}")


def _part(source: Source) -> EncoderPart:
    """Return the description of an encoder's vectors in ``model.json``."""
    name, folder = source.encoder, Path(source.encoder).is_absolute()
    return EncoderPart(
        name=Path(name).name if folder else name,
        folder=folder,
        fingerprint=source.spec.fingerprint,
        spec=source.spec.to_dict(),
    )


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
