"""``manyheads export-model``: a run as one folder to predict with anywhere.

A blend becomes a folder of model folders (see ``blend_folder``) under a card of its own.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import CacheError
from features.output import appearing
from heads.checkpoint import WEIGHTS
from pipeline.models.blend_card import blend_card
from pipeline.models.blend_folder import (
    BLEND,
    PARTS,
    Predictor,
    open_predictor,
    part_folders,
    write_blend_file,
)
from pipeline.models.card import CARD
from pipeline.models.model import MODEL, ONNX, check_out, write_model
from pipeline.runs.folder import METRICS, find_run, read_json
from pipeline.runs.held_out import DAMAGE


@dataclass(frozen=True)
class ExportedModel:
    """What ``manyheads export-model`` reports."""

    folder: Path
    run: Path
    head: str
    labels: int
    files: tuple[str, ...]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "folder": str(self.folder),
            "run": str(self.run),
            "head": self.head,
            "labels": self.labels,
            "files": list(self.files),
        }

    def to_text(self) -> str:
        """For people: what there is now, and where to read on."""
        *files, card = self.files
        return (
            f"{self.head} with {self.labels} labels: {', '.join(files)} and {card}, "
            f"which says how to use them, in {self.folder}"
        )


def run(parsed: argparse.Namespace) -> ExportedModel:
    """``manyheads export-model``."""
    check_out(parsed.out)
    folder = find_run(parsed.run, parsed.runs)
    model = open_predictor(str(folder), parsed.runs)
    if model.temperature is None:
        write_model(model.parts[0], folder, parsed.out)
        head = model.parts[0].head.head
        files: tuple[str, ...] = (WEIGHTS, ONNX, MODEL, CARD)
    else:
        _write_blend(model, model.temperature, parsed.out)
        head, files = "blend", (BLEND, PARTS, CARD)
    return ExportedModel(parsed.out, folder, head, len(model.labels), files)


def _write_blend(model: Predictor, temperature: float, out: Path) -> None:
    """Write the folder of a blend; it appears whole or not at all."""
    try:
        card = blend_card(read_json(model.folder / METRICS), model, temperature, out.name)
    except DAMAGE as error:
        raise CacheError(
            f"the run {model.folder} is damaged ({type(error).__name__}: {error}): blend the "
            "runs again, then export it"
        ) from error
    with appearing(out, "--out", folder=True) as temporary:
        (temporary / PARTS).mkdir()
        places = part_folders(temporary, len(model.parts))
        for part, folder, place in zip(model.parts, model.folders, places, strict=True):
            write_model(part, folder, place, f"{out.name}/{PARTS}/{place.name}")
        write_blend_file(temporary, model.labels, temperature)
        (temporary / CARD).write_text(card, encoding="utf-8", errors="backslashreplace")
