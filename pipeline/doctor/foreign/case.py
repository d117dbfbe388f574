"""The case of a classifier that a user brings: what it was trained on here, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from features.errors import SettingError
from heads.evaluation.metrics import accuracy, log_loss
from heads.examination.learning import Learned, Loop, learn
from heads.measurements import Diagnostics, TrainingScore
from heads.problem import Problem
from heads.settings import HeadSettings
from heads.trained import TrainedHead
from pipeline.doctor.case import Case


class ForeignSettings(HeadSettings):
    """A head of the user's own has no settings that are known here."""


@dataclass(frozen=True, eq=False)
class ForeignCase(Case):
    """One training of a classifier that a user brings.

    Attributes:
        problem: what it learns.
        name: for people.
        scored: it as it was given, before any training: (C' columns of) outputs for rows; None
            where there is nothing to score.
    """

    problem: Problem | None = None
    name: str = ""
    scored: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def own_head(self) -> TrainedHead:  # type: ignore[override]
        """Refuse: what a user brings is no head of the registry."""
        raise SettingError("a classifier of your own is not a head that is trained here")

    def with_own_head(self) -> Case:
        """Return the case: its logits are those of the classifier itself."""
        return self

    def train_again(self, *arguments: Any, head: str = "", **changes: Any) -> TrainedHead:
        """Train a head of the registry on the same sides. Raises ``SettingError`` without one."""
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
    """

    build_module: Callable[[], Any] | None = None
    learned: Learned | None = None
    trainings: dict[Loop, Learned] = field(default_factory=dict)

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
    from features.tables import as_tables

    learned = learn(build, problem, loop)
    truth, logits = problem.labels[learned.train_rows], learned.train_logits
    score = TrainingScore(
        texts=len(truth),
        accuracy=accuracy(truth, logits.argmax(axis=1)),
        loss=log_loss(truth, logits),
    )
    return ModuleCase(
        head="",
        settings=ForeignSettings(refit=False),
        tables=as_tables(problem.table),
        labels=problem.labels,
        classes=problem.names or tuple(map(str, range(problem.classes))),
        train=problem.train,
        validation=problem.validation,
        test=facts.pop("test", problem.validation[:0]),
        logits=learned.logits,
        seed=loop.seed,
        seconds=learned.seconds,
        best_epoch=learned.best,
        diagnostics=Diagnostics(training=score),
        problem=problem,
        name=name,
        build_module=build,
        learned=learned,
        trainings={loop: learned},
        **facts,
    )
