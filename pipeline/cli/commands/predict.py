"""``manyheads predict``: label texts with a trained run."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from features.corpus.columns import Columns
from features.corpus.source import parse_source
from features.errors import CacheError, SettingError
from features.messages import many
from features.storage.location import local_path
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.console import print_note
from pipeline.spreadsheet import ESCAPE

if TYPE_CHECKING:
    from features.corpus.whole import WholeTable
    from pipeline.models.given_labels import GivenScore
    from pipeline.models.predictions import Predictions
    from pipeline.models.predictor import Predictor


PREDICT_DATA = ("text_column", "label_column", "delimiter", "encoding")
"""Options of ``DataConfig`` that say how the file is read."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads predict``."""
    parser.add_argument(
        "--run",
        default="latest",
        help="a run folder, its name, or a model folder (default: latest)",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", action="append", help="a text; may be repeated")
    what.add_argument("--data", type=parse_source, metavar="FILE", help="a file of texts")
    options.add_options(parser, DataConfig, only=PREDICT_DATA)
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
        type=int,
        const=3,
        default=0,
        metavar="N",
        help="show the N nearest training texts with their labels (default: 3); in a file as "
        "columns neighbor_1, neighbor_1_label ...",
    )
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        metavar="NAME",
        help="where the run's encoder is now, if it was moved; may be repeated for a blend",
    )
    options.add_options(parser, ExperimentConfig, only=("runs",))
    options.add_options(parser, VectorConfig, only=("cache", "memory", "trust_remote_code"))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from features.corpus.whole import WholeTable
    from pipeline.models.labelled_file import (
        check_target,
        columns_of,
        read_texts,
        write_labelled,
    )
    from pipeline.models.predictor import Predictor

    for text in parsed.text or ():
        check_text(text)
    if parsed.output:
        reads = (*([parsed.data] if parsed.data else []), parsed.cache, *parsed.encoder)
        check_target(parsed.output, parsed.run, parsed.runs, reads)
    if parsed.explain < 0:
        raise SettingError(f"--explain takes how many texts, 1 or more; got {parsed.explain}")
    corpus, own = None, Columns()
    if parsed.data:
        own = columns_of(parsed.run, parsed.runs)
        corpus = read_texts(options.from_arguments(DataConfig, parsed), own)
    texts = corpus.texts if corpus else parsed.text
    predictor = Predictor.load(
        parsed.run,
        parsed.runs,
        parsed.cache,
        encoders=parsed.encoder,
        trust_remote_code=parsed.trust_remote_code,
        memory=parsed.memory,
    )
    for line in predictor.provenance.lines():
        print_note(line)
    predictions = predictor.predict(texts, parsed.explain)
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
    from pipeline.models.given_labels import labels_of, score_given

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


def check_text(text: str) -> None:
    """Refuse a text that cannot be labelled. Raises ``SettingError``."""
    if not text.strip():
        raise SettingError("--text is empty; give a text to label")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # bytes of the command line that are no UTF-8
        raise SettingError(f"--text {text!r} is not UTF-8; convert it first") from error
