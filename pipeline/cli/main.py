"""The ``manyheads`` command: arguments in, one function called, exit code out.

Exit codes: 0 done; 2 the user's input is wrong, or the system refuses a file (one line on
stderr); 1 a fault of ours; 130 interrupted. With ``--json`` stdout holds one JSON object and
nothing else.

Each command's module is imported when it runs, so that none pays for another's libraries.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from features.errors import InputError, ManyheadsError, SettingError
from pipeline.cli import cache_options, command_options, model_options
from pipeline.cli import options as shared_options
from pipeline.cli.system_errors import system_error
from pipeline.console import open_streams, say, show, show_json

NAME = "manyheads"
INTERRUPTED = 130

# How often a thread of GNU's OpenMP looks for work before it sleeps. By default 300,000 times:
# as long as another program holds one of the cores, the threads wait for one another most of
# the time, and a training took up to four times as long as with this.
SPINS = "10000"


@dataclass(frozen=True)
class Answer:
    """What a command gave: the object for ``--json``, the text for people, the exit code."""

    json: dict[str, Any]
    text: str
    exit_code: int = 0


@dataclass(frozen=True)
class Command:
    """One row of the table of commands.

    Attributes:
        summary: one line for ``manyheads --help``.
        example: its arguments in the example that ends its help.
        add_options: adds its options to a parser.
        run: parsed arguments -> answer.
    """

    summary: str
    example: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Answer]


class Parser(argparse.ArgumentParser):
    """argparse, with wrong usage raised as the project's own one-line error."""

    def error(self, message: str) -> NoReturn:
        """Raise ``SettingError``: the message, and where the help stands."""
        raise SettingError(f"{message}; see: {self.prog} --help")

    def print_help(self, file: Any = None) -> None:
        """Write the help as any other result. Raises ``OutputError``: stdout is full."""
        show(self.format_help().rstrip())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # read when a command imports torch
    open_streams()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except ManyheadsError as error:
        kind = "error" if isinstance(error, InputError) else "fault"
        say(f"{kind}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say(
            "interrupted: what was encoded so far is kept in the cache, and of train each "
            "finished training; the same command goes on from there"
        )
        return INTERRUPTED
    except Exception as error:
        reason = system_error(error)
        if reason is None:
            raise
        say(f"error: {reason}")
        return InputError.exit_code


def _run(arguments: Sequence[str]) -> int:
    """Run one command and show its answer. Who reads it may go away, such as ``head``."""
    exit_code = 0
    try:
        _refuse_dashes(arguments)
        parser = make_parser()
        parsed = parser.parse_args(arguments)
        if parsed.version:
            show(f"manyheads {importlib.import_module('importlib.metadata').version(NAME)}")
        elif parsed.command is None:
            parser.print_help()
        else:
            answer = COMMANDS[parsed.command].run(parsed)
            exit_code = answer.exit_code
            if parsed.json:
                show_json(answer.json)
            else:
                show(answer.text)
    except BrokenPipeError:
        pass  # nobody is left to tell
    return exit_code


