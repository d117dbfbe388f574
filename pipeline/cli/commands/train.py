"""``manyheads train``: train and score a head on cached vectors."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import ExperimentConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads train``."""
    options.add_options(parser, ExperimentConfig)


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.training.preparation import prepare_experiment

    prepared = prepare_experiment(options.from_arguments(ExperimentConfig, parsed))
    from pipeline.reports.drawing import Drawing
    from pipeline.reports.verdict import verdict_text

    with Drawing() as drawing:
        # Imported only now: this takes seconds, and what is wrong was answered before.
        from pipeline.training.experiment import run_prepared

        result = run_prepared(prepared, drawing=drawing)
    return Answer(result.to_dict(), verdict_text(result))
