"""What a run was asked for: the plain values of ``config.json`` as a configuration again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from features.errors import ManyheadsError
from features.options import OPTION, Option, option_of
from pipeline.config import ExperimentConfig

Config = TypeVar("Config")


def request_of(values: Mapping[str, Any]) -> ExperimentConfig | None:
    """Return the configuration of a training; None where this version cannot read it.

    Args:
        values: of ``config.json``; what an older version did not write keeps its default.
    """
    try:
        return _made(ExperimentConfig, values)
    except (ManyheadsError, TypeError, ValueError, AttributeError):
        return None


def _made(config: type[Config], values: Mapping[str, Any]) -> Config:
    """Return a dataclass from plain values; undoes ``asdict`` and JSON."""
    made: dict[str, Any] = {}
    for each in fields(config):  # type: ignore[arg-type]
        if each.name not in values:
            continue
        value = values[each.name]
        factory: Any = each.default_factory
        if OPTION in each.metadata:
            made[each.name] = _parsed(option_of(each), value)
        elif isinstance(factory, type) and is_dataclass(factory):
            made[each.name] = _made(factory, value)
    return config(**made)


def _parsed(found: Option, value: Any) -> Any:
    """Return the value of an option; JSON has paths and the like as text."""
    return found.parse(value) if isinstance(value, str) else value
