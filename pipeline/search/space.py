"""The space of a search: for each head, which settings are drawn from which values.

Values come from the fields of a head's settings (``heads.ranges``), from a TOML file, or from a
published search. In a file, the table of a head takes the place of the head's own ranges:

    [cnn]
    preset = "A5"                                  # begin with the settings of a preset
    epochs = 5                                     # one value: fixed
    learning_rate = [1e-2, 1e-3]                   # a list: one of these
    filters = { low = 32, high = 512, step = 32 }  # numbers; also log = true
    dense = { layers = { low = 0, high = 2 }, units = { low = 8, high = 64 } }
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from features.errors import SettingError
from features.messages import listed, meant
from features.vectors.table import TOKENS
from heads.presets import check_head, find_preset
from heads.ranges import Choice, Plain, Range, Stack, Values, values_of
from heads.registry import HEADS, as_text, head_type, make_settings
from pipeline.search.candidate import ACCURACY, BASELINES, GOALS, Candidate, plain

SAMPLERS = ("tpe", "random")

LEAST, LEAST_HEAD = "B4", "lstm"
"""The least LSTM, which is tried before larger ones."""

RULES = {
    "trials": (1, 100_000),
    "repeats": (1, 100),
    "keep": (1, 100),
}
"""Whole numbers that a file may set for the study, and the least and the most of each."""


class Suggest(Protocol):
    """What draws values: the sampler."""

    def choose(self, name: str, values: Sequence[Plain]) -> Plain:
        """Return one of some values."""

    def number(self, name: str, values: Range) -> float:
        """Return a number of a range: a whole one if its ends are."""


@dataclass(frozen=True)
class HeadSpace:
    """What is tried of one head.

    Attributes:
        head: its name.
        fixed: settings that all its trials have.
        drawn: setting -> the values that it is drawn from.
    """

    head: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    drawn: Mapping[str, Values] = field(default_factory=dict)

    def draw(self, suggest: Suggest) -> dict[str, Any]:
        """Return settings: the fixed ones and those that were drawn."""
        found = dict(self.fixed)
        for name, values in self.drawn.items():
            found[name] = _draw(suggest, f"{self.head}.{name}", values)
        return found


@dataclass(frozen=True)
class Space:
    """What a study draws its trials from.

    Attributes:
        heads: by name.
        trials: how many are drawn; None: as many as the time allows.
        repeats: trainings of each trial with other seeds; their mean counts.
        keep: how many of the best are trained again at the end, with other seeds.
        sampler: one of ``SAMPLERS``; '' leaves it to the options.
        wins: what the best trial has the best of.
        defaults: whether each head's own settings are tried before any are drawn.
        halving: whether a trial that does worse than others at the same epoch is stopped.
    """

    heads: Mapping[str, HeadSpace]
    trials: int | None = None
    repeats: int = 1
    keep: int = 3
    sampler: str = ""
    wins: str = ACCURACY
    defaults: bool = True
    halving: bool = True


@dataclass(frozen=True)
class Arm:
    """A head on some vectors: what is chosen before any setting."""

    head: str
    layout: str
    encoder: str
    layers: str | None = None

    def candidate(self, settings: Mapping[str, Any]) -> Candidate:
        """Return the candidate with some settings."""
        return Candidate(self.head, dict(settings), self.layout, self.encoder, self.layers)

    @property
    def name(self) -> str:
        """Return text that tells it from other arms."""
        return f"{self.head} {self.layout} {self.encoder} {self.layers or ''}".strip()


def draw_candidate(suggest: Suggest, arms: Sequence[Arm], space: Space) -> Candidate:
    """Return a candidate whose arm and settings the sampler draws."""
    by_name = {arm.name: arm for arm in arms}
    chosen = suggest.choose("arm", list(by_name)) if len(arms) > 1 else arms[0].name
    arm = by_name[str(chosen)]
    return arm.candidate(space.heads[arm.head].draw(suggest))


def simple_candidates(arms: Sequence[Arm], space: Space, classes: int) -> tuple[Candidate, ...]:
    """Return what is tried before anything is drawn: baselines, then each head's defaults.

    The least LSTM stands before the heads over sequences.
    """
    found = [Candidate(name) for name in BASELINES]
    if not space.defaults:
        return tuple(found)
    own = [arm.candidate(space.heads[arm.head].fixed) for arm in arms]
    least = {
        name: plain(value) for name, value in find_preset(LEAST).overrides(classes).items()
    }
    small = [arm.candidate(least) for arm in arms if arm.head == LEAST_HEAD]
    quick = [each for each in own if TOKENS not in head_type(each.head).layouts]
    rest = [each for each in own if each not in quick]
    return (*found, *quick, *small, *rest)


def _draw(suggest: Suggest, name: str, values: Values) -> Plain:
    if isinstance(values, Choice):
        return suggest.choose(name, values.values)
    if isinstance(values, Range):
        return suggest.number(name, values)
    layers = int(suggest.number(f"{name}.layers", values.layers))
    units = int(suggest.number(f"{name}.units", values.units))
    return as_text((units,) * layers)


def declared(head: str) -> HeadSpace:
    """Return the ranges that the fields of a head's settings declare."""
    fields = head_type(head).settings.model_fields
    found = {name: values_of(each) for name, each in fields.items()}
    return HeadSpace(head, {}, {name: each for name, each in found.items() if each is not None})