def _refuse_dashes(arguments: Sequence[str]) -> None:
    """argparse drops the value of ``--name=--`` and hands on a list. Raises SettingError."""
    for argument in arguments:
        if re.fullmatch(r"--[\w-]+=--", argument):
            raise SettingError(f"{argument[:-3]} takes a value, and -- is none")


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands, drawn from ``COMMANDS``."""
    parser = Parser(
        prog=NAME,
        description="Encode texts once with a frozen encoder; train light heads in seconds.",
        epilog=f"example: {NAME} train --head cnn",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        child = commands.add_parser(
            name,
            help=command.summary,
            description=command.summary,
            epilog=f"example: {NAME} {name} {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_options(child)
        child.add_argument(
            "--json", action="store_true", help="print one JSON object on stdout, nothing else"
        )
    return parser


def _features(parsed: argparse.Namespace) -> Answer:
    if parsed.certify is not None:
        certificate = importlib.import_module("pipeline.encoding.certification").certify(
            shared_options.data_config(parsed),
            shared_options.vector_config(parsed),
            parsed.layout,
            parsed.certify,
        )
        return Answer(certificate.to_dict(), certificate.to_text())
    encoding = importlib.import_module("pipeline.encoding.corpus_encoding")
    result = encoding.run_features(
        shared_options.data_config(parsed),
        shared_options.vector_config(parsed),
        parsed.layout,
        parsed.roofline,
    )
    return Answer(result.to_dict(), result.to_text())


def _export(parsed: argparse.Namespace) -> Answer:
    result = importlib.import_module("pipeline.encoding.export").run_export(
        shared_options.data_config(parsed),
        shared_options.vector_config(parsed),
        parsed.layout,
        parsed.format,
        parsed.out,
    )
    return Answer(result.to_dict(), result.to_text())


def _train(parsed: argparse.Namespace) -> Answer:
    config = command_options.experiment_config(parsed)
    result = importlib.import_module("pipeline.training.experiment").run_experiment(config)
    text = importlib.import_module("pipeline.reports.terminal").result_text(result)
    return Answer(result.to_dict(), text)


def _predict(parsed: argparse.Namespace) -> Answer:
    predicting = importlib.import_module("pipeline.models.predictor")
    writing = importlib.import_module("pipeline.models.predictions")
    for text in parsed.text or ():
        check_text(text)
    if parsed.output:
        reads = (*([parsed.data] if parsed.data else []), parsed.cache, *parsed.encoder)
        writing.check_target(parsed.output, parsed.run, parsed.runs, reads)
    if parsed.explain < 0:
        raise SettingError(f"--explain takes how many texts, 1 or more; got {parsed.explain}")
    texts, rows = (
        (parsed.text, ())
        if parsed.text
        else predicting.read_texts(parsed.data, parsed.text_column, parsed.skip_empty)
    )
    predictions = predicting.predict(
        parsed.run,
        parsed.runs,
        parsed.cache,
        texts,
        encoders=parsed.encoder,
        trust_remote_code=parsed.trust_remote_code,
        explain=parsed.explain,
        memory=parsed.memory,
    )
    predictions = replace(predictions, rows=rows)
    if not parsed.output:
        return Answer(predictions.to_dict(), predictions.to_text())
    writing.write_predictions(predictions, parsed.output, parsed.formulas)
    answer = {
        "run": str(predictions.run),
        "texts": len(texts),
        "truncated": int(predictions.truncated.sum()),
        "output": str(parsed.output),
    }
    return Answer(answer, f"{len(texts):,} texts labelled: {parsed.output}")


def _audit(parsed: argparse.Namespace) -> Answer:
    cleaning = importlib.import_module("pipeline.audit.cleaning")
    remedies = cleaning.check_remedies(parsed.remedies)
    data, vectors = shared_options.data_config(parsed), shared_options.vector_config(parsed)
    page = None if str(parsed.page) == shared_options.NO_COLUMN else parsed.page
    cleaning.check_targets(
        page, parsed.write_clean, (data.data, vectors.cache, vectors.encoder)
    )
    result = importlib.import_module("pipeline.audit.audit").run_audit(
        data, vectors, examples=parsed.examples
    )
    files: dict[str, str] = {}
    if page:
        importlib.import_module("pipeline.audit.page").write_page(result, page)
        files["page"] = str(page)
    if parsed.write_clean:
        plan = cleaning.plan_cleaning(result.evidence, result.findings, remedies)
        kept, dropped = cleaning.write_clean(
            result.evidence, plan, data.columns, parsed.write_clean, parsed.formulas
        )
        files |= {"clean": str(kept)} | ({"dropped": str(dropped)} if dropped else {})
    shown = "".join(f"\n{name}: {path}" for name, path in files.items())
    return Answer({**result.to_dict(), **files}, f"{result.to_text()}\n{shown}")


def check_text(text: str) -> None:
    """Refuse a text that cannot be labelled. Raises ``SettingError``."""
    if not text.strip():
        raise SettingError("--text is empty; give a text to label")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # bytes of the command line that are no UTF-8
        raise SettingError(f"--text {text!r} is not UTF-8; convert it first") from error


def _layers(parsed: argparse.Namespace) -> Answer:
    layers = importlib.import_module("pipeline.tuning.layers")
    config = layers.LayersConfig(
        data=shared_options.data_config(parsed),
        vectors=shared_options.vector_config(parsed),
        head=parsed.head,
        settings=shared_options.settings(parsed),
        sample=parsed.sample,
        seeds=parsed.seeds,
        seed=parsed.seed,
        plot=None if str(parsed.plot) == shared_options.NO_COLUMN else parsed.plot,
    )
    result = layers.run_layers(config)
    return Answer(result.to_dict(), result.to_text())


def _heads(parsed: argparse.Namespace) -> Answer:
    listing = importlib.import_module("pipeline.reports.listing")
    return Answer(listing.heads_dict(), listing.heads_text())


def _answered_by(module: str, function: str = "run") -> Callable[[argparse.Namespace], Answer]:
    """A command answered elsewhere: parsed arguments -> to_dict, to_text, exit_code."""

    def run(parsed: argparse.Namespace) -> Answer:
        result = getattr(importlib.import_module(module), function)(parsed)
        return Answer(result.to_dict(), result.to_text(), result.exit_code)

    return run


COMMANDS = {
    "features": Command(
        "encode a corpus once, for every head",
        "--data texts.csv",
        command_options.features_options,
        _features,
    ),
    "lr-range": Command(
        "find the learning rate to train a head with",
        "--data texts.csv --head cnn",
        model_options.lr_range_options,
        _answered_by("pipeline.tuning.learning_rate"),
    ),
    "train": Command(
        "train and score a head on cached vectors",
        "--data texts.csv --head cnn",
        command_options.train_options,
        _train,
    ),
    "blend": Command(
        "make one run of several: the mean of what they say",
        "20261121-083000-cnn-1f2e3d 20261121-083512-lstm-4a5b6c",
        model_options.blend_options,
        _answered_by("pipeline.blending.blend_run"),
    ),
    "predict": Command(
        "label texts with a trained run",
        '--text "What a lovely day"',
        command_options.predict_options,
        _predict,
    ),
    "audit": Command(
        "find what is wrong with a corpus",
        "--data texts.csv --write-clean clean.csv",
        command_options.audit_options,
        _audit,
    ),
    "layers": Command(
        "find the encoder's layer that serves a corpus best",
        "--data texts.csv",
        command_options.layers_options,
        _layers,
    ),
    "heads": Command(
        "list the heads and their settings", "--json", command_options.no_options, _heads
    ),
    "export": Command(
        "write vectors for other tools",
        "--data texts.csv --out vectors.npy",
        command_options.export_options,
        _export,
    ),
    "export-model": Command(
        "write a trained run as one folder: ONNX, weights, labels, model card",
        "latest --out model",
        model_options.export_model_options,
        _answered_by("pipeline.models.export"),
    ),
    "verify": Command(
        "check every file of the cache",
        "--data texts.csv",
        cache_options.verify_options,
        _answered_by("pipeline.cache.verification"),
    ),
    "cache": Command(
        "list what the cache holds",
        "--json",
        cache_options.cache_options,
        _answered_by("pipeline.cache.maintenance", "run_cache"),
    ),
    "compact": Command(
        "join small shards of the cache",
        "--cache cache",
        cache_options.cache_options,
        _answered_by("pipeline.cache.maintenance", "run_compact"),
    ),
    "collect": Command(
        "remove from the cache what no data set needs",
        "--data texts.csv",
        cache_options.collect_options,
        _answered_by("pipeline.cache.maintenance", "run_collect"),
    ),
}
"""Every command, by name."""
