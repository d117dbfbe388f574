"""Command-line options: what each command takes; those that several share stand elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from features.storage.location import local_path, source
from heads.presets import find_preset
from pipeline.cli import cache_options, options
from pipeline.config import ExperimentConfig
from pipeline.spreadsheet import ESCAPE, KEEP


def features_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads features``."""
    options.data_options(parser)
    options.vector_options(parser)
    options.layout_option(parser, "pooled and tokens, from one forward pass")
    parser.add_argument(
        "--roofline",
        action="store_true",
        help="say what share of this machine's rate of matrix products the encoder reached",
    )
    cache_options.certify_option(parser)


def export_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads export``."""
    cache_options.export_options(parser)
    options.layout_option(parser, "pooled")
    options.data_options(parser)
    options.vector_options(parser)


def train_options(parser: argparse.ArgumentParser) -> None:
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


def layers_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads layers``."""
    parser.add_argument(
        "--sample",
        type=int,
        default=2000,
        metavar="N",
        help="texts at the most, drawn class by class (default: 2000)",
    )
    parser.add_argument(
        "--seeds", type=int, default=2, metavar="K", help="trainings of each layer (default: 2)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first one (default: 0)")
    parser.add_argument(
        "--plot",
        type=local_path,
        default=Path("layers.png"),
        metavar="FILE",
        help="accuracy by layer as a PNG (default: layers.png; or none)",
    )
    parser.add_argument("--head", default="cnn", help="trained on each layer (default: cnn)")
    options.settings_option(parser, "head")
    options.split_options(parser)
    options.data_options(parser)
    options.vector_options(parser, "all are compared")
    options.memory_option(parser)


def predict_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads predict``."""
    parser.add_argument(
        "--run",
        default="latest",
        help="a run folder, its name, or a model folder (default: latest)",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", action="append", help="a text; may be repeated")
    what.add_argument("--data", type=source, metavar="FILE", help="a file of texts")
    parser.add_argument("--text-column", default="text", metavar="NAME", help="default: text")
    parser.add_argument(
        "--skip-empty",
        action="store_true",
        help="leave out rows without a text, and say the row of each of the others",
    )
    parser.add_argument(
        "--output",
        type=local_path,
        metavar="FILE",
        help=".csv, .parquet or .jsonl, with a probability a class (default: the terminal)",
    )
    options.formulas_option(parser, ESCAPE)
    parser.add_argument(
        "--explain",
        nargs="?",
        type=int,
        const=3,
        default=0,
        metavar="N",
        help="show the N nearest training texts with their labels (default: 3); in a file, "
        ".jsonl only",
    )
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        metavar="NAME",
        help="where the run's encoder is now, if it was moved; may be repeated for a blend",
    )
    options.trust_option(parser)
    options.runs_option(parser)
    options.cache_option(parser)
    options.memory_option(parser)


def audit_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads audit``."""
    options.data_options(parser)
    options.vector_options(parser)
    options.memory_option(parser)
    parser.add_argument(
        "--page",
        type=local_path,
        default=Path("audit.html"),
        metavar="FILE",
        help="the findings with their texts as one HTML page (default: audit.html; or none)",
    )
    parser.add_argument(
        "--examples",
        type=int,
        default=10,
        metavar="N",
        help="most examples of each finding on the page and in --json (default: 10)",
    )
    parser.add_argument(
        "--write-clean",
        type=local_path,
        metavar="FILE",
        help="write the corpus with the remedies, and what was done to each row; "
        ".csv, .tsv, .jsonl or .parquet",
    )
    options.formulas_option(parser, KEEP)
    parser.add_argument(
        "--remedies",
        metavar="KIND[,KIND]",
        help="findings that --write-clean acts on (default: those that are safe unread)",
    )


def no_options(parser: argparse.ArgumentParser) -> None:
    """``heads`` takes none."""


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
