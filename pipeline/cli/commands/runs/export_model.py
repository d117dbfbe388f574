"""``manyheads export-model``: write a trained run as one folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig
from pipeline.models.config import ExportModelConfig

if TYPE_CHECKING:
    from pipeline.models.opening import OpenedModel


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads export-model``."""
    options.run_argument(parser)
    options.add_options(parser, ExportModelConfig)
    options.add_options(parser, ExperimentConfig, only=("runs",))


def run(parsed: argparse.Namespace) -> Answer:
    """``manyheads export-model``."""
    from heads.persistence.checkpoint import WEIGHTS
    from pipeline.models.blend_folder import BLEND, PARTS
    from pipeline.models.card import CARD
    from pipeline.models.export import ONNX, ExportedModel, check_out, write_model
    from pipeline.models.model import MODEL
    from pipeline.models.opening import open_model
    from pipeline.overview.run_choice import choose_run

    check_out(parsed.out)
    folder = choose_run(parsed.run, parsed.runs)
    model = open_model(str(folder), parsed.runs)
    if model.temperature is None:
        write_model(model.parts[0], folder, parsed.out)
        part = model.parts[0]
        head = part.head.head
        files: tuple[str, ...] = (WEIGHTS, *([] if part.reads_words else [ONNX]), MODEL, CARD)
    else:
        _write_blend(model, model.temperature, parsed.out)
        head, files = "blend", (BLEND, PARTS, CARD)
    return answer(ExportedModel(parsed.out, folder, head, len(model.labels), files))


def _write_blend(model: OpenedModel, temperature: float, out: Path) -> None:
    """Write the folder of a blend; it appears whole or not at all."""
    from features.outputs.output import appearing
    from pipeline.models.blend_folder import PARTS, part_folders, write_blend_file
    from pipeline.models.card import CARD, blend_card
    from pipeline.models.export import write_model
    from pipeline.runs.reader import read_blend_metrics

    card = blend_card(read_blend_metrics(model.folder), model.labels, temperature, out.name)
    with appearing(out, "--out", folder=True) as temporary:
        (temporary / PARTS).mkdir()
        places = part_folders(temporary, len(model.parts))
        for part, folder, place in zip(model.parts, model.folders, places, strict=True):
            write_model(part, folder, place, f"{out.name}/{PARTS}/{place.name}")
        write_blend_file(temporary, model.labels, temperature, model.weights)
        (temporary / CARD).write_text(card, encoding="utf-8", errors="backslashreplace")
