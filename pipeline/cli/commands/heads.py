"""``manyheads heads``: list the heads and their settings."""

from __future__ import annotations

import argparse

from pipeline.cli.command import Answer


def add_options(parser: argparse.ArgumentParser) -> None:
    """``heads`` takes none."""


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.reports.listing import heads_dict, heads_text

    return Answer(heads_dict(), heads_text())
