"""``manyheads search``: the best that a time allows."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.search.config import SearchConfig

APART = ("encoder", "layers")
"""Options of which a search takes several values."""


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
    from pipeline.search.study import STUDY, STUDY_FORMAT, find_study

    folder = find_study(parsed.join, parsed.runs)
    words = STUDY_FORMAT.read(folder / STUDY).arguments
    begun = parsed.parser.parse_args([*words, "--runs", str(folder.parent)])
    begun.join = str(folder)
    for name in ("device", "devices", "memory"):  # of this machine
        setattr(begun, name, getattr(parsed, name))
    return _of(begun)


def _of(parsed: argparse.Namespace) -> SearchConfig:
    encoders = tuple(dict.fromkeys(parsed.encoder))
    layers = tuple(dict.fromkeys(parsed.layers))
    for name in APART:  # the configuration of one encoder has options of these names
        delattr(parsed, name)
    return options.from_arguments(SearchConfig, parsed, encoders=encoders, layer_choices=layers)
