"""A command: one line of summary, and the module that has its options and answers it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast


@dataclass(frozen=True)
class Answer:
    """What a command gave: the object for ``--json``, the text for people, the exit code."""

    json: dict[str, Any]
    text: str
    exit_code: int = 0


USUAL, MORE, CACHE = "Usual commands", "More commands", "The cache"
"""Titles of the list of commands."""


MODULES = "pipeline.cli.commands"
"""The package with the module of each command."""


class CommandModule(Protocol):
    """What the module of a command has."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add its options to a parser."""

    def run(self, parsed: argparse.Namespace) -> Answer:
        """Answer the command."""


@dataclass(frozen=True)
class Command:
    """One row of the table of commands.

    Attributes:
        summary: one line for ``manyheads --help``.
        example: its arguments in the example with which its help begins.
        module: name of its module in ``pipeline.cli.commands``.
        title: under which ``manyheads --help`` lists it.
    """

    summary: str
    example: str
    module: str
    title: str = MORE

    def load(self) -> CommandModule:
        """Return its module, imported only now: options are made of the configurations of whole
        packages, and whoever runs one command shall not wait for those of all the others.
        """
        return cast(CommandModule, import_module(f"{MODULES}.{self.module}"))


class Result(Protocol):
    """What a command's function returns: it knows its own dict, text and exit code."""

    @property
    def exit_code(self) -> int:
        """0 done; 1 something was found."""

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""

    def to_text(self) -> str:
        """Return the text for people."""


def answer(result: Result) -> Answer:
    """Return a result as a command's answer."""
    return Answer(result.to_dict(), result.to_text(), result.exit_code)