def make_space(source: str | None, heads: Sequence[str], classes: int) -> Space:
    """Return the space of a study.

    Args:
        source: a file, or the name of a published search; None: what the heads declare.
        heads: their names; () takes those of the source, or all.
        classes: C, which some presets depend on.

    Raises:
        SettingError: no such head, setting, file or published search, or a value that the head
            does not take; the message says where.
    """
    for name in heads:
        head_type(name)
    if source is None:
        return Space({name: declared(name) for name in heads or HEADS})
    where, values = _read(source)
    study = _study(where, values.pop("study", {}))
    own = {name: _head_space(where, name, table, classes) for name, table in values.items()}
    chosen = heads or tuple(own) or tuple(HEADS)
    return Space({name: own.get(name) or declared(name) for name in chosen}, **study)


def _read(source: str) -> tuple[str, dict[str, Any]]:
    """Return the name of a source, for messages, and its tables."""
    path = Path(source)
    try:
        if source.upper() in NAMED and not path.exists():
            return source.upper(), tomllib.loads(NAMED[source.upper()])
        return str(path), tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(
            f"--space {source}: {error.strerror or error}; it takes a TOML file, or one of "
            f"{listed(NAMED)}{meant(source.upper(), NAMED)}"
        ) from error
    except ValueError as error:  # also what is no UTF-8
        raise SettingError(f"--space {source} is no TOML: {error}") from error


def _study(where: str, table: Any) -> dict[str, Any]:
    """Return the fields of ``Space`` that a table sets."""
    if not isinstance(table, dict):
        raise SettingError(f"{where}: study is a table, [study]; got {table!r}")
    choices: dict[str, Sequence[object]] = {
        "sampler": SAMPLERS,
        "wins": GOALS,
        "defaults": (False, True),
        "halving": (False, True),
    }
    for name, value in table.items():
        if name in choices:
            if value not in choices[name]:
                raise SettingError(
                    f"{where}: study.{name} is one of {listed(map(str, choices[name]))}; got "
                    f"{value!r}"
                )
        elif name in RULES:
            low, high = RULES[name]
            if type(value) is not int or not low <= value <= high:
                raise SettingError(
                    f"{where}: study.{name} is a whole number, {low} to {high}; got {value!r}"
                )
        else:
            known = [*RULES, *choices]
            raise SettingError(
                f"{where}: study has no {name!r}{meant(name, known)}; it takes {listed(known)}"
            )
    return table


