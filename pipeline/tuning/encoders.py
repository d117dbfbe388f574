"""``manyheads encoders``: which encoder serves some data best, and what it costs.

sample -> one split -> per encoder: pooled and token vectors from one forward pass, quick heads
on both -> accuracies on validation. Test rows are never looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from features.duplicates.duplicates import cached_duplicates
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.protocol import Encoder
from features.splits.split import Split
from features.vectors.table import POOLED, TOKENS, FeatureTable
from heads.registry import head_type, make_settings
from heads.trained import fit
from pipeline.encoding.vectors import Vectors, ensure_vectors
from pipeline.progress import Progress, duration
from pipeline.training.partition import read_labelled, split_corpus
from pipeline.training.trainings import on_split
from pipeline.tuning.config import POOLED_HEAD
from pipeline.tuning.encoder_scores import (
    EncoderComparison,
    Price,
    compare_encoders,
    encoder_advice,
    encoder_table,
)
from pipeline.tuning.encoders_config import EncodersConfig
from pipeline.tuning.layers import draw_rows

QUICK_EPOCHS = 8


@dataclass(frozen=True)
class EncodersResult:
    """What ``manyheads encoders`` reports.

    Attributes:
        data: name for people.
        texts, train, validation: texts sampled, trained on and scored.
        seconds: wall time.
    """

    data: str
    comparison: EncoderComparison
    config: EncodersConfig
    texts: int
    train: int
    validation: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "data": self.data,
            "texts": self.texts,
            "train": self.train,
            "validation": self.validation,
            "encoders": [
                {
                    "encoder": one.name,
                    "seconds_per_1000_texts": one.price.seconds,
                    "pooled_bytes_per_text": one.price.pooled_bytes,
                    "token_bytes_per_text": one.price.token_bytes,
                    "heads": {
                        head: asdict(score) | {"within_noise": score.within_noise}
                        for head, score in one.heads.items()
                    },
                }
                for one in self.comparison.encoders
            ],
            "best": self.comparison.best.name,
            "recommended": self.comparison.recommended.name,
            "seconds": round(self.seconds, 3),
        }

    def to_text(self) -> str:
        """Return the table and the advice for people."""
        return "\n".join(
            [
                encoder_table(self.comparison),
                "",
                f"{self.data}: heads trained on {self.train:,} texts, accuracy on "
                f"{self.validation:,} validation texts, no test text, in "
                f"{duration(self.seconds)}",
                *encoder_advice(self.comparison),
            ]
        )


def run_encoders(
    config: EncodersConfig, load: Callable[[EncoderModel], Encoder] | None = None
) -> EncodersResult:
    """Compare encoders on a sample of labelled texts.

    Args:
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        InputError: anything wrong with what the user gave; see ``features.errors``.
        FaultError: a corrupt cache, or vectors or a loss that are not finite.
    """
    start = time.perf_counter()
    settings = make_settings(config.head, _quick(config.head))
    whole = read_labelled(config.data)
    # All are found before the first is run: a mistyped name costs nothing.
    trusted = config.vectors.trust_remote_code
    models = {name: find_model(name, trusted) for name in config.encoders}
    rows, test = draw_rows(whole, config.sample, config.data.split_seed)
    corpus = whole.take(rows.tolist())
    labels: np.ndarray = np.zeros(0)
    split: Split | None = None
    answers: dict[str, dict[str, np.ndarray]] = {}
    prices = {}
    for name, model in models.items():
        vectors = ensure_vectors(
            corpus.texts,
            replace(config.vectors, encoder=name, layers=None),
            (POOLED, TOKENS),
            model=model,
            load=load,
        )
        tables = {POOLED_HEAD: vectors.table(POOLED), config.head: vectors.table(TOKENS)}
        if split is None:  # near-duplicates by the first encoder; the same split for all
            pooled = tables[POOLED_HEAD].values
            copies = cached_duplicates(config.vectors.cache, corpus.texts, pooled)
            split = split_corpus(corpus, config.data, copies, test)
            settings = on_split(settings, split)
            labels = split.label_ids(corpus.labels or ())
        answers[name] = {
            head: _answers(config, head, settings, table, labels, split)
            for head, table in tables.items()
        }
        prices[name] = _price(model, vectors, tables[POOLED_HEAD], tables[config.head])
    assert split is not None  # two encoders at least
    return EncodersResult(
        data=whole.name,
        comparison=compare_encoders(answers, prices),
        config=config,
        texts=len(corpus),
        train=len(split.train),
        validation=len(split.validation),
        seconds=time.perf_counter() - start,
    )


def _quick(head: str) -> dict[str, object]:
    known = head_type(head).settings.model_fields
    # Validation texts score every encoder, so no head learns from them in the end.
    return {
        name: value
        for name, value in {"epochs": QUICK_EPOCHS, "refit": False}.items()
        if name in known
    }


def _answers(
    config: EncodersConfig,
    head: str,
    settings: Any,
    table: FeatureTable,
    labels: np.ndarray,
    split: Split,
) -> np.ndarray:
    """Return (seeds, n) bool: which validation texts each training of a head gets right."""
    own = make_settings(head, {"refit": False}) if head == POOLED_HEAD else settings
    count = 1 if head == POOLED_HEAD else config.seeds  # its seeds agree
    right = []
    with Progress("training", count, "heads") as progress:
        for seed in range(config.seed, config.seed + count):
            trained = fit(
                head, own, table, labels, split.train, split.validation, split.classes, seed
            )
            predicted = trained.predict_proba(table, split.validation).argmax(axis=1)
            right.append(predicted == labels[split.validation])
            progress.advance(1)
    return np.stack(right)


def _price(
    model: EncoderModel, vectors: Vectors, pooled: FeatureTable, tokens: FeatureTable
) -> Price:
    report = vectors.report
    return Price(
        weights=model.width**2 * model.depth,
        seconds=(
            1000 * (report.seconds - report.loading) / report.encoded
            if report.encoded
            else None
        ),
        pooled_bytes=pooled.values.nbytes / len(pooled),
        token_bytes=tokens.values.nbytes / len(tokens),
    )
