"""The words that decided where a run is wrong: they are added to its ``errors.jsonl``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.storage.files import put
from pipeline.config import ExperimentConfig
from pipeline.console import print_note
from pipeline.prediction.predictor import Predictor
from pipeline.prediction.word_weights import words_refusal
from pipeline.runs.files.misclassified import as_lines
from pipeline.runs.folder import ERRORS
from pipeline.runs.reader import read_errors

MOST_ERRORS = 200
"""Errors whose words are weighed, the surest; a text of 30 words takes 30 passes of a head."""


def explain_errors(
    folder: Path,
    config: ExperimentConfig,
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> None:
    """Weigh the words of the surest errors of a run, as ``predict --explain words`` does.

    A run whose words cannot be weighed keeps its file, and a note says why.

    Args:
        folder: of the run.
        config: with which it was trained.
        load: gives the encoder, for token vectors that are not cached; None loads the model.

    Raises:
        ManyheadsError: as ``Predictor``.
    """
    errors = read_errors(folder)
    some = errors[:MOST_ERRORS]
    if not some:
        return
    if config.folds:
        print_note(
            f"note: {ERRORS} has no words: with --folds most errors are those of other heads "
            "than the one of the run"
        )
        return
    predictor = Predictor.load(
        str(folder),
        config.runs,
        config.vectors.cache,
        trust_remote_code=config.vectors.trust_remote_code,
        memory=config.vectors.memory,
        load=load,
        device=config.device,
    )
    refusal = words_refusal(predictor.opened)
    if refusal:
        print_note(f"note: {ERRORS} has no words: {refusal}")
        return
    labels, weights = predictor.weigh([each.text for each in some])
    found = [
        # The head of the run may label a text otherwise than the one that was tested on it.
        replace(each, words=words, word_weights=weights.unit)
        if label == each.predicted
        else each
        for each, label, words in zip(some, labels, weights.texts, strict=True)
    ]
    put(folder, ERRORS, as_lines([*found, *errors[MOST_ERRORS:]]))
