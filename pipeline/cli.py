"""The ``manyheads`` command: arguments in, one function called, exit code out.

Exit codes: 0 done; 2 the user's input is wrong (one line on stderr); 1 a fault of ours;
130 interrupted. With ``--json`` stdout holds one JSON object and nothing else.

Each command's module is imported when it runs, so that none pays for another's libraries.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from features.corpus import Columns
from features.errors import InputError, ManyheadsError, SettingError
from features.spec import LAYOUTS, PRECISIONS
from pipeline.config import (
    DTYPES,
    EXAMPLE,
    SPLITS,
    DataConfig,
    ExperimentConfig,
    VectorConfig,
    parse_settings,
)

INTERRUPTED = 130

NO_COLUMN = "none"
"""In place of a name: there is no such column or file, or it is not wanted."""


@dataclass(frozen=True)
class Answer:
    """What a command gave: the object for ``--json``, the text for people."""

    json: dict[str, Any]
    text: str


@dataclass(frozen=True)
class Command:
    """One row of the table of commands.

    Attributes:
        summary: one line for ``manyheads --help``.
        options: adds its options to a parser.
        run: parsed arguments -> answer.
    """

    summary: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Answer]


class Parser(argparse.ArgumentParser):
    """argparse, with wrong usage raised as the project's own one-line error."""

    def error(self, message: str) -> NoReturn:
        """Raise ``SettingError``: the message, and where the help stands."""
        raise SettingError(f"{message}; see: {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        parsed = make_parser().parse_args(arguments)
        answer = COMMANDS[parsed.command].run(parsed)
        shown = json.dumps(answer.json, ensure_ascii=False) if parsed.json else answer.text
        sys.stdout.write(shown + "\n")
        sys.stdout.flush()
    except ManyheadsError as error:
        kind = "error" if isinstance(error, InputError) else "fault"
        sys.stderr.write(f"{kind}: {' '.join(str(error).splitlines())}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was encoded so far is kept in the cache\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (a pipe into head); there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands, drawn from ``COMMANDS``."""
    parser = Parser(
        prog="manyheads",
        description="Encode texts once with a frozen encoder; train light heads in seconds.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        child = commands.add_parser(name, help=command.summary, description=command.summary)
        command.options(child)
        child.add_argument(
            "--json", action="store_true", help="print one JSON object on stdout, nothing else"
        )
    return parser


def _data_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        type=Path,
        default=EXAMPLE,
        metavar="FILE",
        help="CSV, TSV, JSON Lines or Parquet, each optionally .gz (default: the example)",
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


def _vector_options(parser: argparse.ArgumentParser) -> None:
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
        "(default: two thirds up)",
    )
    group.add_argument(
        "--precision",
        choices=("auto", *PRECISIONS),
        default=VectorConfig.precision,
        help="of the encoder's matrix products (default: auto, bfloat16 where it is faster)",
    )
    group.add_argument(
        "--dtype", choices=DTYPES, default=VectorConfig.dtype, help="stored (default: float16)"
    )
    _cache_option(group)


def _cache_option(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--cache",
        type=Path,
        default=VectorConfig.cache,
        metavar="FOLDER",
        help="the feature store (default: cache)",
    )


def _layout_option(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--layout", metavar="NAME", help=f"one of {', '.join(LAYOUTS)} (default: {default})"
    )


def _runs_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs",
        type=Path,
        default=ExperimentConfig.runs,
        metavar="FOLDER",
        help="where run folders stand (default: runs)",
    )


def _features_options(parser: argparse.ArgumentParser) -> None:
    _data_options(parser)
    _vector_options(parser)
    _layout_option(parser, "all, from one forward pass")


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--head", default="logistic", help="see: manyheads heads")
    parser.add_argument(
        "--set",
        action="append",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="override a setting of the head; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
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
    _layout_option(parser, "the head's natural one")
    _runs_option(parser)
    _data_options(parser)
    _vector_options(parser)


def _predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", default="latest", help="a run folder or its name (default: latest)"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", action="append", help="a text; may be repeated")
    what.add_argument("--data", type=Path, metavar="FILE", help="a file of texts")
    parser.add_argument("--text-column", default="text", metavar="NAME", help="default: text")
    parser.add_argument(
        "--skip-empty", action="store_true", help="leave out rows without a text"
    )
    parser.add_argument(
        "--output",
        type=Path,
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
    _runs_option(parser)
    _cache_option(parser)


def _audit_options(parser: argparse.ArgumentParser) -> None:
    _data_options(parser)
    _vector_options(parser)
    parser.add_argument(
        "--page",
        type=Path,
        default=Path("audit.html"),
        metavar="FILE",
        help="the findings with their texts as one HTML page (default: audit.html; or none)",
    )
    parser.add_argument(
        "--write-clean",
        type=Path,
        metavar="FILE",
        help="write the corpus with the remedies, and what was done to each row; "
        ".csv, .tsv, .jsonl or .parquet",
    )
    parser.add_argument(
        "--remedies",
        metavar="KIND[,KIND]",
        help="findings that --write-clean acts on (default: those that are safe unread)",
    )


def _no_options(parser: argparse.ArgumentParser) -> None:
    """``heads`` takes none."""


def _data_config(parsed: argparse.Namespace) -> DataConfig:
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


def _vector_config(parsed: argparse.Namespace) -> VectorConfig:
    return VectorConfig(
        encoder=parsed.encoder,
        layers=parsed.layers,
        cache=parsed.cache,
        dtype=parsed.dtype,
        precision=parsed.precision,
    )


def _features(parsed: argparse.Namespace) -> Answer:
    encoding = importlib.import_module("pipeline.encoding")
    result = encoding.run_features(_data_config(parsed), _vector_config(parsed), parsed.layout)
    return Answer(result.to_dict(), result.to_text())


def _train(parsed: argparse.Namespace) -> Answer:
    config = ExperimentConfig(
        data=_data_config(parsed),
        vectors=_vector_config(parsed),
        head=parsed.head,
        layout=parsed.layout,
        settings=parse_settings([pair for group in parsed.set for pair in group]),
        seed=parsed.seed,
        runs=parsed.runs,
    )
    result = importlib.import_module("pipeline.experiment").run_experiment(config)
    text = importlib.import_module("pipeline.report").result_text(result)
    return Answer(result.to_dict(), text)


def _predict(parsed: argparse.Namespace) -> Answer:
    predicting = importlib.import_module("pipeline.predict")
    if parsed.output:
        predicting.check_output(parsed.output)
    if parsed.text and not all(text.strip() for text in parsed.text):
        raise SettingError("--text is empty; give a text to label")
    if parsed.explain < 0:
        raise SettingError(f"--explain takes how many texts, 1 or more; got {parsed.explain}")
    texts = parsed.text or predicting.read_texts(
        parsed.data, parsed.text_column, parsed.skip_empty
    )
    predictions = predicting.predict(
        parsed.run,
        parsed.runs,
        parsed.cache,
        texts,
        encoder=parsed.encoder,
        explain=parsed.explain,
    )
    if not parsed.output:
        return Answer(predictions.to_dict(), predictions.to_text())
    predicting.write_predictions(predictions, parsed.output)
    answer = {"run": str(predictions.run), "texts": len(texts), "output": str(parsed.output)}
    return Answer(answer, f"{len(texts):,} texts labelled: {parsed.output}")


def _audit(parsed: argparse.Namespace) -> Answer:
    cleaning = importlib.import_module("pipeline.clean")
    remedies = cleaning.check_remedies(parsed.remedies)
    if parsed.write_clean:
        cleaning.check_target(parsed.write_clean)
    data = _data_config(parsed)
    result = importlib.import_module("pipeline.audit").run_audit(data, _vector_config(parsed))
    files: dict[str, str] = {}
    if str(parsed.page) != NO_COLUMN:
        importlib.import_module("pipeline.audit_page").write_page(result, parsed.page)
        files["page"] = str(parsed.page)
    if parsed.write_clean:
        plan = cleaning.plan_cleaning(result.evidence, result.findings, remedies)
        kept, dropped = cleaning.write_clean(
            result.evidence, plan, data.columns, parsed.write_clean
        )
        files |= {"clean": str(kept)} | ({"dropped": str(dropped)} if dropped else {})
    shown = "".join(f"\n{name}: {path}" for name, path in files.items())
    return Answer({**result.to_dict(), **files}, f"{result.to_text()}\n{shown}")


def _heads(parsed: argparse.Namespace) -> Answer:
    listing = importlib.import_module("pipeline.listing")
    return Answer(listing.heads_dict(), listing.heads_text())


COMMANDS = {
    "features": Command("encode a corpus once, for every head", _features_options, _features),
    "train": Command("train and score a head on cached vectors", _train_options, _train),
    "predict": Command("label texts with a trained run", _predict_options, _predict),
    "audit": Command("find what is wrong with a corpus", _audit_options, _audit),
    "heads": Command("list the heads and their settings", _no_options, _heads),
}
"""Every command, by name."""
