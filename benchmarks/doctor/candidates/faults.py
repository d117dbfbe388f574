"""The catalogue of faults: what is wrong, in three severities, and the healthy twin.

The first variant of a cause belongs to the tune half, the others to the report half. A mild
severity is to cost 3 to 8 points; which ones take effect is measured, not assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from benchmarks.doctor.candidates import data_faults as data
from benchmarks.doctor.candidates.data_faults import Mechanism
from benchmarks.doctor.case import LOSS, UNTRUTH, Case, Pair, deal
from benchmarks.doctor.material import Ingredients, synthetic

TUNE, REPORT = "tune", "report"

SHORT = {TUNE: ("E", "S", "trec6", "T"), REPORT: ("isear", "S2", "banking77", "sst2")}
"""Corpora of short texts, of each half."""

TEXTS = {TUNE: ("E", "T"), REPORT: ("isear", "sst2")}
LONG = {TUNE: (), REPORT: ("glassdoor_industry", "cnews10_long")}
ANY = {TUNE: ("S", "E", "trec6"), REPORT: ("S2", "isear", "banking77")}

MADE = "S", "S2"
"""Vectors without texts."""

Settings = Mapping[str, object]

PLAIN: Settings = {"schedule": "constant", "warmup": 0, "averaging": 0}
LARGE: Settings = {
    "dropout": 0,
    "input_dropout": 0,
    "weight_decay": 0,
    "label_smoothing": 0,
    "epochs": 40,
    "patience": 40,
}
DEEP: Settings = {"dense": "64,64,64", "dropout": 0}


@dataclass(frozen=True)
class Fault:
    """A fault of settings.

    Attributes:
        cause: its name.
        variant: number of the mechanism, from 1.
        heads: those that get it.
        faulty: settings of each severity, mild first.
        twin: settings of the healthy one instead.
        base: settings of both.
        accepted: causes that are right as well.
        train: maximum training texts; 0: all.
        length: S of this many vectors instead of a corpus, the class shown in the first ones,
            one for each severity; () means a corpus.
    """

    cause: str
    variant: int
    heads: tuple[str, ...]
    faulty: tuple[Settings, ...]
    twin: Settings = field(default_factory=dict)
    base: Settings = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    train: int = 0
    length: tuple[int, ...] = ()


def _each(name: str, *values: object) -> tuple[Settings, ...]:
    return tuple({name: value} for value in values)


RMSPROP = {**PLAIN, "optimizer": "rmsprop"}
ADAM = {**PLAIN, "optimizer": "adam"}
SGD = {**PLAIN, "optimizer": "sgd"}
RATE = "learning_rate"

# fmt: off
FAULTS = (
    Fault("step_too_large", 1, ("lstm", "cnn"), _each(RATE, 0.02, 0.1, 0.5), {RATE: 2e-3},
          {**RMSPROP, "clip": 1}, ("unstable",)),
    Fault("step_too_large", 2, ("lstm", "mlp"), _each(RATE, 0.02, 0.1, 0.5), {RATE: 2e-3},
          {**RMSPROP, "clip": 0}, ("unstable",)),
    Fault("step_too_large", 3, ("attention", "cnn"), _each(RATE, 0.03, 0.1, 0.3), {}, {},
          ("unstable",)),
    Fault("step_too_small", 1, ("cnn", "lstm"), _each(RATE, 2e-4, 4e-5, 5e-6), {RATE: 2e-3},
          ADAM),
    Fault("step_too_small", 2, ("mlp", "attention"), _each(RATE, 1e-4, 4e-5, 1e-5), {}, {}),
    Fault("step_too_small", 3, ("meanmax", "cnn"), _each(RATE, 1e-2, 2e-3, 5e-4), {RATE: 0.1},
          SGD),
    Fault("too_few_steps", 1, ("cnn", "lstm"), _each("epochs", 4, 2, 1), {}, {}),
    Fault("too_few_steps", 2, ("mlp", "attention"), _each("batch_size", 128, 256, 512),
          {"batch_size": 32}, {"epochs": 8}),
    Fault("too_few_steps", 3, ("lstm", "cnn"), _each("patience", 1), {"patience": 8},
          {"epochs": 20, "warmup": 0.9}),
    Fault("unstable", 1, ("mlp", "cnn"), _each(RATE, 0.1, 0.2, 0.4), {RATE: 0.02},
          {**SGD, **DEEP, "clip": 0}, ("step_too_large", "dead_or_saturated")),
    Fault("unstable", 2, ("lstm", "mlp"), _each(RATE, 0.02, 0.04, 0.08), {RATE: 1e-3},
          {**ADAM, **DEEP, "clip": 0}, ("step_too_large", "dead_or_saturated")),
    Fault("dead_or_saturated", 1, ("mlp", "cnn"),
          ({"dense": "64,64"}, {"dense": "64,64,64"}, {"dense": "64,64,64,64,64"}),
          {"dense_activation": "relu", "dense": "64,64"},
          {"dropout": 0.2, "dense_activation": "sigmoid"}),
    Fault("dead_or_saturated", 2, ("mlp", "lstm"), _each("dense_std", 1.0, 3.0, 10.0),
          {"dense_init": "default"},
          {"dense": "128,128", "dense_init": "normal", "dense_activation": "tanh"}),
    Fault("dead_or_saturated", 3, ("mlp", "cnn"), _each("dense_std", 0.005, 0.002, 0.0005),
          {"dense_init": "default"}, {"dense": "64,64,64", "dense_init": "normal"}),
    Fault("long_last_state", 1, ("lstm",), _each("pooling", "last", "last", "last"),
          {"pooling": "max"}, {"bidirectional": False}, length=(12, 20, 40)),
    Fault("long_last_state", 2, ("lstm",), _each("pooling", "last", "last", "last"),
          {"pooling": "mean"}, {"bidirectional": False, "layers": 2, "layer_dropout": 0},
          length=(15, 25, 50)),
    Fault("overfit", 1, ("lstm",),
          ({"units": 64}, {"units": 128, "dense": "256"}, {"units": 256, "dense": "512,256"}),
          {"units": 32, "dropout": 0.5, "input_dropout": 0.3}, LARGE, ("too_few_texts",), 300),
    Fault("overfit", 2, ("mlp", "attention"),
          ({"dense": "512"}, {"dense": "1024,512"}, {"dense": "1024,1024,512"}),
          {"dense": "128", "dropout": 0.5, "input_dropout": 0.4, "weight_decay": 0.05,
          "label_smoothing": 0.1}, LARGE, ("too_few_texts",), 300),
    Fault("over_regularised", 1, ("cnn", "mlp"),
          ({"dropout": 0.9}, {"dropout": 0.95, "input_dropout": 0.6}, {"dropout": 0.97,
          "input_dropout": 0.8})),
    Fault("over_regularised", 2, ("attention", "lstm"), _each("weight_decay", 2.0, 5.0, 10.0)),
    Fault("over_regularised", 3, ("mlp", "lstm"), _each("input_dropout", 0.8, 0.9, 0.96)),
    Fault("too_small_head", 1, ("lstm", "cnn"),
          ({"dense": "3"}, {"dense": "2"}, {"dense": "1"}), {"dense": ""}, {"dropout": 0}),
    Fault("too_small_head", 2, ("mlp",), _each("dense", "3", "2", "1"), {}, {"dropout": 0}),
    Fault("too_small_head", 3, ("lstm",), _each("units", 3, 2, 1), {}, {"dropout": 0}),
    Fault("loss_distorted", 1, ("cnn", "lstm"), _each("hardest", 8, 4, 2),
          {"loss": "cross_entropy"}, {"loss": "hardest"}),
    Fault("loss_distorted", 2, ("mlp", "cnn"),
          _each("class_weights", "first=10", "first=30", "first=100")),
    Fault("loss_distorted", 3, ("attention", "mlp"), _each("focal_gamma", 6, 12, 20),
          {"loss": "cross_entropy"}, {"loss": "focal"}),
)
# fmt: on


def setting_cases(half: str) -> Iterator[Case]:
    """Yield the faults of settings of one half, every head, severity and corpus."""
    for fault in FAULTS:
        if (fault.variant == 1) != (half == TUNE):
            continue
        corpora = SHORT[half]
        if fault.length:
            corpora = ("S",) if half == TUNE else ("S2", "cnews10_long")
        for severity in range(len(fault.faulty)):
            for head in fault.heads:
                for corpus in corpora:
                    name = f"{fault.cause}/{fault.variant}/{corpus}/{head}/{severity}"
                    make = partial(make_pair, fault, head, severity, corpus)
                    yield Case(name, half, (fault.cause,), make, fault.accepted)


def make_pair(
    fault: Fault,
    head: str,
    severity: int,
    corpus: str,
    ingredients: Ingredients,
    rng: np.random.Generator,
) -> Pair:
    """Return the trial with a fault of settings and its twin, on the same sides."""
    if fault.length and corpus in MADE:
        length, seed = fault.length[severity], int(rng.integers(2**31))
        material = synthetic(
            900, 4, length, 32, strength=4.0, spots=3, place="first", seed=seed
        )
    else:
        material = ingredients.material(corpus)
    base = dict(fault.base)
    trial = deal(material, head, base, rng, fault.train)
    faulty = dict(fault.faulty[severity])
    if str(faulty.get("class_weights", "")).startswith("first="):
        faulty["class_weights"] = str(faulty["class_weights"]).replace(
            "first", material.classes[0]
        )
    return Pair(trial.changed(**faulty), trial.changed(**fault.twin))


@dataclass(frozen=True)
class DataFault:
    """A fault of data or vectors: cause, variant, heads, mechanism, and where it can be."""

    cause: str
    variant: int
    heads: tuple[str, ...]
    mechanism: Mechanism
    corpora: dict[str, tuple[str, ...]]
    accepted: tuple[str, ...] = ()
    effect: str = LOSS


# fmt: off
DATA_FAULTS = (
    DataFault("imbalance", 1, ("cnn", "lstm"), partial(data.uneven, (0.8, 0.9, 0.96)), ANY),
    DataFault("imbalance", 2, ("mlp", "attention"), partial(data.uneven, (0.85, 0.92, 0.95)),
              ANY),
    DataFault("too_few_texts", 1, ("logistic", "cnn"), data.few, ANY),
    DataFault("too_few_texts", 2, ("mlp", "logistic"), data.few_small, ANY),
    DataFault("label_noise", 1, ("cnn", "mlp"), partial(data.noisy, False), ANY),
    DataFault("label_noise", 2, ("logistic", "attention"), partial(data.noisy, True), ANY),
    DataFault("labels_unrelated", 1, ("logistic", "cnn"), data.slipped, ANY),
    DataFault("labels_unrelated", 1, ("logistic",), data.slipped_sorted, ANY),
    DataFault("labels_unrelated", 2, ("mlp",), data.removed, ANY),
    DataFault("labels_unrelated", 3, ("lstm", "logistic"), data.shuffled, ANY),
    DataFault("classes_overlap", 1, ("logistic", "cnn"), partial(data.halved, False), ANY),
    DataFault("classes_overlap", 2, ("mlp",), partial(data.halved, True), ANY),
    DataFault("classes_overlap", 3, ("logistic", "attention"), data.ratings, ANY),
    DataFault("split_by_order", 1, ("logistic", "cnn"), partial(data.in_order, (1.5, 0.8,
              0.0)), ANY),
    DataFault("split_by_order", 2, ("mlp", "lstm"), partial(data.in_order, (2.5, 1.2, 0.4)),
              ANY),
    DataFault("copies_across", 1, ("knn", "cnn"), partial(data.copied, False), ANY, (),
              UNTRUTH),
    DataFault("copies_across", 2, ("mlp", "knn"), partial(data.copied, True), ANY, (), UNTRUTH),
    DataFault("giveaway", 1, ("logistic", "cnn"), partial(data.given_away, "zqx@", True), TEXTS,
              (), UNTRUTH),
    DataFault("giveaway", 1, ("mlp",), partial(data.given_away, "ref_@", False), TEXTS, (),
              UNTRUTH),
    DataFault("giveaway", 2, ("mlp", "attention"), partial(data.given_away, "[queue-#]",
              False), TEXTS, ("shift",), UNTRUTH),
    DataFault("shift", 1, ("mlp", "cnn"), data.shifted, ANY, (), UNTRUTH),
    DataFault("shift", 2, ("logistic", "attention"), data.shortened, TEXTS, (), UNTRUTH),
    DataFault("cut_off", 1, ("logistic", "cnn"), data.cut, TEXTS, ("vectors_lack_it",)),
    DataFault("cut_off", 2, ("mlp", "cnn"), data.cut, LONG, ("vectors_lack_it",)),
    DataFault("vectors_lack_it", 1, ("logistic", "cnn"), data.drowned, TEXTS,
              ("vectors_broken",)),
    DataFault("vectors_lack_it", 2, ("mlp", "logistic"), data.narrowed, TEXTS,
              ("vectors_broken",)),
    DataFault("vectors_broken", 1, ("knn", "logistic"), data.repeated, ANY),
    DataFault("vectors_broken", 1, ("knn",), data.unscaled, ANY),
    DataFault("vectors_broken", 2, ("mlp", "logistic"), data.of_others, ANY,
              ("labels_unrelated",)),
    DataFault("vectors_broken", 3, ("knn", "logistic"), data.common, ANY),
)
# fmt: on


def data_cases(half: str) -> Iterator[Case]:
    """Yield the faults of data and vectors of one half."""
    for fault in DATA_FAULTS:
        if (fault.variant == 1) != (half == TUNE):
            continue
        for severity in range(3):
            for head in fault.heads:
                for corpus in fault.corpora[half]:
                    kind = getattr(fault.mechanism, "func", fault.mechanism).__name__
                    name = f"{fault.cause}/{fault.variant}-{kind}/{corpus}/{head}/{severity}"
                    make = partial(_make, fault, head, severity, corpus)
                    yield Case(name, half, (fault.cause,), make, fault.accepted, fault.effect)


def _make(
    fault: DataFault,
    head: str,
    severity: int,
    corpus: str,
    ingredients: Ingredients,
    rng: np.random.Generator,
) -> Pair:
    trial = deal(ingredients.material(corpus), head, {}, rng)
    return fault.mechanism(trial, severity, rng, ingredients)


SECOND = {
    TUNE: (("label_noise", partial(data.noisy, False)), ("too_few_texts", data.few)),
    REPORT: (("labels_unrelated", data.slipped), ("label_noise", partial(data.noisy, True))),
}
"""Faults of data that join one of settings."""


def double_cases(half: str) -> Iterator[Case]:
    """Yield runs with two faults, one of settings and one of data."""
    firsts = [
        fault
        for fault in FAULTS
        if (fault.variant == 1) == (half == TUNE) and not fault.length and not fault.train
    ]
    corpora = ("S", "E") if half == TUNE else ("S2", "isear")
    for turn, fault in enumerate(firsts):
        cause, mechanism = SECOND[half][turn % 2]
        for head in fault.heads:
            for corpus in corpora:
                severity = min(1, len(fault.faulty) - 1)
                name = f"{fault.cause}+{cause}/{fault.variant}/{corpus}/{head}/{severity}"
                make = partial(_make_double, fault, mechanism, head, severity, corpus)
                yield Case(name, half, (fault.cause, cause), make, fault.accepted)


def _make_double(
    fault: object,
    mechanism: Mechanism,
    head: str,
    severity: int,
    corpus: str,
    ingredients: Ingredients,
    rng: np.random.Generator,
) -> Pair:
    pair = make_pair(fault, head, severity, corpus, ingredients, rng)  # type: ignore[arg-type]
    return Pair(mechanism(pair.faulty, severity, rng, ingredients).faulty, pair.twin)
