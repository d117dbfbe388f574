"""``manyheads lr-range``: find the learning rate to train a head with."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.tuning.config import LrRangeConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads lr-range``."""
    options.add_options(
        parser,
        LrRangeConfig,
        without=("seeds", "folds", "split_of", "runs"),
        otherwise={"head": "the preset's, or cnn"},
    )


def run(parsed: argparse.Namespace) -> Answer:
    """``manyheads lr-range``."""
    from pipeline.training.preparation import check_first_rows, check_head, find_encoder

    config = options.from_arguments(LrRangeConfig, parsed)
    check_head(config.training)
    check_first_rows(config.training.data)
    find_encoder(config.training.vectors)
    # Imported only now: this takes seconds, and what is wrong was answered before.
    from pipeline.tuning.learning_rate import run_lr_range

    return answer(run_lr_range(config))
