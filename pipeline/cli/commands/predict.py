"""``manyheads predict``: label texts with a trained run."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.corpus.columns import Columns
from features.corpus.rows import MissingColumnError
from features.corpus.source import HubName, parse_source
from features.errors import CacheError, SettingError
from features.messages import many
from features.storage.location import local_path
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.console import print_note
from pipeline.models.config import EXPORTED, HUB, UncertaintyConfig
from pipeline.prediction.explain import NEAREST, NOTHING, Explain
from pipeline.spreadsheet import ESCAPE

if TYPE_CHECKING:
    from features.corpus.whole import WholeTable
    from pipeline.prediction.given_labels import GivenScore
    from pipeline.prediction.predictions import Predictions
    from pipeline.prediction.predictor import Predictor


PREDICT_DATA = ("text_column", "label_column", "delimiter", "encoding", "sheet")
"""Options of ``DataConfig`` that say how the file is read."""

FROM_RUN = {
    "text_column": "that of the run, or text, or the only one that looks like texts",
    "label_column": "that of the run, or label; without one nothing is scored",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads predict``."""
    options.run_argument(parser, EXPORTED)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", action="append", help="label this text; may be repeated")
    what.add_argument(
        "--data", type=parse_source, metavar="FILE", help="label the texts of this file"
    )
    options.add_options(parser, DataConfig, only=PREDICT_DATA, otherwise=FROM_RUN)
    parser.add_argument(
        "--skip-empty",
        action="store_true",
        help="leave rows without a text unlabelled instead of refusing the file",
    )
    parser.add_argument(
        "--output",
        type=local_path,
        metavar="FILE",
        help="write every column of FILE, with predicted, confidence and a probability per "
        "class beside them: .csv, .tsv, .jsonl or .parquet (default: the terminal)",
    )
    options.formulas_option(parser, ESCAPE)
    parser.add_argument(
        "--explain",
        nargs="?",
        type=Explain.of,
        const=Explain(NEAREST),
        default=NOTHING,
        metavar="N|words",
        help="show the N nearest training texts with their labels (default: 3); words: how "
        "much each word of a text decides; words,N: both; in a file as columns neighbor_1, "
        "neighbor_1_label ..., word_1, word_1_weight ...",
    )
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        metavar="NAME",
        help="find the run's encoder here, if it was moved; may be repeated for a blend",
    )
    options.add_options(parser, UncertaintyConfig)
    options.add_options(parser, ExperimentConfig, only=("runs", "device"))
    options.add_options(parser, VectorConfig, only=("cache", "memory", "trust_remote_code"))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    if parsed.run.startswith(HUB):
        from pipeline.models.hub import fetched

        parsed.run = fetched(parsed.run)
    own, data = check_early(parsed)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from features.corpus.whole import WholeTable
    from pipeline.corpora import read_data
    from pipeline.prediction.labelled_file import check_target, write_labelled
    from pipeline.prediction.predictor import Predictor
    from pipeline.prediction.uncertainty import Uncertainty

    if parsed.output:
        reads = (*([parsed.data] if parsed.data else []), parsed.cache, *parsed.encoder)
        check_target(parsed.output, parsed.run, parsed.runs, reads)
    corpus = read_data(data, labels=False) if data else None
    texts = corpus.texts if corpus else parsed.text
    predictor = Predictor.load(
        parsed.run,
        parsed.runs,
        parsed.cache,
        encoders=parsed.encoder,
        trust_remote_code=parsed.trust_remote_code,
        memory=parsed.memory,
        device=parsed.device,
    )
    rules = Uncertainty.of(predictor.opened, options.from_arguments(UncertaintyConfig, parsed))
    for line in (*predictor.provenance.lines(), *rules.lines()):
        print_note(line)
    predictions = predictor.predict(texts, parsed.explain, rules)
    if parsed.skip_empty and corpus:
        predictions = replace(predictions, rows=corpus.rows)
    source = WholeTable.of(corpus) if corpus else None
    score = _score(predictor, predictions, source, own, parsed.label_column) if source else None
    scored = {"score": score.to_dict()} if score else {}
    if not parsed.output:
        if score:
            print_note(score.line())
        return Answer({**predictions.to_dict(), **scored}, predictions.to_text())
    write_labelled(predictions, parsed.output, source, parsed.formulas)
    answer = {
        **predictions.about(),
        "texts": len(texts),
        "output": str(parsed.output),
        **scored,
    }
    shown = f"{many(len(texts), 'text')} labelled: {parsed.output}"
    return Answer(answer, f"{shown}\n{score.line()}" if score else shown)


def _score(
    predictor: Predictor,
    predictions: Predictions,
    source: WholeTable,
    own: Columns,
    column: str,
) -> GivenScore | None:
    """Return how well predictions agree with the labels of their file, if it has any.

    Args:
        own: the columns that the run was trained on.
        column: of the labels; where it is the usual one, that of the run counts before it.

    Raises:
        CorpusError: a label column that was named is not there.
    """
    from pipeline.prediction.given_labels import labels_of, score_given

    named = column != Columns.label
    if not named and own.label in source.names:
        column = own.label or column
    labels = labels_of(source, column, required=named)
    if labels is None:
        return None
    if len(predictions.rows):
        labels = [labels[row - 1] for row in predictions.rows]
    try:
        training = predictor.training.keys
    except CacheError:  # an exported model keeps none
        training = np.array([], "S16")
    return score_given(predictions, labels, training, column)


def check_early(parsed: argparse.Namespace) -> tuple[Columns, DataConfig | None]:
    """Refuse what is wrong with texts, file or run before anything slow is imported.

    Returns:
        The columns that the run was trained on, and how to read the texts of the file: where
        no text column is named, from that of the run if the file has it.

    Raises:
        InputError: an empty text, a file that cannot be read, or no such run or device.
    """
    from heads.device import check_here
    from pipeline.runs.columns import columns_of
    from pipeline.runs.folder import find_run
    from pipeline.training.preparation import check_first_rows

    check_here(parsed.device)
    for text in parsed.text or ():
        check_text(text)
    # A folder may be an exported model; what --output names is checked before the run is.
    if not parsed.output and not Path(parsed.run).is_dir():
        find_run(parsed.run, parsed.runs)
    own = columns_of(parsed.run, parsed.runs)
    if not parsed.data:
        return own, None
    data = options.from_arguments(DataConfig, parsed)
    columns = Columns(text=data.columns.text, label=None, split=None)
    usual = replace(data, columns=columns)
    if own.text != columns.text == Columns.text and not isinstance(data.data, HubName):
        named = replace(data, columns=replace(columns, text=own.text))
        with suppress(MissingColumnError):
            check_first_rows(named, labels=False)
            return own, named
    check_first_rows(usual, labels=False)
    return own, usual


def check_text(text: str) -> None:
    """Refuse a text that cannot be labelled. Raises ``SettingError``."""
    if not text.strip():
        raise SettingError("--text is empty; give a text to label")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # bytes of the command line that are no UTF-8
        raise SettingError(f"--text {text!r} is not UTF-8; convert it first") from error
