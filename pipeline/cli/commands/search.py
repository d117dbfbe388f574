"""``manyheads search``: the best that a time allows."""

from __future__ import annotations

import argparse

from features.errors import SettingError
from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.encoding.config import RAY
from pipeline.search.config import SearchConfig

APART = ("encoder", "layers")
"""Options of which a search takes several values."""

OF_MACHINE = ("device", "devices", "memory", "executor", "address", "workers")
"""Options that each process of a study may choose for itself."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads search``."""
    own = parser.add_argument_group(SearchConfig.GROUP)
    for name, what in (
        ("encoder", "vectors of this encoder, or of several in one head, joined by commas"),
        ("layers", "these layers"),
    ):
        own.add_argument(
            f"--{name}",
            action="extend",
            nargs="+",
            default=[],
            metavar="NAME[,NAME]" if name == "encoder" else "N[,N]",
            help=f"try {what}; several may be named",
        )
    options.add_options(parser, SearchConfig, without=APART)


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.search.search import prepare_search

    prepared = prepare_search(_config(parsed))
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.search.search import run_search

    return answer(run_search(prepared))


def _config(parsed: argparse.Namespace) -> SearchConfig:
    """Return the configuration; of a study that is joined, that with which it was begun."""
    if parsed.join is None:
        return _of(parsed)
    _refuse_others(parsed)
    from pipeline.search.records.study import STUDY, STUDY_FORMAT, find_study

    folder = find_study(parsed.join, parsed.runs)
    words = STUDY_FORMAT.read(folder / STUDY).arguments
    begun = parsed.parser.parse_args([*words, "--runs", str(folder.parent)])
    begun.join = str(folder)
    for name in OF_MACHINE:
        setattr(begun, name, getattr(parsed, name))
    if begun.executor == RAY:
        begun.jobs = 1  # those of the study are processes of its own machine
    return _of(begun)


def _refuse_others(parsed: argparse.Namespace) -> None:
    """Raise a SettingError for an option that the study has decided already."""
    usual = vars(parsed.parser.parse_args([]))
    free = (*OF_MACHINE, "join", "runs", "json")
    for name, value in vars(parsed).items():
        if name in usual and value != usual[name] and name not in free:
            flag = f"--{name.replace('_', '-')}"
            raise SettingError(
                f"--join helps with a study as it was begun: leave {flag} out, or give it to "
                "the command that began the study"
            )


def _of(parsed: argparse.Namespace) -> SearchConfig:
    encoders = tuple(dict.fromkeys(parsed.encoder))
    layers = tuple(dict.fromkeys(parsed.layers))
    for name in APART:  # the configuration of one encoder has options of these names
        delattr(parsed, name)
    return options.from_arguments(SearchConfig, parsed, encoders=encoders, layer_choices=layers)
