"""Options that several commands share, and the settings that they become."""

from __future__ import annotations

import argparse

from features.corpus.corpus import Columns
from features.corpus.source import parse_source
from features.encoders.backends.names import BACKENDS
from features.storage.location import local_path, parse_location
from features.vectors.precision import STORED_DTYPES
from features.vectors.spec import LAYOUTS, PRECISIONS
from pipeline.config import (
    EXAMPLE,
    NO_COLUMN,
    SPLITS,
    DataConfig,
    ExperimentConfig,
    VectorConfig,
    parse_settings,
)
from pipeline.spreadsheet import FORMULAS


def data_options(parser: argparse.ArgumentParser) -> None:
    """Which labelled texts."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        type=parse_source,
        default=EXAMPLE,
        metavar="FILE",
        help="CSV, TSV, JSON Lines or Parquet, each optionally .gz, or a folder of Parquet, "
        "here or on object storage (s3://...), or hub:owner/name (default: the example)",
    )
    text_column_option(group)
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
        help="a folder, or a hub id such as owner/name or owner/name@revision (default: "
        f"{VectorConfig.encoder}, embedded)",
    )
    group.add_argument(
        "--layers",
        metavar="N[,N]",
        help="hidden states of the tokens layout; 0 is the embeddings, -1 the last "
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
        "--prompt",
        metavar="TEXT",
        help='put before every text, such as "query: " for e5; "" puts none (default: the '
        "encoder's own)",
    )
    group.add_argument(
        "--prompt-name",
        metavar="NAME",
        help="a prompt that the encoder has a name for, such as query",
    )
    group.add_argument(
        "--language",
        default=VectorConfig.language,
        metavar="CODE",
        help="whose rules end the sentences, such as de or zh; of no effect in other layouts "
        "(default: en)",
    )
    trust_option(group)
    cache_option(group)


def cache_option(group: argparse._ActionsContainer) -> None:
    """Where the feature store is."""
    group.add_argument(
        "--cache",
        type=parse_location,
        default=VectorConfig.cache,
        metavar="FOLDER",
        help="the feature store, here or on object storage (s3://...) (default: cache)",
    )


def trust_option(group: argparse._ActionsContainer) -> None:
    """The one switch that lets code run which comes with a model."""
    group.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run the Python code that comes with the encoder: only if you have read it",
    )


def text_column_option(group: argparse._ActionsContainer) -> None:
    """Which column holds the texts."""
    group.add_argument("--text-column", default="text", metavar="NAME", help="default: text")


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


def formulas_option(parser: argparse.ArgumentParser, default: str) -> None:
    """What becomes of cells that a spreadsheet would run."""
    parser.add_argument(
        "--formulas",
        choices=FORMULAS,
        default=default,
        help="texts and labels in a .csv or .tsv that a spreadsheet would run, as they begin "
        f"with = + - @: escape them by an apostrophe, or keep them (default: {default})",
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


def preset_options(parser: argparse.ArgumentParser, default: str) -> None:
    """Which head or preset, and its settings; ``default`` is the head without either."""
    parser.add_argument(
        "--head", help=f"see: manyheads heads (default: the preset's, or {default})"
    )
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="a system that people described, or long, which is ours for long texts; see: "
        "manyheads heads",
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
        prompt=parsed.prompt,
        prompt_name=parsed.prompt_name,
    )


def settings(parsed: argparse.Namespace) -> dict[str, str]:
    """The head's settings that ``--set`` names."""
    return parse_settings([pair for group in parsed.set for pair in group])
