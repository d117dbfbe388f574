"""``manyheads train``: train and score a head on cached vectors."""

from __future__ import annotations

import argparse

from heads.presets import find_preset
from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import ExperimentConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads train``."""
    options.preset_options(parser, ExperimentConfig.head)
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    parser.add_argument(
        "--seeds",
        type=int,
        default=ExperimentConfig.seeds,
        metavar="N",
        help="train with N seeds, --seed and those after it, and report mean and spread "
        "(default: 1)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        default=ExperimentConfig.folds,
        metavar="K",
        help="deal the texts into K folds and test each once (default: one split)",
    )
    parser.add_argument(
        "--split-of",
        metavar="RUN",
        help="train, validate and test on the texts that a finished run did, for a fair "
        "comparison or a blend",
    )
    options.split_options(parser)
    options.layout_option(parser, "the head's natural one")
    options.runs_option(parser)
    options.data_options(parser)
    options.vector_options(parser)
    options.memory_option(parser)


def experiment_config(parsed: argparse.Namespace) -> ExperimentConfig:
    """The experiment that the options of ``train`` describe."""
    preset = find_preset(parsed.preset) if parsed.preset else None
    return ExperimentConfig(
        data=options.data_config(parsed),
        vectors=options.vector_config(parsed),
        head=parsed.head or (preset.head if preset else ExperimentConfig.head),
        preset=preset.name if preset else None,
        layout=parsed.layout,
        settings=options.settings(parsed),
        seed=parsed.seed,
        seeds=parsed.seeds,
        folds=parsed.folds,
        split_of=parsed.split_of,
        runs=parsed.runs,
    )


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.reports.terminal import result_text
    from pipeline.training.experiment import run_experiment

    config = experiment_config(parsed)
    result = run_experiment(config)
    text = result_text(result)
    return Answer(result.to_dict(), text)
