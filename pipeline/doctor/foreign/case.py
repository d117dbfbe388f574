"""The case of a classifier that a user brings: what it was trained on here, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from features.errors import ModuleError, SettingError
from features.tables import as_tables
from heads.evaluation.measurements import Diagnostics, TrainingScore
from heads.evaluation.metrics import accuracy, log_loss
from heads.examination.learning import Learned, Loop, as_given, learn
from heads.examination.own_loop import Looped
from heads.problem import Problem
from heads.settings import HeadSettings
from heads.trained import TrainedHead
from pipeline.doctor.case import Case


class ForeignSettings(HeadSettings):
    """Of a head of the user's own only the loop that trains it is known here; 0: not known."""

    learning_rate: float = 0.0
    batch_size: int = 0
    epochs: int = 0


@dataclass(frozen=True, eq=False)
class ForeignCase(Case):
    """One training of a classifier that a user brings.

    Attributes:
        problem: what it learns.
        name: for people.
    """

    problem: Problem | None = None
    name: str = ""

    @property
    def own_head(self) -> TrainedHead:
        """Refuse: what a user brings is no head of the registry."""
        raise SettingError("a classifier of your own is not a head that is trained here")

    def with_own_head(self) -> Case:
        """Return the case: its logits are those of the classifier itself."""
        return self

    def train_again(self, *arguments: Any, head: str = "", **changes: Any) -> TrainedHead:
        """Train a head of the registry on the same sides, or raise ``SettingError``."""
        if not head:
            raise SettingError("only a head of the registry can be trained again by settings")
        return super().train_again(*arguments, head=head, **changes)


@dataclass(frozen=True, eq=False)
class ModuleCase(ForeignCase):
    """A PyTorch module, trained by the plain loop.

    Attributes:
        build_module: makes it anew.
        learned: the training.
        trainings: what else was trained, by loop: several changes may ask for one of them.
        looped: the training by a loop of the user's own; None where they bring none.
        reference: a plain dense layer by that loop.
    """

    build_module: Callable[[], Any] | None = None
    learned: Learned | None = None
    trainings: dict[Loop, Learned] = field(default_factory=dict)
    looped: Looped | None = None
    reference: Looped | None = None

    def relearned(self, **changes: Any) -> ModuleCase:
        """Return the case of the same module, trained with the loop changed."""
        assert self.problem is not None
        learned = self.relearn(**changes)
        return replace(self, **_facts_of_training(self.problem, learned))

    def relearn(self, **changes: Any) -> Learned:
        """Train again with the loop changed; a loop that was tried before is not run again."""
        assert self.learned is not None
        assert self.problem is not None
        assert self.build_module is not None
        loop = replace(self.learned.loop, **changes)
        if loop not in self.trainings:
            self.trainings[loop] = learn(self.build_module, self.problem, loop)
        return self.trainings[loop]


def module_case(
    build: Callable[[], Any], problem: Problem, loop: Loop, name: str, **facts: Any
) -> ModuleCase:
    """Train a module and return its case.

    Args:
        build: makes the module.
        problem: what to learn.
        loop: how.
        name: for people.
        facts: more fields of the case, such as the corpus.

    Raises:
        ModuleError: the module fails.
    """
    learned = learn(build, problem, loop)
    return _case(build, problem, learned, name, facts)


def given_case(
    build: Callable[[], Any], problem: Problem, loop: Loop, name: str, **facts: Any
) -> ModuleCase:
    """Return the case of a module as it is, without training it. Arguments as for the other.

    Raises:
        ModuleError: the module fails.
    """
    return _case(build, problem, as_given(build, problem, loop), name, facts)


def facts_of(problem: Problem, rows: np.ndarray, logits: np.ndarray) -> dict[str, Any]:
    """Return what every foreign case is made of, by the names of its attributes.

    Args:
        problem: what was learned.
        rows: (n,) int64 training rows that were scored.
        logits: (n, C) of them, after training.
    """
    truth = problem.labels[rows]
    score = TrainingScore(
        texts=len(truth),
        accuracy=accuracy(truth, logits.argmax(axis=1)),
        loss=log_loss(truth, logits),
    )
    return {
        "head": "",
        "settings": ForeignSettings(refit=False),
        "tables": as_tables(problem.table),
        "labels": problem.labels,
        "classes": problem.names or tuple(map(str, range(problem.classes))),
        "train": problem.train,
        "validation": problem.validation,
        "diagnostics": Diagnostics(training=score),
        "problem": problem,
    }


def _case(
    build: Callable[[], Any],
    problem: Problem,
    learned: Learned,
    name: str,
    facts: dict[str, Any],
) -> ModuleCase:
    return ModuleCase(
        **_facts_of_training(problem, learned),
        test=facts.pop("test", problem.validation[:0]),
        name=name,
        build_module=build,
        trainings={learned.loop: learned},
        **facts,
    )


def _facts_of_training(problem: Problem, learned: Learned) -> dict[str, Any]:
    """Return what a module's case is made of, by the names of its attributes."""
    loop = learned.loop
    _check_finite(learned)
    return {
        **facts_of(problem, learned.train_rows, learned.train_logits),
        "settings": ForeignSettings(
            refit=False,
            learning_rate=loop.learning_rate,
            batch_size=loop.batch_size,
            epochs=loop.epochs if learned.history else 0,  # 0: it came trained
        ),
        "logits": learned.logits,
        "seed": loop.seed,
        "seconds": learned.seconds,
        "best_epoch": learned.best,
        "learned": learned,
    }


def _check_finite(learned: Learned) -> None:
    """Refuse outputs of which nothing can be measured.

    The weights are those of an epoch that ended well, so the forward pass is at fault.

    Raises:
        ModuleError: some are NaN or infinite.
    """
    every = np.concatenate([learned.train_logits, learned.logits])
    bad = int((~np.isfinite(every).all(axis=1)).sum())
    if bad:
        raise ModuleError(
            f"the module returns NaN or infinity for {bad:,} of {len(every):,} texts; look for "
            "a logarithm of 0, a division by 0 or a softmax over nothing in its forward"
        )


@dataclass(frozen=True, eq=False)
class EstimatorCase(ForeignCase):
    """An estimator in the way of scikit-learn, over pooled vectors.

    Attributes:
        score: (n, D) float32 vectors -> (n, C) logits.
        estimator: fitted.
        fitted_here: whether it was fitted here.
    """

    score: Callable[[np.ndarray], np.ndarray] | None = None
    estimator: Any = None
    fitted_here: bool = False

    def scored_alone(self) -> np.ndarray:
        """Return (m, C) logits of the validation texts, each asked for by itself."""
        assert self.score is not None
        assert self.pooled is not None
        rows = self.pooled[self.validation]
        return np.concatenate([self.score(row[None]) for row in rows])
