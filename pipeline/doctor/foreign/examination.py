"""Examine a classifier that a user brings: train it here, measure it, prove what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np

from features.duplicates.duplicates import cached_duplicates
from features.vectors.table import POOLED
from heads.evaluation.assignment import best_assignment
from heads.problem import Problem
from pipeline.console import print_note
from pipeline.doctor.case import Case
from pipeline.doctor.causes.foreign.batch_dependence import BATCH_DEPENDENCE
from pipeline.doctor.causes.foreign.dropped import MODULE_OVER_REGULARISED
from pipeline.doctor.causes.foreign.far_back import FAR_BACK
from pipeline.doctor.causes.foreign.few_steps import MODULE_TOO_FEW_STEPS
from pipeline.doctor.causes.foreign.gradient_fault import GRADIENT_FAULT
from pipeline.doctor.causes.foreign.held_back import ESTIMATOR_HELD_BACK
from pipeline.doctor.causes.foreign.loop_fault import LOOP_FAULT
from pipeline.doctor.causes.foreign.narrow import MODULE_TOO_SMALL
from pipeline.doctor.causes.foreign.output_squashed import OUTPUT_SQUASHED
from pipeline.doctor.causes.foreign.scored_otherwise import SCORED_OTHERWISE
from pipeline.doctor.causes.foreign.step_size import (
    MODULE_STEP_TOO_LARGE,
    MODULE_STEP_TOO_SMALL,
)
from pipeline.doctor.causes.foreign.uneven import ESTIMATOR_IMBALANCE, MODULE_IMBALANCE
from pipeline.doctor.causes.registry import CAUSES
from pipeline.doctor.examination import examine
from pipeline.doctor.findings import Verdict
from pipeline.doctor.foreign.accuracy import with_accuracy
from pipeline.doctor.foreign.case import ForeignCase, ModuleCase, given_case, module_case
from pipeline.doctor.foreign.config import ModuleConfig
from pipeline.doctor.foreign.estimator import estimator_case, measure_estimator
from pipeline.doctor.foreign.measuring import measure_module
from pipeline.doctor.foreign.source import CodeSource, load_function, make_builder
from pipeline.doctor.measurements import Invariances, Measurements
from pipeline.doctor.measuring.collection import Measurer, labels_of, settings_of
from pipeline.doctor.measuring.measurers import MEASURERS
from pipeline.doctor.runs.doctor import FOUND
from pipeline.doctor.telling import verdict_text, verdict_values
from pipeline.encoding.vectors import ensure_vectors, open_spaces, with_pooled
from pipeline.training.partition import check_near_copies, read_labelled, split_corpus
from pipeline.training.preparation import find_encoder

Foreign = TypeVar("Foreign", bound=ForeignCase)

FOREIGN_CAUSES = (OUTPUT_SQUASHED, BATCH_DEPENDENCE, GRADIENT_FAULT, SCORED_OTHERWISE)
"""Of every classifier that a user brings; what is wrong with it comes before what it learns."""

MODULE_CAUSES = (
    *FOREIGN_CAUSES,
    LOOP_FAULT,
    FAR_BACK,
    MODULE_STEP_TOO_SMALL,
    MODULE_STEP_TOO_LARGE,
    MODULE_TOO_FEW_STEPS,
    MODULE_OVER_REGULARISED,
    MODULE_TOO_SMALL,
    MODULE_IMBALANCE,
)

OF_DATA = tuple(cause for cause in CAUSES if cause.stage in ("belonging", "sides"))
"""Causes that texts, labels and sides bring about, whatever learns from them."""

TRAINED = 0.2
"""Accuracy above the best constant answer from which a module counts as trained."""

GROUPS = ("learning", "sides", "references", "neighbours", "vectors", "audit")
"""Measurements that need no head of the registry."""

MEASURED = tuple(each for each in MEASURERS if each.group in GROUPS)


@dataclass(frozen=True, eq=False)
class ForeignDiagnosis:
    """What the doctor says of a classifier that a user brings.

    Attributes:
        name: of the classifier, for people.
        verdict: of the examination.
        every: whether all findings are told.
        strict: whether a finding ends a command with exit code 3.
    """

    name: str
    verdict: Verdict
    every: bool = False
    strict: bool = False

    @property
    def exit_code(self) -> int:
        """Return 0, or 3 with ``strict`` where anything was found."""
        return FOUND if self.strict and self.verdict.findings else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "examined": self.name,
            **verdict_values(self.verdict),
            "cured": None,
            "remedies": [],
        }

    def to_text(self) -> str:
        """Return the verdict for people."""
        return verdict_text(self.verdict, self.every)


def examine_module(
    build: Callable[[], Any],
    problem: Problem,
    loop: Any,
    name: str,
    *,
    own_loop: Callable[..., object] | None = None,
    prove: bool = True,
    budget: float | None = None,
    every: bool = False,
    **facts: Any,
) -> Verdict:
    """Train a module by the plain loop, measure it and say what is wrong with it.

    Args:
        build: makes the module.
        problem: what it learns.
        loop: how; a :class:`heads.examination.learning.Loop`.
        name: for people.
        own_loop: a loop of the user's own, (module, vectors, mask, labels), that trains in
            place; it is set against the plain one.
        prove, budget, every: as for :func:`pipeline.doctor.examination.examine`.
        facts: more fields of the case, such as the corpus.

    Raises:
        ModuleError: the module fails.
    """
    if own_loop is not None:
        facts |= _looped(build, own_loop, problem, loop)
    case = module_case(build, problem, loop, name, **facts)
    verdict = examine_foreign(
        case,
        measure_module,
        (*MODULE_CAUSES, *OF_DATA),
        parameters=_parameters(case),
        prove=prove,
        budget=budget,
        every=every,
    )
    return with_accuracy(verdict, case, verdict.measurements.missing_points)


def _looped(
    build: Callable[[], Any], own_loop: Callable[..., object], problem: Problem, loop: Any
) -> dict[str, Any]:
    """Return the module, and a plain one, by a loop of the user's own, as facts of the case."""
    from heads.examination.own_loop import Plain, run_own_loop  # imports torch

    def plain() -> Any:
        return Plain(problem.table.width, problem.classes)

    return {
        "looped": run_own_loop(build, own_loop, problem, loop),
        "reference": run_own_loop(plain, own_loop, problem, loop),
    }


