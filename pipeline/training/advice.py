"""Advice for runs in which TF-IDF beats the head."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from features.tables import join_layout, parse_layout
from features.vectors.table import POOLED
from features.words.table import WORDS
from heads.evaluation.metrics import answers_differ
from pipeline.command_line import words_of
from pipeline.config import ExperimentConfig
from pipeline.evaluation.evaluation import Evaluation

SEQUENCE_HEAD = "attention"
"""What does best over token vectors (docs/results.md)."""

LARGER = "sentence-transformers/all-mpnet-base-v2"
MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-mpnet-base-v2"
"""Encoders that are larger than the embedded one, for English and for other languages."""

SAMPLE, FOREIGN = 1000, 0.05
"""Texts looked at, and the share of their letters outside ASCII from which they count as not
English."""


def words_do_better(
    config: ExperimentConfig,
    layout: str,
    texts: Sequence[str],
    test: Evaluation,
    words: np.ndarray,
) -> tuple[str, ...]:
    """Return a line with a command where the TF-IDF baseline beats the head beyond noise.

    Where nothing larger is known the line names the option alone.

    Args:
        config: of the experiment.
        layout: of the vectors.
        texts: of the corpus.
        test: what the head predicts.
        words: (n,) int64, what the baseline predicts for the same texts.
    """
    right = words == test.labels
    if right.sum() <= test.right.sum() or not answers_differ(right, test.right):
        return ()
    command = _command(config, layout, texts)
    if WORDS in layout.split(","):
        remedy = f"Vectors that tell more may help; try: {command}"
        if not command:
            remedy = "Vectors that tell more may help, such as those of another --encoder."
    else:
        remedy = f"The head can read them too; try: {command}"
    return (
        f"Words alone do better: TF-IDF + logistic labels {right.mean():.1%} of the test texts "
        f"rightly, this head {test.right.mean():.1%}, a difference beyond noise (exact McNemar "
        f"test, 5 %). {remedy}",
    )


def _command(config: ExperimentConfig, layout: str, texts: Sequence[str]) -> str:
    """Return the same training with one thing changed: words beside the vectors, or else the
    head, or else the encoder; "" where the encoder is the one that would be named.

    Words cost least, then a head over token vectors. That does not help where the encoder may
    not know the language.
    """
    words = ["manyheads", "train"]
    foreign = _foreign(texts)
    knows = not foreign or config.vectors.encoder == MULTILINGUAL
    own, reads_words = parse_layout(layout)
    if not reads_words:
        changed = replace(config, layout=join_layout(own, True))
    elif own == POOLED and knows:
        changed = replace(config, head=SEQUENCE_HEAD, preset=None, layout=None, settings={})
    else:
        larger = MULTILINGUAL if foreign else LARGER
        if config.vectors.encoder.partition("@")[0] == larger:
            return ""
        vectors = replace(config.vectors, encoder=larger, layers=None, max_tokens=None)
        changed = replace(config, vectors=vectors)
    words += ["--preset", changed.preset] if changed.preset else ["--head", changed.head]
    words += [*words_of(changed.data), *words_of(changed.vectors)]
    if changed.layout is not None:
        words += ["--layout", changed.layout]
    if changed.folds:
        words += ["--folds", str(changed.folds)]
    if changed.settings:
        words += ["--set", *(f"{name}={value}" for name, value in changed.settings.items())]
    return shlex.join(words)


def _foreign(texts: Sequence[str]) -> bool:
    letters = [letter for text in texts[:SAMPLE] for letter in text if letter.isalpha()]
    return sum(not letter.isascii() for letter in letters) > FOREIGN * len(letters)
