"""Did you mean: the right form of a word that a command does not take."""

from __future__ import annotations

import argparse
import shlex
from difflib import get_close_matches
from pathlib import Path

SAME = {
    "lr": "learning_rate",
    "rate": "learning_rate",
    "epoch": "epochs",
    "batch": "batch_size",
    "bs": "batch_size",
    "hidden": "units",
    "hidden_size": "units",
    "decay": "weight_decay",
    "wd": "weight_decay",
    "regularization": "c",
}
"""What other programs call a setting, and its name here."""

VALUE = "VALUE"
NEAR = 0.75
"""Least similarity of a suggestion, from 0 to 1."""


def right_form(parser: argparse.ArgumentParser, word: str, value: str = "") -> str:
    """Return how a word should have been given, as the end of a message; '' if unknown.

    Args:
        parser: of the command.
        word: what it does not take: an option or a positional word.
        value: the word after it.
    """
    if word.startswith("-"):
        name, equals, own = word.partition("=")
        if equals:
            value = own
        form = _option(parser, name, "" if value.startswith("-") else value)
    else:
        form = _positional(parser, word)
    return f" (did you mean {form}?)" if form else ""


def _option(parser: argparse.ArgumentParser, flag: str, value: str) -> str:
    """Return the option that comes closest, or the setting of a head of that name."""
    name = flag.lstrip("-").replace("-", "_")
    flags = {
        each: action
        for action in parser._actions
        if action.help != argparse.SUPPRESS
        for each in action.option_strings
    }
    settings = _settings() if "--set" in flags else {}
    setting = SAME.get(name, name)
    if setting not in settings:
        near = get_close_matches(f"--{name.replace('_', '-')}", flags, n=1, cutoff=NEAR)
        if near:
            return f"{near[0]} {value}" if value and flags[near[0]].nargs != 0 else near[0]
        close = get_close_matches(name, settings, n=1, cutoff=NEAR)
        if not close:
            return ""
        setting = close[0]
    chosen = _value_of(parser, "--head") or "logistic"
    own = chosen in settings[setting]
    head = "" if own else f"--head {_most_general(settings[setting])} "
    return f"{head}--set {setting}={value or VALUE}"


def _settings() -> dict[str, list[str]]:
    """Return every setting with the heads that have it."""
    from heads.registry import HEADS

    found: dict[str, list[str]] = {}
    for head in HEADS.values():
        for name in head.settings.model_fields:
            found.setdefault(name, []).append(head.name)
    return found


def _most_general(heads: list[str]) -> str:
    """Return the head to suggest where several have a setting."""
    return next((name for name in ("cnn", "lstm") if name in heads), heads[0])


def _value_of(parser: argparse.ArgumentParser, flag: str) -> str:
    """Return the value that was given to an option; '' where there is none."""
    given: list[str] = list(getattr(parser, "given", ()))
    for place, word in enumerate(given):
        if word == flag and place + 1 < len(given):
            return given[place + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    return ""


def _positional(parser: argparse.ArgumentParser, word: str) -> str:
    """Return the option that takes a word that stands by itself."""
    flags = set(parser._option_string_actions)
    command = parser.prog
    if not flags & {"--data"}:  # of all commands: a file is most likely to be trained on
        return f"{command} train --data {shlex.quote(word)}" if _is_file(word) else ""
    name, equals, _ = word.partition("=")
    if "--set" in flags and equals and name.isidentifier():
        return f"--set {word}"
    if "--head" in flags and word in _heads():
        return f"{command} --head {word}"
    return f"{command} --data {shlex.quote(word)}" if _is_file(word) else ""


def _heads() -> list[str]:
    from heads.registry import HEADS

    return list(HEADS)


def _is_file(word: str) -> bool:
    """Return whether a word names data: a place elsewhere, something here, or a suffix."""
    if word.startswith(("hub:", "s3://")) or Path(word).suffix:
        return True
    try:
        return Path(word).exists()
    except (OSError, ValueError):
        return False
