"""The options of the commands as keywords: one definition for both."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from features.errors import ManyheadsError, SettingError
from features.messages import listed
from features.options import Option, from_values, options_of
from heads.presets import find_preset
from heads.registry import HEADS, head_type
from pipeline.config import ExperimentConfig

Function = TypeVar("Function", bound=Callable[..., Any])

COMMAND = re.compile(r"(manyheads [a-z-]+(?: --?[\w-]+(?:[ =][^\s;,)-][^\s;,)]*)?)*)")
SETTING = re.compile(r"--set (\w+)=([\w.]+)")
FLAG = re.compile(r"(?P<flag>--[a-z][a-z-]*)(?: (?P<value>[\w./:-]+))?")
"""Parts of a message: a command to copy, a setting, an option with the word after it."""

DATA = "data"
OWN = (DATA, "head", "preset", "set")
"""The options that are arguments of their own."""


def options() -> dict[str, Option]:
    """Return the options of ``train`` by the name of their keyword."""
    return {each.name: each for each in options_of(ExperimentConfig) if each.name not in OWN}


def experiment_config(
    head: str | None,
    preset: str | None,
    settings: Mapping[str, object] | None,
    keywords: Mapping[str, Any],
) -> ExperimentConfig:
    """Return the experiment that keywords describe.

    Args:
        head: name of the head; None: that of the preset, or the usual one.
        preset: name of a preset.
        settings: of the head, that differ from its defaults.
        keywords: values by the names of options, as text or as what the text means.

    Raises:
        TypeError: an unknown keyword; the message names the nearest.
        SettingError: a value that will not do.
    """
    known = options()
    for name in keywords:
        if name not in known and name != DATA:
            raise TypeError(_unknown(name, _head(head, preset), [*known]))
    values = {
        name: _value(known[name], value) if name in known else value
        for name, value in keywords.items()
    }
    return from_values(
        ExperimentConfig,
        values,
        head=head or "",
        preset=preset,
        settings=dict(settings or {}),
    )


def _head(head: str | None, preset: str | None) -> str:
    return head or (find_preset(preset).head if preset else ExperimentConfig.HEAD)


def _value(option: Option, value: Any) -> Any:
    """Return the value of an option; of a list its items, joined as on the command line."""
    if isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    if option.parse is str and isinstance(value, int) and not isinstance(option.default, bool):
        value = str(value)
    if not isinstance(value, str):
        return value
    try:
        return option.parse(value)
    except ValueError as error:
        raise SettingError(
            f"{option.name} got {value!r}, which will not do: {error}"
        ) from error


def _unknown(name: str, head: str, known: list[str]) -> str:
    """Return what is wrong with a keyword, and which one may be meant."""
    heads = {each: head_type(each).settings.model_fields for each in HEADS}
    if name in heads[head]:
        return f"{name!r} is a setting of the head {head}: pass settings={{{name!r}: ...}}"
    having = [each for each, fields in heads.items() if name in fields]
    if having:
        return f"{name!r} is a setting of other heads than {head}: {listed(having)}"
    own = ["head", "labels", "preset", "progress", "settings"]
    words = [*own, *known, *heads[head]]
    near = difflib.get_close_matches(name.lower().replace("-", "_"), words, n=1)
    if not near:
        return f"train() has no keyword {name!r}; help(manyheads.train) lists them"
    meant = f"settings={{{near[0]!r}: ...}}" if near[0] in heads[head] else repr(near[0])
    return f"train() has no keyword {name!r}; did you mean {meant}?"


@contextmanager
def errors_by_keyword() -> Iterator[None]:
    """Let errors name keywords where the messages of the commands name options."""
    try:
        yield
    except ManyheadsError as error:
        error.args = tuple(
            in_keywords(each) if isinstance(each, str) else each for each in error.args
        )
        raise


def in_keywords(message: str) -> str:
    """Return a message with keywords in place of options; commands in it stay as they are.

    >>> in_keywords("choose one with --text-column; --split random keeps copies apart")
    "choose one with text_column; split='random' keeps copies apart"
    """
    known = {each.flag: each for each in options_of(ExperimentConfig)}

    def keyword(found: re.Match[str]) -> str:
        option = known.get(found["flag"])
        if option is None:
            return found[0]
        value = found["value"] or ""
        if value in option.choices or "/" in value:
            return f"{option.name}={value!r}"
        return f"{option.name}{' ' + value if value else ''}"

    parts = COMMAND.split(message)
    parts[::2] = [SETTING.sub(_setting, part) for part in parts[::2]]
    parts[::2] = [FLAG.sub(keyword, part) for part in parts[::2]]
    return "".join(parts)


def _setting(found: re.Match[str]) -> str:
    return f"settings={{{found[1]!r}: {found[2]}}}"


def with_options(function: Function) -> Function:
    """Add the options to what ``help`` shows of a function with ``**options``."""
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind != each.VAR_KEYWORD]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=each.default)
        for name, each in options().items()
    ]
    function.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    lines = [f"    {name}: {each.help}" for name, each in options().items()]
    function.__doc__ = inspect.cleandoc(function.__doc__ or "") + "\n\nOptions:\n"
    function.__doc__ += "\n".join(lines) + "\n"
    return function
