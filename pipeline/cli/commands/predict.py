"""``manyheads predict``: label texts with a trained run."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from features.corpus.columns import Columns
from features.corpus.dialect import Dialect
from features.corpus.source import parse_source
from features.errors import SettingError
from features.storage.location import local_path
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.spreadsheet import ESCAPE


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads predict``."""
    options.run_argument(parser, ", or that of an exported model")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", action="append", help="label this text; may be repeated")
    what.add_argument(
        "--data", type=parse_source, metavar="FILE", help="label the texts of this file"
    )
    options.add_options(parser, DataConfig, only=("text_column", "delimiter", "encoding"))
    parser.add_argument(
        "--skip-empty",
        action="store_true",
        help="leave out rows without a text, and say the row of each of the others",
    )
    parser.add_argument(
        "--output",
        type=local_path,
        metavar="FILE",
        help=".csv, .parquet or .jsonl, with a probability a class (default: the terminal)",
    )
    options.formulas_option(parser, ESCAPE)
    parser.add_argument(
        "--explain",
        nargs="?",
        type=int,
        const=3,
        default=0,
        metavar="N",
        help="show the N nearest training texts with their labels (default: 3); in a file, "
        ".jsonl only",
    )
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        metavar="NAME",
        help="find the run's encoder here, if it was moved; may be repeated for a blend",
    )
    options.add_options(parser, ExperimentConfig, only=("runs", "device"))
    options.add_options(parser, VectorConfig, only=("cache", "memory", "trust_remote_code"))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    check_early(parsed)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.models.predictions import check_target, write_predictions
    from pipeline.models.predictor import Predictor, read_texts

    if parsed.output:
        reads = (*([parsed.data] if parsed.data else []), parsed.cache, *parsed.encoder)
        check_target(parsed.output, parsed.run, parsed.runs, reads)
    if parsed.explain < 0:
        raise SettingError(f"--explain takes how many texts, 1 or more; got {parsed.explain}")
    texts, rows = (
        (parsed.text, ())
        if parsed.text
        else read_texts(
            parsed.data,
            parsed.text_column,
            parsed.skip_empty,
            options.from_arguments(Dialect, parsed),
        )
    )
    predictor = Predictor.load(
        parsed.run,
        parsed.runs,
        parsed.cache,
        encoders=parsed.encoder,
        trust_remote_code=parsed.trust_remote_code,
        memory=parsed.memory,
        device=parsed.device,
    )
    predictions = predictor.predict(texts, parsed.explain)
    predictions = replace(predictions, rows=rows)
    if not parsed.output:
        return Answer(predictions.to_dict(), predictions.to_text())
    write_predictions(predictions, parsed.output, parsed.formulas)
    answer = {
        "run": str(predictions.run),
        "texts": len(texts),
        "truncated": int(predictions.truncated.sum()),
        "output": str(parsed.output),
    }
    return Answer(answer, f"{len(texts):,} texts labelled: {parsed.output}")


def check_early(parsed: argparse.Namespace) -> None:
    """Refuse what is wrong with texts, file or run before anything slow is imported.

    Raises:
        InputError: an empty text, a file that cannot be read, or no such run or device.
    """
    from heads.device import check_here
    from pipeline.runs.folder import find_run
    from pipeline.training.preparation import check_first_rows

    check_here(parsed.device)
    for text in parsed.text or ():
        check_text(text)
    # A folder may be an exported model; what --output names is checked before the run is.
    if not parsed.output and not Path(parsed.run).is_dir():
        find_run(parsed.run, parsed.runs)
    if parsed.data:
        columns = Columns(text=parsed.text_column, label=None, split=None)
        dialect = options.from_arguments(Dialect, parsed)
        check_first_rows(DataConfig(parsed.data, columns, dialect), labels=False)


def check_text(text: str) -> None:
    """Refuse a text that cannot be labelled. Raises ``SettingError``."""
    if not text.strip():
        raise SettingError("--text is empty; give a text to label")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # bytes of the command line that are no UTF-8
        raise SettingError(f"--text {text!r} is not UTF-8; convert it first") from error
