"""The plain PyTorch loops of ``benchmarks.heads`` as trials of Optuna."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import optuna
import torch

from benchmarks.heads import PLAIN, PlainLoop, Texts, collate
from features.vectors.table import FeatureTable
from heads.problem import Problem
from heads.registry import make_settings

if TYPE_CHECKING:
    from benchmarks.search.peers import Given

CHOICES: dict[str, dict[str, list[int]]] = {
    "cnn": {"filters": [64, 128, 256]},
    "lstm": {"units": [32, 64, 96, 128]},
    "attention": {"queries": [1, 4, 16], "values": [128, 256, 512]},
}


def plain_trial(table: FeatureTable, given: Given) -> Callable[[optuna.Trial], Any]:
    """Return the training of a trial: the usual loop, the best epoch kept, patience 5."""
    split, labels = given.split, given.labels
    sides = split.train, split.validation
    problem = Problem(table, labels, *sides, len(split.classes), split.classes, "cpu")

    def train(trial: optuna.Trial) -> Any:
        name = trial.suggest_categorical("head", list(PLAIN))
        values: dict[str, Any] = {
            "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-3, 1e-1, log=True),
            "dropout": trial.suggest_float("dropout", 0.2, 0.7, step=0.1),
            "label_smoothing": trial.suggest_categorical("smoothing", [0.0, 0.05, 0.1, 0.2]),
            "batch_size": trial.suggest_categorical("batch_size", [32, 64, 128]),
        }
        for key, choices in CHOICES[name].items():
            values[key] = trial.suggest_categorical(f"{name}.{key}", choices)
        settings = make_settings(name, {**values, "members": 1})
        torch.manual_seed(0)
        head = PLAIN[name](settings, table.width, problem.classes)  # type: ignore[arg-type]
        loop = PlainLoop(head, settings, problem)  # type: ignore[arg-type]
        best, since, state = -1.0, 0, copy.deepcopy(head.state_dict())
        for _ in range(settings.epochs):  # type: ignore[attr-defined]
            loop.epoch()
            accuracy = loop.accuracy()
            since += 1
            if accuracy > best:
                best, since, state = accuracy, 0, copy.deepcopy(head.state_dict())
            if since >= settings.patience:  # type: ignore[attr-defined]
                break

        def score_test() -> float:
            head.load_state_dict(state)
            loop.validation = torch.utils.data.DataLoader(
                Texts(problem, split.test),
                settings.batch_size,
                collate_fn=collate,  # type: ignore[attr-defined]
            )
            return loop.accuracy()

        return best, score_test

    return train
