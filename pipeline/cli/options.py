"""The options of the command line: made of the fields of configurations, and read back.

What an option is called, takes and means stands in its field (``features.options``). Here are
only argparse, and the options of ``predict``.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from features.options import Option, from_values, options_of
from pipeline.cli.parser import RUN_OPTION
from pipeline.spreadsheet import FORMULAS, FORMULAS_WORDS

SPLIT = ("split", "split_seed", "group_column")
"""Options of ``DataConfig`` that only commands which split the data take."""

Config = TypeVar("Config")


def add_options(
    parser: argparse._ActionsContainer,
    config: type,
    *,
    only: Collection[str] = (),
    without: Collection[str] = (),
    otherwise: Mapping[str, str] | None = None,
) -> None:
    """Add the options of a configuration to a parser, under the titles of their groups.

    Args:
        parser: of a command, or a group of it.
        config: the dataclass.
        only: names of the options to add; () adds all.
        without: names of options to leave out.
        otherwise: by name, what this command does without an option, for the help.
    """
    groups = {"": parser}
    for option in options_of(config):
        if option.name in without or (only and option.name not in only):
            continue
        title = option.group
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        said = (otherwise or {}).get(option.name, option.otherwise)
        _add(groups[title], replace(option, otherwise=said))


def _add(group: argparse._ActionsContainer, option: Option) -> None:
    facts: dict[str, Any] = {"help": option.help.replace("%", "%%")}
    if isinstance(option.default, bool):
        facts["action"] = "store_true"
    else:
        facts |= {"default": option.default, "type": option.parse}
        if option.several:
            facts |= {"action": "extend", "nargs": "+", "default": []}
        elif option.bare is not None:
            facts |= {"nargs": "?", "const": option.bare}
        elif option.required:
            facts["required"] = True
        # A metavar of its own says that the words name the choices; the configuration checks.
        choices = None if option.metavar else option.choices or None
        facts |= {"metavar": option.metavar or None, "choices": choices}
    group.add_argument(option.flag, **facts)


def from_arguments(config: type[Config], parsed: argparse.Namespace, **more: Any) -> Config:
    """Return the configuration that the options of ``add_options`` describe.

    Args:
        config: the dataclass; an option that the command lacks keeps its default.
        parsed: the arguments of the command.
        more: fields that are no options.

    Raises:
        SettingError: a value that will not do.
    """
    return from_values(config, vars(parsed), **more)


def default_flag(parser: argparse.ArgumentParser, flag: str) -> None:
    """Understand a flag that asks for what is done anyway; the help does not list it."""
    parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)


def run_argument(parser: argparse.ArgumentParser, also: str = "") -> None:
    """Which run; every command that reads one takes it alike.

    ``--run RUN``, which ``predict`` took before, is understood too.

    Args:
        also: what else it may be, for the help.
    """
    parser.add_argument("--run", dest=RUN_OPTION, help=argparse.SUPPRESS)
    parser.add_argument(
        "run",
        nargs="?",
        default="latest",
        metavar="RUN",
        help=f"take this run: its name, the beginning of its name, or its folder{also} "
        "(default: latest)",
    )


def formulas_option(parser: argparse.ArgumentParser, default: str) -> None:
    """Add ``--formulas``: what becomes of cells that a spreadsheet would run."""
    _add(parser, Option(FORMULAS_WORDS, "formulas", choices=FORMULAS, default=default))
