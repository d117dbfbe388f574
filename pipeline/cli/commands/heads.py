"""``manyheads heads``: list the heads, or the settings of one."""

from __future__ import annotations

import argparse

from pipeline.cli.command import Answer


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads heads``."""
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="list the settings of this head or preset, or all presets (default: one line per "
        "head)",
    )


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.reports.listing import heads_dict, heads_text, one_dict, one_text

    if parsed.name is None:
        return Answer(heads_dict(), heads_text())
    return Answer(one_dict(parsed.name), one_text(parsed.name))
