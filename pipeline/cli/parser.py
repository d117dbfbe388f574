"""The parser of one command: its help, and wrong usage as one line with the right form."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from features.errors import SettingError
from features.messages import meant
from pipeline.cli.suggestions import right_form
from pipeline.console import show

USUAL_TITLE = "Usual options"
USUAL = (
    "run",
    "parts",
    "text",
    "data",
    "text_column",
    "label_column",
    "budget",
    "trials",
    "heads",
    "head",
    "set",
    "encoder",
    "layout",
    "output",
    "out",
    "format",
)
"""Options that most people need, in the order of the help; every other has its own title."""

TITLES = (
    "The service",
    "Where the run is not sure",
    "What is tried and told",
    "A module of your own",
    "What is trained",
    "What is searched",
    "Reading the data",
    "Splits",
    "Encoding",
    "On a cluster",
    "Where things are kept",
)
"""Titles of the other options in the order of the help; further ones follow."""

OTHER_TITLE = "Other"
OTHER = ("json", "help", "version")

RUN_OPTION = "run_option"
"""Where a run is put that ``--run`` names, in place of the positional word."""


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Writes the words of each option as a sentence."""

    def _expand_help(self, action: argparse.Action) -> str:
        words = super()._expand_help(action)
        end = "" if words.endswith((".", "?", "!")) else "."
        return f"{words[:1].upper()}{words[1:]}{end}"


class Parser(argparse.ArgumentParser):
    """argparse with titles in its help, and wrong usage raised as one line.

    Args:
        example: a command line with which the help begins.
        title: under which the list of commands has this one.
        add_options: adds its options once somebody asks for them: to parse, or for its help.
    """

    def __init__(
        self,
        *,
        example: str = "",
        title: str = "",
        add_options: Callable[[Parser], None] | None = None,
        **facts: Any,
    ) -> None:
        facts.setdefault("formatter_class", Formatter)
        super().__init__(allow_abbrev=False, **facts)
        self.example = example
        self.title = title
        self.add_options = add_options
        self.given: Sequence[str] = ()

    def complete(self) -> None:
        """Add the options that were left until now."""
        add_options, self.add_options = self.add_options, None
        if add_options is not None:
            add_options(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, and remember the words for the message of an error."""
        self.complete()
        self.given = list(args or ())
        parsed, extra = super().parse_known_args(args, namespace)
        named = parsed.__dict__.pop(RUN_OPTION, None)
        if named is not None:
            parsed.run = named
        elif extra and not extra[0].startswith("-") and self._takes_late(parsed):
            parsed.run, extra = extra[0], extra[1:]
        return parsed, extra

    def _takes_late(self, parsed: argparse.Namespace) -> bool:
        """Return whether a run may still be named: before Python 3.13 argparse takes an
        optional positional word only where no option stands before it.
        """
        runs = (each for each in self._actions if each.dest == "run" and each.nargs == "?")
        return any(parsed.run == each.default for each in runs)

    def error(self, message: str) -> NoReturn:
        """Raise ``SettingError``: the message, the right form, and where the help stands."""
        form = ""
        if "required" in message:  # what is lacking may stand there in another form
            for place, word in enumerate(self.given):
                known = word.partition("=")[0] in self._option_string_actions
                if word.startswith("--") and not known:
                    self.refuse_extra(self.given[place:])
            words = [word for word in self.given if not word.startswith("-")]
            form = right_form(self, words[0]) if words else ""
        raise SettingError(f"{message}{form}; see: {self.prog} --help")

    def refuse_extra(self, extra: Sequence[str]) -> NoReturn:
        """Raise ``SettingError`` about words that this command does not take."""
        first, value = extra[0], extra[1] if len(extra) > 1 else ""
        kind = "option" if first.startswith("-") else "argument"
        name = first.partition("=")[0] if kind == "option" else first
        if name in self._option_string_actions:
            raise SettingError(f"{name} comes behind the command: {self.prog} {name}")
        raise SettingError(
            f"{self.prog} has no {kind} {name}{right_form(self, first, value)}; "
            f"see: {self.prog} --help"
        )

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a choice that is none, with the one that was probably meant."""
        choices = action.choices
        if choices is None or value in choices:
            return
        if isinstance(action, argparse._SubParsersAction):
            form = meant(str(value), choices) or right_form(self, str(value))
            raise SettingError(f"no command is called {value!r}{form}; see: {self.prog} --help")
        raise argparse.ArgumentError(
            action,
            f"unknown choice {value!r}{meant(str(value), map(str, choices))}; choose one of: "
            f"{', '.join(map(str, choices))}",
        )

    def format_help(self) -> str:
        """Return the help: an example, what the command does, and its options by title."""
        self.complete()
        formatter = self._get_formatter()
        formatter.add_text(f"example: {self.example}" if self.example else None)
        formatter.add_text(self.description)
        formatter.add_text(f"usage: {self._usage()}")
        for title, actions in self._sections():
            formatter.start_section(title)
            formatter.add_arguments(actions)
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def print_help(self, file: Any = None) -> None:
        """Write the help as any other result. Raises ``OutputError``: stdout is full."""
        show(self.format_help().rstrip())

    def _usage(self) -> str:
        """Return the line of usage: positional arguments, but not each of the options."""
        words = [self.prog]
        for action in self._actions:
            if not action.option_strings:
                name = str(action.metavar or action.dest.upper())
                words.append(f"[{name}]" if action.nargs == "?" else name)
        return " ".join([*words, "[OPTION ...]"])

    def _sections(self) -> list[tuple[str, list[argparse.Action]]]:
        """Return the options by title, those that are usual first."""
        found: dict[str, list[argparse.Action]] = {}
        own = (self._positionals, self._optionals)
        for group in self._action_groups:
            for action in group._group_actions:
                if action.help == argparse.SUPPRESS:
                    continue
                if isinstance(action, argparse._SubParsersAction):
                    for each in action._get_subactions():
                        found.setdefault(action.choices[each.dest].title, []).append(each)
                    continue
                title = USUAL_TITLE if group in own else str(group.title)
                if action.dest in OTHER:
                    title = OTHER_TITLE
                elif action.dest in USUAL or not action.option_strings:
                    title = USUAL_TITLE
                found.setdefault(title, []).append(action)
        found.get(USUAL_TITLE, []).sort(key=_usual_place)
        order = [USUAL_TITLE, *TITLES, *(each for each in found if each != OTHER_TITLE)]
        titles = list(dict.fromkeys([*order, OTHER_TITLE]))
        return [(title, found[title]) for title in titles if title in found]


def _usual_place(action: argparse.Action) -> int:
    return USUAL.index(action.dest) if action.dest in USUAL else len(USUAL)