def _head_space(where: str, head: str, table: Any, classes: int) -> HeadSpace:
    head_type(head)
    if not isinstance(table, dict):
        raise SettingError(f"{where}: {head} is a table, [{head}]; got {table!r}")
    fixed: dict[str, Any] = {}
    drawn: dict[str, Values] = {}
    for name, value in table.items():
        if name == "preset":
            check_head(head, str(value))
            own = find_preset(str(value)).overrides(classes)
            fixed |= {key: plain(each) for key, each in own.items()}
        elif isinstance(value, list):
            drawn[name] = Choice(
                tuple(_listed_value(where, head, name, each) for each in value)
            )
        elif isinstance(value, dict):
            drawn[name] = _range_or_stack(f"{where}: {head}.{name}", value)
        else:
            fixed[name] = value
    for name in drawn:
        fixed.pop(name, None)
    for name, values in drawn.items():
        for end in ends(values):
            try:
                make_settings(head, {**fixed, name: end})
            except SettingError as error:
                raise SettingError(f"{where}: {error}") from error
    make_settings(head, fixed)
    return HeadSpace(head, fixed, drawn)


def _listed_value(where: str, head: str, name: str, value: Any) -> Plain:
    """Return a value of a list; a list in it, such as kernels, as text."""
    if isinstance(value, list):
        return as_text(tuple(value))
    if isinstance(value, Plain):
        return value
    raise SettingError(f"{where}: {head}.{name} lists numbers, text or lists; got {value!r}")


def _range_or_stack(where: str, table: Mapping[str, Any]) -> Values:
    if table.keys() == {"layers", "units"}:
        parts = [table[name] for name in ("layers", "units")]
        if all(isinstance(part, dict) for part in parts):
            return Stack(*(_range(where, part) for part in parts))
    return _range(where, table)


def _range(where: str, table: Mapping[str, Any]) -> Range:
    form = f"{where} takes {{ low = 1, high = 9 }}, and step or log = true"
    numbers = [table[name] for name in ("low", "high", "step") if name in table]
    known = {"low", "high"} <= table.keys() <= {"low", "high", "step", "log"}
    if not known or any(type(each) not in (int, float) for each in numbers):
        raise SettingError(f"{form}; got {dict(table)!r}")
    found = Range(**table)
    if found.low > found.high or (found.step is not None and found.step <= 0):
        raise SettingError(f"{where}: low is above high, or step is not above 0")
    if found.log is not False and (
        found.log is not True or found.low <= 0 or found.step is not None
    ):
        raise SettingError(f"{where}: log = true takes a low above 0, and no step")
    return found


def ends(values: Values) -> list[Plain]:
    """Return values of a setting that stand for all: each choice, or the ends of a range."""
    if isinstance(values, Choice):
        return list(values.values)
    if isinstance(values, Range):
        return [values.low, values.high]
    layers = (int(values.layers.low), int(values.layers.high))
    return [as_text((int(end),) * n) for end in ends(values.units) for n in layers]


NAMED = {
    # Filters, kernel and dense units as its source has them; batch and length as preset A5.
    "A5": """
[study]
trials = 5
repeats = 3
keep = 2
sampler = "random"
defaults = false
halving = false

[cnn]
preset = "A5"
epochs = 5
filters = { low = 32, high = 512, step = 32 }
kernels = { low = 3, high = 11, step = 2 }
dense = { low = 64, high = 256, step = 32 }
learning_rate = [1e-2, 1e-3, 1e-4]
""",
    # Batch 100, 50 epochs and Adam are those of the systems that its source compares it with.
    "B6": """
[study]
trials = 100
sampler = "random"
wins = "loss"
defaults = false
halving = false

[lstm]
preset = "B4"
layers = { low = 1, high = 4 }
units = { low = 8, high = 64 }
dense = { layers = { low = 0, high = 8 }, units = { low = 8, high = 64 } }
dense_activation = "tanh"
""",
}
"""Published searches by name, as the files of spaces."""