def examine_foreign(
    case: Foreign,
    invariances: Callable[[Foreign], Invariances],
    causes: tuple[Any, ...],
    *,
    parameters: int = 0,
    prove: bool = True,
    budget: float | None = None,
    every: bool = False,
) -> Verdict:
    """Examine the case of a classifier that a user brings.

    Args:
        case: its training here.
        invariances: measures what only a classifier of a user's own may lack.
        causes: that are looked for.
        parameters: learned numbers.
        prove, budget, every: as for :func:`pipeline.doctor.examination.examine`.
    """
    settings = replace(settings_of(case), parameters=parameters)
    known = Measurements(settings, labels_of(case), invariances=invariances(case))
    again = cast("Callable[[Case], Invariances]", invariances)  # a remedied case is of its kind
    return examine(
        case,
        prove=prove,
        budget=budget,
        every=every,
        known=known,
        causes=causes,
        measurers=(*MEASURED, Measurer("invariances", again)),
    )


def _parameters(case: ModuleCase) -> int:
    assert case.learned is not None
    return sum(each.numel() for each in case.learned.module.parameters())


def run_module(
    config: ModuleConfig,
    *,
    prove: bool = True,
    budget: float | None = None,
    every: bool = False,
    strict: bool = False,
) -> ForeignDiagnosis:
    """Examine the module of ``FILE.py:build`` on labelled texts.

    Args:
        config: the module, the data and the vectors.
        prove, budget, every: as for :func:`pipeline.doctor.examination.examine`.
        strict: whether a finding ends the command with exit code 3.

    Raises:
        ModuleError: the user's code fails.
        InputError: anything else wrong with what the user gave.
    """
    from heads.examination.learning import Loop  # imports torch

    source, asked = config.options.module, config.options
    assert source is not None
    print_note(f"running {source.file} as it is, because --module names it; it is your code")
    own_loop = None if asked.loop is None else load_function(asked.loop)
    problem, facts = _material(config, source)
    build = make_builder(source, problem.table.width, problem.classes)
    values: dict[str, Any] = dict(asked.settings)
    loop = Loop(seed=asked.seed, **values)
    count = len(problem.train)
    print_note(f"training {source} on {count:,} texts for {loop.epochs} epochs")
    verdict = examine_module(
        build,
        problem,
        loop,
        str(source),
        own_loop=own_loop,
        prove=prove,
        budget=budget,
        every=every,
        **facts,
    )
    return ForeignDiagnosis(str(source), verdict, every, strict)


