"""A command: one line of summary, its options, and the function that answers it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Answer:
    """What a command gave: the object for ``--json``, the text for people, the exit code."""

    json: dict[str, Any]
    text: str
    exit_code: int = 0


USUAL, MORE, CACHE = "Usual commands", "More commands", "The cache"
"""Titles of the list of commands."""


@dataclass(frozen=True)
class Command:
    """One row of the table of commands.

    Attributes:
        summary: one line for ``manyheads --help``.
        example: its arguments in the example with which its help begins.
        add_options: adds its options to a parser.
        run: parsed arguments -> answer.
        title: under which ``manyheads --help`` lists it.
    """

    summary: str
    example: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Answer]
    title: str = MORE


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
