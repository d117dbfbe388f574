"""``manyheads layers``: which layer of an encoder serves a sequence head best on some data.

sample -> all layers and pooled from one forward pass -> split -> a quick head on each layer,
logistic on pooled -> accuracies on validation. Test rows are never looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.corpus.corpus import Corpus
from features.duplicates.duplicates import cached_duplicates
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.protocol import Encoder
from features.groups import ids_of
from features.outputs.output import appearing
from features.splits.names import TEST, VALIDATION
from features.splits.split import Split, official_sides
from features.splits.strata import sample
from features.store.space import Space
from features.vectors.spec import parse_layers
from features.vectors.table import POOLED, TOKENS, FeatureTable
from heads.device import CPU
from heads.registry import device_of, head_type, make_settings
from heads.settings import HeadSettings
from heads.trained import fit
from pipeline.command_line import as_typed, train_command
from pipeline.config import ExperimentConfig, VectorConfig
from pipeline.console import print_note
from pipeline.encoding.vectors import fill, open_spaces
from pipeline.progress import Progress, duration
from pipeline.training.partition import TEST_SHARE, read_labelled, split_corpus
from pipeline.training.preparation import check_labels
from pipeline.training.trainings import on_split
from pipeline.tuning.config import POOLED_HEAD, LayersConfig
from pipeline.tuning.layer_scores import Comparison, LayerScore, advice, compare, score_table

QUICK = {"epochs": 8}
"""Settings of the quick head; ``--set`` overrides them."""

VALIDATION_SHARE = 0.2
"""Of the sample at the most, where the file says which rows validate."""


@dataclass(frozen=True)
class LayersResult:
    """What ``manyheads layers`` reports.

    Attributes:
        data, model: names for people.
        comparison: the scores.
        config: what was asked for.
        settings: all settings of the quick head.
        texts, train, validation: texts sampled, trained on and scored.
        encoded: texts that had to be encoded; the others were cached.
        last: number of the encoder's last layer.
        seconds: wall time.
    """

    data: str
    model: str
    comparison: Comparison
    config: LayersConfig
    settings: HeadSettings
    texts: int
    train: int
    validation: int
    encoded: int
    last: int
    seconds: float

    @property
    def advice(self) -> list[str]:
        """Return what to do, one sentence per line."""
        return advice(self.comparison, self.config.head, self.validation)

    @property
    def command(self) -> str:
        """Return the command that trains the head on the recommended layer."""
        config, chosen = self.config, self.comparison.recommended.layer
        usual = chosen == self.comparison.default
        vectors = replace(config.vectors, layers=None if usual else str(chosen))
        return train_command(
            ExperimentConfig(config.data, vectors, config.head, settings=config.settings)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        comparison = self.comparison
        return {
            "data": self.data,
            "model": self.model,
            "head": self.config.head,
            "settings": self.settings.model_dump(mode="json"),
            "texts": self.texts,
            "train": self.train,
            "validation": self.validation,
            "encoded": self.encoded,
            "layers": [_plain(one) for one in comparison.layers],
            "pooled": _plain(comparison.pooled),
            "best": comparison.best.layer,
            "default": comparison.default,
            "recommended": comparison.recommended.layer,
            "advice": self.advice,
            "command": self.command,
            "plot": str(self.config.plot) if self.config.plot else None,
            "seconds": round(self.seconds, 3),
        }

    def to_text(self) -> str:
        """Return the table and the advice, for people."""
        trainings = (
            f"{self.config.seeds} training{'s' if self.config.seeds > 1 else ''} a layer"
        )
        lines = [
            score_table(self.comparison, self.last),
            "",
            f"{self.config.head} on the layers of {self.model}, {self.data}: {trainings} on "
            f"{self.train:,} texts, accuracy on {self.validation:,} validation texts, no test "
            f"text, in {duration(self.seconds)}.",
            *self.advice,
            "",
            f"Next: {as_typed(self.command)}",
        ]
        return "\n".join([*lines, f"Plot: {self.config.plot}"] if self.config.plot else lines)


def run_layers(
    config: LayersConfig, load: Callable[[EncoderModel], Encoder] | None = None
) -> LayersResult:
    """Compare the layers of an encoder on a sample of labelled texts.

    Args:
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        InputError: anything wrong with what the user gave; see ``features.errors``.
        FaultError: a corrupt cache, or vectors or a loss that are not finite.
    """
    start = time.perf_counter()
    # Validation texts score every layer, so no head may be trained on them.
    settings = make_settings(
        config.head, {**_quick(config.head), **config.settings, "refit": False}
    )
    device = device_of(config.head, config.device)
    whole = read_labelled(config.data)
    check_labels(settings, whole.labels or ())
    rows, test = draw_rows(whole, config.sample, config.data.split_seed)
    corpus = whole.take(rows.tolist())
    model = find_model(config.vectors.one_encoder, config.vectors.trust_remote_code)
    layers = parse_layers(config.vectors.layers, model.depth) or range(model.depth + 1)
    spaces = {layer: _space(config.vectors, layer, model) for layer in layers}
    pooled = open_spaces(config.vectors, (POOLED,), model)
    vectors = fill(corpus.texts, config.vectors, (*pooled, *spaces.values()), model, load)
    one_per_text = vectors.table(POOLED)
    duplicates = cached_duplicates(config.vectors.cache, corpus.texts, one_per_text.values)
    split = split_corpus(corpus, config.data, duplicates, test)
    settings = on_split(settings, split)
    labels = split.label_ids(corpus.labels or ())
    seeds = range(config.seed, config.seed + config.seeds)
    plain = make_settings(POOLED_HEAD, {})
    with Progress("training", len(spaces) * config.seeds + 1, "heads") as progress:
        answers = {}
        for layer, space in spaces.items():
            values = space.table(vectors.plan.keys, config.vectors.memory_bytes)
            rights = [
                _right(config.head, settings, values, labels, split, seed, progress, device)
                for seed in seeds
            ]
            answers[layer] = np.stack(rights)
        right = _right(POOLED_HEAD, plain, one_per_text, labels, split, config.seed, progress)
    result = LayersResult(
        data=whole.name,
        model=model.label,
        comparison=compare(answers, right[None], model.sequence_layer),
        config=config,
        settings=settings,
        texts=len(corpus),
        train=len(split.train),
        validation=len(split.validation),
        encoded=vectors.report.encoded,
        last=model.depth,
        seconds=time.perf_counter() - start,
    )
    if config.plot:
        _draw(result, config.plot)
    return result


def draw_rows(corpus: Corpus, count: int, seed: int) -> tuple[np.ndarray, float | None]:
    """Return the sorted rows of a stratified sample, and their share to set aside as test.

    Where the file marks test rows they are left out and none are set aside; where it marks
    validation rows, those are a fifth of the sample at the most. Otherwise the sample is split
    like any corpus: if it is the whole corpus, exactly as ``train`` splits it.
    """
    sides, _ = official_sides(corpus.splits, corpus.rows)
    classes = ids_of(corpus.labels or ())
    rng = np.random.default_rng(seed)
    held = np.flatnonzero(sides == VALIDATION)
    train = np.flatnonzero((sides != VALIDATION) & (sides != TEST))
    if len(held) + len(train) > count:
        least = round(VALIDATION_SHARE * count)
        held = held[sample(classes[held], max(least, count - len(train)), rng)]
        train = train[sample(classes[train], count - len(held), rng)]
    marked = bool(np.any(sides == TEST))
    if len(train) + len(held) < len(corpus) and not marked:
        print_note(
            f"note: a sample of {count:,} of {len(corpus):,} texts, split by itself; train "
            "splits the whole file anew, so some of its test texts may have helped to choose"
        )
    rows: np.ndarray = np.sort(np.concatenate([held, train]))
    return rows, None if marked else TEST_SHARE


def _space(config: VectorConfig, layer: int, model: EncoderModel) -> Space:
    (space,) = open_spaces(replace(config, layers=str(layer)), (TOKENS,), model)
    return space


def _quick(head: str) -> dict[str, object]:
    known = head_type(head).settings.model_fields
    return {name: value for name, value in QUICK.items() if name in known}


def _right(
    head: str,
    settings: HeadSettings,
    values: FeatureTable,
    labels: np.ndarray,
    split: Split,
    seed: int,
    progress: Progress,
    device: str = CPU,
) -> np.ndarray:
    """Return (n,) bool: which validation texts a newly trained head labels correctly."""
    sides = split.train, split.validation, split.classes
    trained = fit(head, settings, values, labels, *sides, seed, device=device)
    predicted = trained.predict_proba(values, split.validation, device).argmax(axis=1)
    progress.advance(1)
    right: np.ndarray = predicted == labels[split.validation]
    return right


def _draw(result: LayersResult, path: Path) -> None:
    # Imported here alone: matplotlib costs a second, and none is drawn with --plot none.
    from pipeline.tuning.plots import draw_layers

    title = f"{result.data}: {result.validation:,} validation texts, 95 % intervals"
    with appearing(path, "--plot") as temporary:
        draw_layers(result.comparison, result.config.head, title, temporary)


def _plain(one: LayerScore) -> dict[str, Any]:
    return {**asdict(one), "within_noise": one.within_noise}