def _material(config: ModuleConfig, source: CodeSource) -> tuple[Problem, dict[str, Any]]:
    """Return what a module learns from, and more facts of its case; encodes what is missing.

    Raises:
        ModuleError: the module cannot be made, which is said before anything is encoded.
        InputError: anything else wrong with what the user gave.
    """
    layout = config.options.layout
    corpus = read_labelled(config.data)
    data = config.data.as_read(corpus)
    labels = corpus.labels or ()
    model = find_encoder(config.vectors)
    (space,) = open_spaces(config.vectors, (layout,), model)
    make_builder(source, space.spec.width, len(set(labels)))()
    check_near_copies(corpus, data)
    vectors = ensure_vectors(corpus.texts, config.vectors, with_pooled(layout), model=model)
    pooled = vectors.table(POOLED).values
    duplicates = cached_duplicates(config.vectors.cache, corpus.texts, pooled)
    split = split_corpus(corpus, data, duplicates)
    problem = Problem(
        vectors.table(layout),
        split.label_ids(labels),
        split.train,
        split.validation,
        len(split.classes),
        split.classes,
    )
    return problem, {
        "pooled": pooled,
        "corpus": corpus,
        "duplicates": duplicates,
        "tokens": vectors.tokens,
        "truncated": vectors.truncated,
        "test": split.test,
    }


def examine_given(
    module: Any, problem: Problem, loop: Any, name: str, **options: Any
) -> Verdict:
    """Examine a module that was made already: as it is if it is trained, else a trained copy.

    It counts as trained where, in the best order of the classes, it is right far more often
    than the best constant answer.

    Args:
        module: a ``torch.nn.Module``; it is not changed.
        problem, loop, name, options: as for :func:`examine_module`.

    Raises:
        ModuleError: the module fails.
    """
    import copy

    def build() -> Any:
        return copy.deepcopy(module)

    case = given_case(build, problem, loop, name)
    assigned = best_assignment(
        problem.labels[problem.validation], case.predicted, problem.classes
    )
    shares = np.bincount(problem.labels[problem.validation]) / len(problem.validation)
    if assigned.accuracy < float(shares.max()) + TRAINED:
        return examine_module(build, problem, loop, name, **options)
    return examine_foreign(
        case,
        measure_module,
        (*FOREIGN_CAUSES, *OF_DATA),
        parameters=_parameters(case),
        **options,
    )


def examine_estimator(estimator: Any, problem: Problem, name: str, **options: Any) -> Verdict:
    """Examine an estimator with ``fit`` and ``predict_proba`` over one vector per text.

    Args:
        estimator: it is not changed; one that is not fitted is cloned and fitted.
        problem, name, options: as for :func:`examine_module`.

    Raises:
        ModuleError: it fails.
    """
    case = estimator_case(estimator, problem, name)
    own = BATCH_DEPENDENCE, SCORED_OTHERWISE, ESTIMATOR_HELD_BACK, ESTIMATOR_IMBALANCE
    causes = (*own, *OF_DATA)
    return examine_foreign(case, measure_estimator, causes, **options)
