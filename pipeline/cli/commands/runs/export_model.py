"""``manyheads export-model``: write a trained run as one folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import SettingError
from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig
from pipeline.models.config import HUB, ExportModelConfig

if TYPE_CHECKING:
    from features.encoders.description.model import EncoderModel
    from pipeline.models.model import Model
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
    from pipeline.models.export import ONNX, ExportedModel, check_out, write_model, writes_onnx
    from pipeline.models.hub import check_push, push
    from pipeline.models.model import MODEL
    from pipeline.models.opening import open_model
    from pipeline.models.standalone import FILES as STANDALONE
    from pipeline.overview.run_choice import choose_run

    config = options.from_arguments(ExportModelConfig, parsed)
    check_out(parsed.out)
    if config.push is not None:
        check_push(config.push)
    folder = choose_run(parsed.run, parsed.runs)
    model = open_model(str(folder), parsed.runs)
    report = None
    if model.temperature is None:
        part = model.parts[0]
        head = part.head.head
        files: tuple[str, ...] = (WEIGHTS, *([ONNX] if writes_onnx(part) else []), MODEL)
        encoder = _find_encoder(part, folder, config) if config.with_encoder else None
        report = write_model(part, folder, parsed.out, None, encoder, config.quantize)
        files += (*(STANDALONE if report else ()), CARD)
    elif config.with_encoder:
        raise SettingError(
            f"--with-encoder cannot write the blend {folder}; leave the option out, or export "
            "the best of its runs"
        )
    else:
        _write_blend(model, model.temperature, parsed.out)
        head, files = "blend", (BLEND, PARTS, CARD)
    commit = push(parsed.out, config.push, config.public) if config.push else ""
    pushed = f"{HUB}{config.push}@{commit}" if commit else ""
    found = ExportedModel(parsed.out, folder, head, len(model.labels), files, report, pushed)
    return answer(found)


def _find_encoder(part: Model, folder: Path, config: ExportModelConfig) -> EncoderModel:
    """Return the encoder of a run. Raises ``EncoderError`` if it is gone, or another."""
    from features.encoders.description.model import find_model
    from pipeline.models.export import check_standalone
    from pipeline.prediction.encoder_check import check_encoder

    check_standalone(part)
    model = find_model(config.encoder or part.sources[0].name())
    check_encoder(model, part.spec, folder)
    return model


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
