"""Command-line options: what each command takes, and the settings that they become."""

from __future__ import annotations

import argparse
from pathlib import Path

from features.corpus import Columns
from features.place import local_path, place, source
from features.precision import STORED_DTYPES
from features.processor import BACKENDS
from features.spec import LAYOUTS, PRECISIONS
from heads.presets import find_preset
from pipeline import cache_options
from pipeline.config import (
    EXAMPLE,
    SPLITS,
    DataConfig,
    ExperimentConfig,
    VectorConfig,
    parse_settings,
)

NO_COLUMN = "none"
"""In place of a name: there is no such column or file, or it is not wanted."""


def data_options(parser: argparse.ArgumentParser) -> None:
    """Which labelled texts."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        type=source,
        default=EXAMPLE,
        metavar="FILE",
        help="CSV, TSV, JSON Lines or Parquet, each optionally .gz, here or on object storage "
        "(s3://...), or hub:owner/name (default: the example)",
    )
    group.add_argument("--text-column", default="text", metavar="NAME", help="default: text")
    group.add_argument("--label-column", default="label", metavar="NAME", help="default: label")
    group.add_argument(
        "--split-column",
        default="split",
        metavar="NAME",
        help="holds train, validation or test a row, if there is one (default: split); "
        "none: leave it unread",
    )
    group.add_argument(
        "--skip-empty", action="store_true", help="leave out rows without a text or label"
    )


def vector_options(parser: argparse.ArgumentParser, layers: str = "two thirds up") -> None:
    """Which vectors of them; ``layers`` says in words which are taken without the option."""
    group = parser.add_argument_group("encoder")
    group.add_argument(
        "--encoder",
        default=VectorConfig.encoder,
        metavar="NAME",
        help=f"a folder or a hub id (default: {VectorConfig.encoder}, embedded)",
    )
    group.add_argument(
        "--layers",
        metavar="N[,N]",
        help="hidden states of the sequence layouts; 0 is the embeddings, -1 the last "
        f"(default: {layers})",
    )
    group.add_argument(
        "--precision",
        choices=("auto", *PRECISIONS),
        default=VectorConfig.precision,
        help="of the encoder's matrix products (default: auto, bfloat16 where it is faster)",
    )
    group.add_argument(
        "--dtype",
        choices=STORED_DTYPES,
        default=VectorConfig.dtype,
        help="stored (default: float16)",
    )
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default=VectorConfig.backend,
        help="what runs the encoder (default: auto, the faster one of those installed)",
    )
    group.add_argument(
        "--devices",
        metavar="NAME[,NAME]",
        help="cpu, cpu*N, cuda, cuda:N: one process each encodes (default: a GPU if there is "
        "one, in this process)",
    )
    group.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help="see up to N tokens of a text, through overlapping windows joined into one "
        "sequence (default: cut at the encoder's limit)",
    )
    group.add_argument(
        "--language",
        default=VectorConfig.language,
        metavar="CODE",
        help="whose rules end the sentences of that layout, such as de or zh (default: en)",
    )
    cache_options.trust_option(group)
    cache_option(group)


def cache_option(group: argparse._ActionsContainer) -> None:
    """Where the feature store is."""
    group.add_argument(
        "--cache",
        type=place,
        default=VectorConfig.cache,
        metavar="FOLDER",
        help="the feature store, here or on object storage (s3://...) (default: cache)",
    )


def memory_option(group: argparse._ActionsContainer) -> None:
    """How much memory vectors may take."""
    group.add_argument(
        "--memory",
        type=float,
        metavar="GB",
        help="that the vectors may take; more are read from a file in the cache, with the same "
        "results (default: half of what is available)",
    )


def layout_option(parser: argparse.ArgumentParser, default: str) -> None:
    """The layout; ``default`` says in words what is taken without it."""
    parser.add_argument(
        "--layout", metavar="NAME", help=f"one of {', '.join(LAYOUTS)} (default: {default})"
    )


def runs_option(parser: argparse.ArgumentParser) -> None:
    """Where run folders stand."""
    parser.add_argument(
        "--runs",
        type=local_path,
        default=ExperimentConfig.runs,
        metavar="FOLDER",
        help="where run folders stand (default: runs)",
    )


def features_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads features``."""
    data_options(parser)
    vector_options(parser)
    layout_option(parser, "all, from one forward pass")
    parser.add_argument(
        "--roofline",
        action="store_true",
        help="say what share of this machine's rate of matrix products the encoder reached",
    )
    cache_options.certify_option(parser)


