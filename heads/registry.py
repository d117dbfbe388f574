"""The registry of heads by name, and the parsing of settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_origin

import numpy as np
from pydantic import ValidationError

from features.errors import SettingError
from features.messages import listed
from features.tables import join_layout, parse_layout
from features.vectors.table import POOLED, SENTENCES, TOKENS
from features.words.table import WORDS
from heads.architectures.attention import AttentionHead, AttentionSettings
from heads.architectures.cnn import CnnHead, CnnSettings
from heads.architectures.cnn_lstm import CnnLstmHead, CnnLstmSettings
from heads.architectures.ensemble import build_members
from heads.architectures.knn import KnnHead, KnnSettings, fit_knn, refit_knn
from heads.architectures.logistic import (
    LogisticHead,
    LogisticSettings,
    fit_logistic,
    refit_logistic,
)
from heads.architectures.lstm import LstmHead, LstmSettings
from heads.architectures.meanmax import MeanMaxHead, MeanMaxSettings
from heads.architectures.mlp import MlpHead, MlpSettings
from heads.head import Head, SequenceHead
from heads.problem import EpochRecord, Fitted, OnEpoch, Problem
from heads.settings import HeadSettings, TrainingSettings
from heads.training.trainer import fit_by_steps, refit_by_steps


@dataclass(frozen=True)
class HeadType:
    """One entry of the registry.

    Attributes:
        name: name for ``--head``.
        settings: class of its settings.
        layouts: layouts of vectors that it takes, the default one first. Words can stand beside
            each of them.
        summary: two lines: what it is good for, and what it costs.
        step: what a record of its history is called in output.
        build: (settings, D, C) -> untrained Head.
        fit: (settings, problem, seed, on_epoch) -> Fitted.
        refit: (settings, problem, seed, record) -> weights by name. Trains as ``fit`` did up to
            the best record, on all ``train`` rows of the problem, without choosing anything.
        words: whether words stand beside the vectors by default.
    """

    name: str
    settings: type[HeadSettings]
    layouts: tuple[str, ...]
    summary: tuple[str, str]
    build: Callable[[Any, int, int], Head]
    fit: Callable[[Any, Problem, int, OnEpoch | None], Fitted]
    refit: Callable[[Any, Problem, int, EpochRecord], dict[str, np.ndarray]]
    step: str = "epoch"
    words: bool = False


def _by_steps(
    name: str,
    settings: type[TrainingSettings],
    layouts: tuple[str, ...],
    summary: tuple[str, str],
    head: Callable[[Any, int, int], SequenceHead],
) -> HeadType:
    """Return the entry of a head that is trained by gradient steps, alone or as an ensemble."""
    build = partial(build_members, head)
    fit, refit = partial(fit_by_steps, build), partial(refit_by_steps, build)
    return HeadType(name, settings, layouts, summary, build, fit, refit)


HEADS: dict[str, HeadType] = {
    head.name: head
    for head in (
        HeadType(
            name="logistic",
            settings=LogisticSettings,
            layouts=(POOLED,),
            summary=(
                "the best linear classifier of one vector per text; the first thing to try",
                "a second or two; (D + 1) C parameters; never gets stuck, needs no tuning",
            ),
            build=LogisticHead,
            fit=fit_logistic,
            refit=refit_logistic,
            step="value of c",
            words=True,
        ),
        _by_steps(
            name="cnn",
            settings=CnnSettings,
            layouts=(TOKENS, SENTENCES),
            summary=(
                "finds telling words and short phrases anywhere; usually the most accurate",
                "about ten seconds for 5,000 short texts; time grows with the text's length",
            ),
            head=CnnHead,
        ),
        _by_steps(
            name="lstm",
            settings=LstmSettings,
            layouts=(TOKENS, SENTENCES),
            summary=(
                "reads the vectors in order, forwards and backwards; for where order matters",
                "two to three times the time of cnn, since its steps wait for one another",
            ),
            head=LstmHead,
        ),
        _by_steps(
            name="cnn_lstm",
            settings=CnnLstmSettings,
            layouts=(TOKENS, SENTENCES),
            summary=(
                "phrases first, then their order; with wide windows for texts of any length",
                "between cnn and lstm; a window of w vectors makes the LSTM w times shorter",
            ),
            head=CnnLstmHead,
        ),
        _by_steps(
            name="attention",
            settings=AttentionSettings,
            layouts=(TOKENS, SENTENCES),
            summary=(
                "learned queries weigh the vectors, three times over; mostly as good as any",
                "as many products an epoch as cnn; members=1 has a third, a bit less accurate",
            ),
            head=AttentionHead,
        ),
        _by_steps(
            name="meanmax",
            settings=MeanMaxSettings,
            layouts=(TOKENS, SENTENCES),
            summary=(
                "a linear layer over mean and maximum of the vectors; what order must beat",
                "the cheapest over sequences; (2 D + 1) C parameters",
            ),
            head=MeanMaxHead,
        ),
        _by_steps(
            name="mlp",
            settings=MlpSettings,
            layouts=(POOLED,),
            summary=(
                "dense layers over one vector per text; where logistic is too simple",
                "a few seconds; (D + 1) units and more parameters, overfits small data",
            ),
            head=MlpHead,
        ),
        HeadType(
            name="knn",
            settings=KnnSettings,
            layouts=(POOLED,),
            summary=(
                "the nearest training texts vote; shows what the vectors know untrained",
                "no training; stores a vector per training text and compares with all of them",
            ),
            build=KnnHead,
            fit=fit_knn,
            refit=refit_knn,
            step="value of k",
        ),
    )
}


WORDS_ALONE = "logistic"
"""The head that takes words without vectors, since it is what reads them everywhere."""


def head_type(name: str) -> HeadType:
    """Return the entry of a head.

    Raises:
        SettingError: there is no such head; the message lists the heads.
    """
    if name not in HEADS:
        raise SettingError(f"no head is called {name!r}; choose one of: {listed(HEADS)}")
    return HEADS[name]


def check_layout(name: str, layout: str) -> None:
    """Check that a head takes a layout.

    Raises:
        SettingError: there is no such head, or it takes other layouts.
    """
    layouts = head_type(name).layouts
    vectors, words = parse_layout(layout)
    if vectors in layouts or (vectors is None and name == WORDS_ALONE):
        return
    if vectors is None:
        raise SettingError(
            f"head {name} takes words only beside vectors, such as {layouts[0]},{WORDS}; words "
            f"alone are for {WORDS_ALONE}"
        )
    if words:
        layouts = tuple(f"{each},{WORDS}" for each in layouts)
    reason = ""
    if vectors == POOLED:
        reason = (
            f" (a pooled vector has no time axis: over it {name} would only be a multi-layer "
            "perceptron)"
        )
    raise SettingError(
        f"head {name} does not take the layout {layout!r}{reason}; it takes: {listed(layouts)}"
    )


def layout_of(name: str, layout: str | None) -> str:
    """Return the layout in which a head is trained: the one given, or its default.

    Raises:
        SettingError: there is no such head, or it takes other layouts.
    """
    head = head_type(name)
    chosen = layout or join_layout(head.layouts[0], head.words)
    check_layout(name, chosen)
    return join_layout(*parse_layout(chosen))


def make_settings(name: str, overrides: Mapping[str, object]) -> HeadSettings:
    """Return the settings of a head: its defaults with some overrides.

    Args:
        name: name of the head.
        overrides: setting -> value. A string is parsed as the setting's type. A sequence may be
            values joined by commas, or one number: ``{"units": "64"}``, ``{"kernels":
                "2,3,4"}``,
            ``{"c": 1.0}``.

    Raises:
        SettingError: there is no such head or setting (the message lists them), or a value is
            out of range.
    """
    settings = head_type(name).settings
    known = settings.model_fields
    for setting in overrides:
        if setting not in known:
            choices = listed(known, len(known))
            raise SettingError(
                f"head {name} has no setting {setting!r}; choose from: {choices}"
            )
    values = {setting: _split(settings, setting, overrides[setting]) for setting in overrides}
    try:
        return settings.model_validate(values)
    except ValidationError as error:
        raise SettingError(_explain(name, settings, overrides, error)) from error


def _split(settings: type[HeadSettings], setting: str, value: object) -> object:
    """Return the value for a sequence setting: text is split at commas, a number put in a
    tuple.
    """
    if get_origin(settings.model_fields[setting].annotation) is not tuple:
        return value
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return (value,) if isinstance(value, int | float) else value


def _explain(
    name: str,
    settings: type[HeadSettings],
    overrides: Mapping[str, Any],
    error: ValidationError,
) -> str:
    """Return one line about the first error: the setting, the rule, the value, the remedy."""
    fault = error.errors(include_url=False)[0]
    setting = str(fault["loc"][0])
    field = settings.model_fields[setting]
    rule = fault["msg"].removeprefix("Value error, ")
    rule = rule[0].lower() + rule[1:]
    example = field.examples[0] if field.examples else as_text(field.default)
    return (
        f"setting {setting} of {name} is {overrides[setting]!r}: {rule} "
        f"({field.description}); for example --set {setting}={example}"
    )


def as_text(value: object) -> str:
    """Return a setting's value in the form in which a user types it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
