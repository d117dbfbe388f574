"""Options: one definition per setting, as a field of a frozen dataclass.

    max_tokens: int | None = option(None, "see up to N tokens", metavar="N", parse=int)

The field gives the Python keyword with its type and default, the check of its value, the
option of the command line with its words, and the entry of ``config.json``. Nothing here knows
argparse: ``pipeline.cli.options`` makes a parser's options of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from typing import Any, Self, TypeVar, cast

from features.errors import SettingError
from features.messages import listed

OPTION = "option"
"""Name of the ``Option`` in a field's metadata."""

NONE = "none"
"""On the command line, in place of a name: there is no such column or file."""

Value = TypeVar("Value")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Option:
    """How a field is given.

    Attributes:
        words: its help, without the default: what it does, as ``see up to N tokens``.
        name: of the option where it is not the field's own; with underscores.
        metavar: stands for the value in the help.
        parse: text -> value.
        choices: the only values that it takes.
        check: raises ``SettingError`` for a value, never None, that will not do.
        otherwise: in words, what is done without the option; '' names the default value.
        none: whether ``none`` on the command line means None.
        bare: the value of the option where it is given without one; None: it takes a value.
        several: makes the field's value of all values given, where the option takes several
            and may be repeated; None: it takes one.
        required: whether a command cannot do without it.
        group: title under which the help lists it; '' takes that of its dataclass.
        default: the field's.
    """

    words: str
    name: str = ""
    metavar: str = ""
    parse: Callable[[str], Any] = str
    choices: Sequence[str] = ()
    check: Callable[[Any], object] | None = None
    otherwise: str = ""
    none: bool = False
    bare: Any = None
    several: Callable[[Sequence[Any]], Any] | None = None
    required: bool = False
    group: str = ""
    default: Any = None

    @property
    def flag(self) -> str:
        """Return the option as it is written, such as ``--max-tokens``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def help(self) -> str:
        """Return its words with what is done without it."""
        otherwise = self.otherwise
        named = self.default is not None and not isinstance(self.default, bool | dict | tuple)
        if not otherwise and named:
            otherwise = str(self.default)
        return f"{self.words} (default: {otherwise})" if otherwise else self.words

    def check_value(self, value: Any) -> None:
        """Refuse a value that will not do. Raises ``SettingError``."""
        if value is None:
            return
        if self.choices and value not in self.choices:
            raise SettingError(
                f"unknown {self.flag} {value!r}; choose one of {listed(self.choices)}"
            )
        if self.check:
            self.check(value)


def option(default: Value, words: str, **facts: Any) -> Value:
    """Return a dataclass field with its default and its ``Option``.

    Args:
        default: of the field.
        words: the help.
        facts: further attributes of ``Option``.
    """
    metadata = {OPTION: Option(words, default=default, **facts)}
    if isinstance(default, dict):
        made: Any = field(default_factory=default.copy, metadata=metadata)
        return cast("Value", made)
    return field(default=default, metadata=metadata)


def required_option(words: str, **facts: Any) -> Any:
    """Return a dataclass field without a default, and its ``Option``."""
    return field(metadata={OPTION: Option(words, required=True, **facts)}, kw_only=True)


@dataclass(frozen=True)
class Options:
    """A base for options: values are checked at construction, by what the fields say."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if OPTION in each.metadata:
                option_of(each).check_value(getattr(self, each.name))

    @classmethod
    def of(cls, source: object, **changes: Any) -> Self:
        """Return the options that another object has as attributes, some of them changed."""
        names = [each.name for each in fields(cls)]
        return cls(**{name: getattr(source, name) for name in names} | changes)


def option_of(one: Field[Any]) -> Option:
    """Return the option of a field, with its name."""
    found: Option = one.metadata[OPTION]
    return found if found.name else replace(found, name=one.name)


def options_of(config: type, group: str = "") -> Iterator[Option]:
    """Yield the options of a dataclass, those of dataclasses inside it too.

    The fields that a class adds come before those that it inherits: they are the usual ones.

    Args:
        config: the dataclass; its class variable ``GROUP``, if it has one, is their group.
        group: the group where it has none.
    """
    group = getattr(config, "GROUP", group)
    own = inspect.get_annotations(config)
    for each in sorted(fields(config), key=lambda each: each.name not in own):
        if OPTION in each.metadata:
            found = option_of(each)
            yield replace(found, group=found.group or group)
        elif inner := _inner(each):
            yield from options_of(inner, group)


def _inner(one: Field[Any]) -> type | None:
    """Return the dataclass that a field holds one of; None where it holds something else."""
    factory: Any = one.default_factory
    return factory if isinstance(factory, type) and is_dataclass(factory) else None


def from_values(config: type[Value], values: Mapping[str, Any], **more: Any) -> Value:
    """Return a dataclass made of values by the names of its options.

    Args:
        config: the dataclass; a value that is not given keeps its default.
        values: such as those of a parsed command line.
        more: fields that are no options, or take the place of their values.

    Raises:
        SettingError: a value that will not do.
    """
    made: dict[str, Any] = {}
    for each in fields(config):  # type: ignore[arg-type]
        if OPTION in each.metadata:
            found = option_of(each)
            if found.name in values:
                made[each.name] = _field_value(found, values[found.name])
        elif inner := _inner(each):
            made[each.name] = from_values(inner, values)
    return config(**{**made, **more})


def _field_value(found: Option, value: Any) -> Any:
    """Return the value of a field for what the command line gave."""
    if found.several:
        return found.several(value)
    return None if found.none and str(value) == NONE else value


def to_values(config: object) -> dict[str, Any]:
    """Return the values of a dataclass by the names of its options; undoes ``from_values``."""
    values: dict[str, Any] = {}
    for each in fields(config):  # type: ignore[arg-type]
        value = getattr(config, each.name)
        if OPTION in each.metadata:
            found = option_of(each)
            values[found.name] = NONE if found.none and value is None else value
        elif is_dataclass(value):
            values |= to_values(value)
    return values


def with_keywords(*configs: type) -> Callable[[Function], Function]:
    """Return a decorator: a function's ``**keywords`` are the fields of dataclasses.

    ``help`` and ``inspect.signature``, which scikit-learn asks, then name them one by one.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        parameters = [
            each for each in signature.parameters.values() if each.kind != each.VAR_KEYWORD
        ]
        parameters += [
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=each.default,
                annotation=each.type,
            )
            for config in configs
            for each in fields(config)
        ]
        function.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return function

    return decorate


def all_keywords(keywords: Mapping[str, Any], *configs: type) -> dict[str, Any]:
    """Return the keywords of a function ``with_keywords``, with the defaults of the others.

    Raises:
        TypeError: one that no field of the dataclasses has.
    """
    defaults = {each.name: each.default for config in configs for each in fields(config)}
    for name in keywords:
        if name not in defaults:
            raise TypeError(f"unexpected keyword argument {name!r}")
    return {**defaults, **keywords}