def export_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads export``."""
    cache_options.export_options(parser)
    layout_option(parser, "pooled")
    data_options(parser)
    vector_options(parser)


def train_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads train``."""
    preset_options(parser, ExperimentConfig.head)
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
    split_options(parser)
    layout_option(parser, "the head's natural one")
    runs_option(parser)
    data_options(parser)
    vector_options(parser)
    memory_option(parser)


def preset_options(parser: argparse.ArgumentParser, default: str) -> None:
    """Which head or preset, and its settings; ``default`` is the head without either."""
    parser.add_argument(
        "--head", help=f"see: manyheads heads (default: the preset's, or {default})"
    )
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="a system that people described: a head and its settings; see: manyheads heads",
    )
    settings_option(parser, "head or preset")


def settings_option(parser: argparse.ArgumentParser, whose: str) -> None:
    """Settings of a head that differ from its own."""
    parser.add_argument(
        "--set",
        action="append",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help=f"override a setting of the {whose}; may be repeated",
    )


def split_options(parser: argparse.ArgumentParser) -> None:
    """How the data is split where it does not say."""
    parser.add_argument(
        "--split-seed",
        type=int,
        default=0,
        help="of the split, where the data has no split column (default: 0)",
    )
    parser.add_argument(
        "--split",
        default=DataConfig.split,
        metavar="RULE",
        help=f"one of {', '.join(SPLITS)}: what a split made here keeps on one side, "
        "near-copies (default) or only texts that are equal but for case and spacing",
    )
    parser.add_argument(
        "--group-column",
        metavar="NAME",
        help="rows with equal values there stay on one side, such as one author's",
    )


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
    settings_option(parser, "head")
    split_options(parser)
    data_options(parser)
    vector_options(parser, "all are compared")


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
        "--skip-empty", action="store_true", help="leave out rows without a text"
    )
    parser.add_argument(
        "--output",
        type=local_path,
        metavar="FILE",
        help=".csv, .parquet or .jsonl, with a probability a class (default: the terminal)",
    )
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
        "--encoder", metavar="NAME", help="where the run's encoder is now, if it was moved"
    )
    cache_options.trust_option(parser)
    runs_option(parser)
    cache_option(parser)
    memory_option(parser)


def audit_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads audit``."""
    data_options(parser)
    vector_options(parser)
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
    parser.add_argument(
        "--remedies",
        metavar="KIND[,KIND]",
        help="findings that --write-clean acts on (default: those that are safe unread)",
    )


def no_options(parser: argparse.ArgumentParser) -> None:
    """``heads`` takes none."""


def data_config(parsed: argparse.Namespace) -> DataConfig:
    """The data that ``data_options`` describe."""
    return DataConfig(
        data=parsed.data,
        columns=Columns(
            text=parsed.text_column,
            label=parsed.label_column,
            split=None if parsed.split_column == NO_COLUMN else parsed.split_column,
            group=getattr(parsed, "group_column", None),
        ),
        skip_empty=parsed.skip_empty,
        split_seed=getattr(parsed, "split_seed", DataConfig.split_seed),
        split=getattr(parsed, "split", DataConfig.split),
    )


def vector_config(parsed: argparse.Namespace) -> VectorConfig:
    """The vectors that ``vector_options`` describe."""
    return VectorConfig(
        encoder=parsed.encoder,
        layers=parsed.layers,
        cache=parsed.cache,
        dtype=parsed.dtype,
        precision=parsed.precision,
        trust_remote_code=parsed.trust_remote_code,
        max_tokens=parsed.max_tokens,
        language=parsed.language,
        memory=getattr(parsed, "memory", None),
        backend=parsed.backend,
        devices=parsed.devices,
    )


def experiment_config(parsed: argparse.Namespace) -> ExperimentConfig:
    """The experiment that the options of ``train`` describe."""
    preset = find_preset(parsed.preset) if parsed.preset else None
    return ExperimentConfig(
        data=data_config(parsed),
        vectors=vector_config(parsed),
        head=parsed.head or (preset.head if preset else ExperimentConfig.head),
        preset=preset.name if preset else None,
        layout=parsed.layout,
        settings=settings(parsed),
        seed=parsed.seed,
        seeds=parsed.seeds,
        folds=parsed.folds,
        runs=parsed.runs,
    )


def settings(parsed: argparse.Namespace) -> dict[str, str]:
    """The head's settings that ``--set`` names."""
    return parse_settings([pair for group in parsed.set for pair in group])
