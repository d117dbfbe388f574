"""The registry of heads by name, and the parsing of settings.

It imports no torch: names, settings and layouts are checked before anything slow is imported,
and a head's own module is imported when it is built or trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, get_origin

from pydantic import ValidationError

from features.errors import SettingError
from features.messages import listed, meant, ordinal
from features.tables import join_layout, parse_layout
from features.vectors.table import POOLED, SENTENCES, TOKENS
from features.words.table import WORDS
from heads.architectures.settings import (
    AttentionSettings,
    CnnLstmSettings,
    CnnSettings,
    KnnSettings,
    LogisticSettings,
    LstmSettings,
    MeanMaxSettings,
    MlpSettings,
)
from heads.device import AUTO, CPU, find_device
from heads.settings import HeadSettings, TrainingSettings

if TYPE_CHECKING:
    import numpy as np

    from heads.head import Head, SequenceHead
    from heads.problem import EpochRecord, Fitted, OnEpoch, Problem


@dataclass(frozen=True)
class Functions:
    """What a head does.

    Attributes:
        build: (settings, D, C) -> untrained Head.
        fit: (settings, problem, seed, on_epoch) -> Fitted.
        refit: (settings, problem, seed, record) -> weights by name. Trains as ``fit`` did up to
            the best record, on all ``train`` rows of the problem, without choosing anything.
    """

    build: Callable[[Any, int, int], Head]
    fit: Callable[[Any, Problem, int, OnEpoch | None], Fitted]
    refit: Callable[[Any, Problem, int, EpochRecord], dict[str, np.ndarray]]


@dataclass(frozen=True)
class HeadType:
    """One entry of the registry.

    Attributes:
        name: name for ``--head``.
        settings: class of its settings.
        layouts: layouts of vectors that it takes, the default one first. Words can stand beside
            each of them.
        summary: two lines: what it is good for, and what it costs.
        functions: imports the head and returns what it does.
        step: what a record of its history is called in output: ``epoch``, or the name of what
            is tried, such as ``C``.
        values: the setting that holds the values tried; '' of a head that learns by epochs.
        words: whether words stand beside the vectors by default.
    """

    name: str
    settings: type[HeadSettings]
    layouts: tuple[str, ...]
    summary: tuple[str, str]
    functions: Callable[[], Functions]
    step: str = "epoch"
    values: str = ""
    words: bool = False

    def record_name(self, settings: HeadSettings, record: EpochRecord) -> str:
        """Return what a record is called: ``epoch 3``, or ``C = 10 (6th of 8)``."""
        if not self.values:
            return f"{self.step} {record.epoch}"
        tried = len(getattr(settings, self.values))
        place = f"{ordinal(record.epoch)} of {tried}"
        return f"{self.step} = {record.value:g} ({place})"

    @property
    def build(self) -> Callable[[Any, int, int], Head]:
        """Return ``Functions.build``; imports torch."""
        return self.functions().build

    @property
    def fit(self) -> Callable[[Any, Problem, int, OnEpoch | None], Fitted]:
        """Return ``Functions.fit``; imports torch."""
        return self.functions().fit

    @property
    def refit(self) -> Callable[[Any, Problem, int, EpochRecord], dict[str, np.ndarray]]:
        """Return ``Functions.refit``; imports torch."""
        return self.functions().refit


def _by_steps(head: Callable[[Any, int, int], SequenceHead]) -> Functions:
    """Return what a head does that is trained by gradient steps, alone or as an ensemble."""
    from heads.architectures.ensemble import build_members
    from heads.training.trainer import fit_by_steps, refit_by_steps

    build = partial(build_members, head)
    return Functions(build, partial(fit_by_steps, build), partial(refit_by_steps, build))


def _logistic() -> Functions:
    from heads.architectures.logistic import LogisticHead, fit_logistic, refit_logistic

    return Functions(LogisticHead, fit_logistic, refit_logistic)


def _knn() -> Functions:
    from heads.architectures.knn import KnnHead, fit_knn, refit_knn

    return Functions(KnnHead, fit_knn, refit_knn)


def _mlp() -> Functions:
    from heads.architectures.mlp import MlpHead

    return _by_steps(MlpHead)


def _meanmax() -> Functions:
    from heads.architectures.meanmax import MeanMaxHead

    return _by_steps(MeanMaxHead)


def _cnn() -> Functions:
    from heads.architectures.cnn import CnnHead

    return _by_steps(CnnHead)


def _attention() -> Functions:
    from heads.architectures.attention import AttentionHead

    return _by_steps(AttentionHead)


def _cnn_lstm() -> Functions:
    from heads.architectures.cnn_lstm import CnnLstmHead

    return _by_steps(CnnLstmHead)


def _lstm() -> Functions:
    from heads.architectures.lstm import LstmHead

    return _by_steps(LstmHead)


SEQUENCES = (TOKENS, SENTENCES)

HEADS: dict[str, HeadType] = {
    head.name: head
    for head in (
        HeadType(
            "logistic",
            LogisticSettings,
            (POOLED,),
            (
                "the best linear classifier of one vector per text; the first thing to try",
                "the quickest, a second or two; never gets stuck and needs no tuning",
            ),
            _logistic,
            step="C",
            values="c",
            words=True,
        ),
        HeadType(
            "knn",
            KnnSettings,
            (POOLED,),
            (
                "the nearest training texts vote; shows what the vectors know untrained",
                "no training, but it keeps a vector per training text and compares with all",
            ),
            _knn,
            step="k",
            values="k",
        ),
        HeadType(
            "mlp",
            MlpSettings,
            (POOLED,),
            (
                "dense layers over one vector per text; where logistic is too simple",
                "a few seconds; its many parameters overfit small data",
            ),
            _mlp,
        ),
        HeadType(
            "meanmax",
            MeanMaxSettings,
            SEQUENCES,
            (
                "a linear layer over the mean and the maximum of a text's vectors",
                "the cheapest over sequences; the order of the vectors does not count",
            ),
            _meanmax,
        ),
        HeadType(
            "cnn",
            CnnSettings,
            SEQUENCES,
            (
                "finds telling words and short phrases anywhere in the text",
                "about ten seconds for 5,000 short texts; time grows with the texts' length",
            ),
            _cnn,
        ),
        HeadType(
            "attention",
            AttentionSettings,
            SEQUENCES,
            (
                "learns which vectors matter, in three averaged heads; mostly the best",
                "about as long as cnn; members=1 takes a third and is a bit less accurate",
            ),
            _attention,
        ),
        HeadType(
            "cnn_lstm",
            CnnLstmSettings,
            SEQUENCES,
            (
                "phrases first, then their order; with wide windows for texts of any length",
                "between cnn and lstm; a window of w vectors makes the LSTM w times shorter",
            ),
            _cnn_lstm,
        ),
        HeadType(
            "lstm",
            LstmSettings,
            SEQUENCES,
            (
                "reads the vectors in order, forwards and backwards; for where order matters",
                "the slowest: two to three times the time of cnn, since each step waits for "
                "the one before",
            ),
            _lstm,
        ),
    )
}
"""The heads, those whose training takes the least time first."""


WORDS_ALONE = "logistic"
"""The head that takes words without vectors, since it is what reads them everywhere."""


def head_type(name: str) -> HeadType:
    """Return the entry of a head.

    Raises:
        SettingError: there is no such head; the message lists the heads.
    """
    if name not in HEADS:
        raise SettingError(
            f"no head is called {name!r}{meant(name, HEADS)}; choose one of: {listed(HEADS)}"
        )
    return HEADS[name]


def device_of(head: str, name: str) -> str:
    """Return the torch device that a head works on: the processor if it takes no steps.

    Args:
        head: name of the head.
        name: what was asked for, such as ``auto``; see :func:`heads.device.find_device`.

    Raises:
        SettingError: there is no such head, or this machine does not have the device.
    """
    takes_steps = issubclass(head_type(head).settings, TrainingSettings)
    if name == AUTO and not takes_steps:
        return CPU
    found = find_device(name)
    return found if takes_steps else CPU


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
                f"head {name} has no setting {setting!r}{meant(setting, known)}; choose "
                f"from: {choices}"
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
