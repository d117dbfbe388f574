"""Healthy runs, half of which look ill.

Whether one is healthy is measured: see ``changes.best_change``. The half that looks ill has a
rising validation loss, training far above validation, an LSTM's plateau, few validation texts,
hard data, or a slow preset that arrives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from benchmarks.doctor.candidates.faults import REPORT, SHORT, TUNE, Settings, deal
from benchmarks.doctor.candidates.foreign import builder
from benchmarks.doctor.case import Case, Pair
from benchmarks.doctor.material import Ingredients, synthetic

TUNED = {"input_dropout": 0.3, "label_smoothing": 0.1}


@dataclass(frozen=True)
class Kind:
    """A kind of healthy run.

    Attributes:
        name: what it is, or what it looks like.
        heads: head -> settings.
        ill: it looks ill.
        half: ``tune`` or ``report``; '' both.
        train, validation: maximum texts of the sides; 0: all.
        made: arguments of made-up vectors instead of a corpus.
    """

    name: str
    heads: dict[str, Settings]
    ill: bool = False
    half: str = ""
    train: int = 0
    validation: int = 0
    made: dict[str, object] = field(default_factory=dict)


OVERSURE = {"label_smoothing": 0, "min_steps": 0, "epochs": 40, "patience": 40}

KINDS = (
    Kind(
        "usual",
        {
            "logistic": {},
            "mlp": {},
            "cnn": {},
            "attention": {},
            "lstm": {},
            "knn": {},
            "meanmax": {},
        },
    ),
    Kind("members", {"mlp": {"members": 3}, "cnn": {"members": 3}}),
    Kind("rising_loss", {"cnn": OVERSURE, "attention": OVERSURE, "mlp": OVERSURE}, ill=True),
    Kind(
        "memorised",
        {
            "mlp": {"dropout": 0.3, "epochs": 40, "patience": 40},
            "attention": {"epochs": 30, "patience": 30},
        },
        ill=True,
    ),
    Kind(
        "plateau",
        {"lstm": {"pooling": "mean", "optimizer": "adam", "warmup": 0.4}},
        ill=True,
    ),
    Kind(
        "few_validation",
        {"cnn": {}, "mlp": {}, "logistic": {}, "lstm": {}},
        ill=True,
        validation=40,
    ),
    Kind(
        "hard",
        {"logistic": {}, "mlp": {}, "cnn": {}, "attention": {}},
        ill=True,
        made={"strength": 1.8, "spots": 1},
    ),
    Kind(
        "easy",
        {"logistic": {}, "mlp": {}, "cnn": {}, "lstm": {}},
        ill=True,
        made={"strength": 6.0, "spots": 3},
    ),
    Kind(
        "last_state_at_the_end",
        {"lstm": {"pooling": "last", "bidirectional": False}},
        ill=True,
        made={"length": 40, "spots": 4, "place": "last", "strength": 4.0},
    ),
    Kind(
        "slow",
        {"cnn": {"learning_rate": 7e-4, "epochs": 60, "patience": 60, "warmup": 0.3}},
        ill=True,
    ),
    Kind(
        "uneven_but_told",
        {"logistic": {}, "mlp": {}},
        ill=True,
        made={"strength": 6.0, "spots": 4, "classes": 2},
    ),
)


def healthy_cases(half: str) -> Iterator[Case]:
    """Yield the healthy candidates of one half; which of them are healthy is measured."""
    for kind in KINDS:
        corpora = SHORT[half]
        if kind.made:
            corpora = ("S",) if half == TUNE else ("S2",)
        for head, settings in kind.heads.items():
            for corpus in corpora:
                for turn in range(3 if kind.made else 1):
                    name = f"healthy/{kind.name}/{corpus}/{head}/{turn}"
                    make = partial(_make, kind, head, settings, corpus, turn)
                    yield Case(name, half, (), make, ill=kind.ill)
    corpora = ("trec6", "E") if half == TUNE else ("banking77", "isear")
    for user in ("cnn", "lstm", "mean"):
        for corpus in corpora:
            name = f"healthy/user/{corpus}/user-{user}/0"
            yield Case(name, half, (), partial(_make_user, user, corpus))


def _make(
    kind: Kind,
    head: str,
    settings: Settings,
    corpus: str,
    turn: int,
    ingredients: Ingredients,
    rng: np.random.Generator,
) -> Pair:
    if kind.made:
        # The halves differ in width and number of classes, as their corpora do.
        own = {"width": 64, "classes": 6} if corpus == "S" else {"width": 48, "classes": 4}
        seed = 1000 + turn + 100 * ingredients.seed
        material = synthetic(**{**own, **kind.made}, seed=seed)  # type: ignore[arg-type]
    else:
        material = ingredients.material(corpus)
    trial = deal(material, head, settings, rng, kind.train, kind.validation)
    if kind.name == "uneven_but_told":
        rare = np.flatnonzero(material.labels[trial.train] == 1)
        trial = replace(trial, train=np.delete(trial.train, rare[len(rare) // 8 :]))
    return Pair(trial, trial)


def _make_user(
    user: str, corpus: str, ingredients: Ingredients, rng: np.random.Generator
) -> Pair:
    trial = deal(ingredients.material(corpus), "meanmax", {}, rng)
    trial = replace(trial, build=builder({"kind": user}))
    return Pair(trial, trial)


__all__ = ["KINDS", "REPORT", "TUNED", "healthy_cases"]
