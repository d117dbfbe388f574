"""The ``manyheads`` command: arguments in, one function called, exit code out.

Exit codes: 0 done; 2 the user's input is wrong, or the system refuses a file (one line on
stderr); 1 a fault of ours; 130 interrupted. With ``--json`` stdout holds one JSON object and
nothing else.

A command is imported when it is asked for, and imports what it needs when it runs, so that none
pays for another's libraries.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import partial

from features.errors import InputError, ManyheadsError, SettingError
from features.machine.threads import let_threads_sleep
from pipeline.cli.command import CACHE, USUAL, Command
from pipeline.cli.parser import Parser
from pipeline.cli.system_errors import system_error
from pipeline.collection import collect_seldom
from pipeline.console import open_streams, print_note, show, show_json

NAME = "manyheads"
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    let_threads_sleep()
    collect_seldom()
    open_streams()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except ManyheadsError as error:
        kind = "error" if isinstance(error, InputError) else "fault"
        print_note(f"{kind}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        print_note(
            "interrupted: what was encoded so far is kept in the cache, and of train each "
            "finished training; the same command goes on from there"
        )
        return INTERRUPTED
    except Exception as error:
        reason = system_error(error)
        if reason is None:
            raise
        print_note(f"error: {reason}")
        return InputError.exit_code


def _run(arguments: Sequence[str]) -> int:
    """Run one command and show its answer. Who reads it may go away, such as ``head``."""
    exit_code = 0
    try:
        _refuse_dashes(arguments)
        parser = make_parser()
        parsed, extra = parser.parse_known_args(arguments)
        if extra:
            getattr(parsed, "parser", parser).refuse_extra(extra)
        if parsed.version:
            from importlib.metadata import version

            show(f"manyheads {version(NAME)}")
        elif parsed.command is None:
            parser.print_help()
            exit_code = InputError.exit_code  # as git does: nothing was asked for
        else:
            answer = COMMANDS[parsed.command].load().run(parsed)
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


def make_parser() -> Parser:
    """The parser of all commands, drawn from ``COMMANDS``."""
    parser = Parser(
        prog=NAME,
        example=f"{NAME} train --data texts.csv",
        description="Encode texts once with a frozen encoder; train light heads in seconds.",
        epilog=f"{NAME} COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="store_true", help="Print the version.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        child = commands.add_parser(
            name,
            help=command.summary,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            example=f"{NAME} {name} {command.example}",
            title=command.title,
            add_options=partial(_add_options, command),
        )
        child.set_defaults(parser=child)
    return parser


def _add_options(command: Command, parser: Parser) -> None:
    """Add the options of a command, and those that every command has."""
    command.load().add_options(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="Print the result as one JSON object on stdout, for programs; notes and "
        "progress go to stderr.",
    )


COMMANDS = {
    "train": Command(
        "train and score a head on cached vectors",
        "--data texts.csv --head cnn",
        "train",
        USUAL,
    ),
    "search": Command(
        "find the best head and settings that a time allows",
        "--data texts.csv --budget 10m",
        "search",
        USUAL,
    ),
    "predict": Command(
        "label texts with a trained run",
        '--text "What a lovely day"',
        "predict",
        USUAL,
    ),
    "serve": Command(
        "answer texts over HTTP with a trained run",
        "latest --port 8000",
        "serve",
    ),
    "runs": Command(
        "list the finished runs with their scores",
        "--data texts.csv --sort test",
        "runs.runs",
        USUAL,
    ),
    "compare": Command(
        "compare finished runs on the same texts, with intervals",
        "20261121-083000-cnn-1f2e3d 20261121-083512-lstm-4a5b6c",
        "runs.compare",
        USUAL,
    ),
    "show": Command(
        "say what a run is, what its files are for and what to do next",
        "latest",
        "runs.show",
        USUAL,
    ),
    "report": Command(
        "write a run, or two side by side, as a page for the browser",
        "latest",
        "runs.report",
        USUAL,
    ),
    "doctor": Command(
        "say why a head does not learn, and prove it",
        "latest",
        "runs.doctor",
        USUAL,
    ),
    "audit": Command(
        "find what is wrong with a corpus",
        "--data texts.csv --write-clean clean.csv",
        "audit",
        USUAL,
    ),
    "heads": Command(
        "list the heads, or the settings of one",
        "cnn",
        "heads",
        USUAL,
    ),
    "features": Command(
        "encode a corpus once, for every head",
        "--data texts.csv",
        "features",
    ),
    "blend": Command(
        "make one run of several: the mean of what they say",
        "20261121-083000-cnn-1f2e3d 20261121-083512-lstm-4a5b6c",
        "runs.blend",
    ),
    "encoders": Command(
        "compare encoders on your data, and what they cost",
        "--data texts.csv --encoder all-MiniLM-L6-v2 --encoder FOLDER",
        "encoders",
    ),
    "layers": Command(
        "find the encoder's layer that serves a corpus best",
        "--data texts.csv",
        "layers",
    ),
    "lr-range": Command(
        "find the learning rate to train a head with",
        "--data texts.csv --head cnn",
        "lr_range",
    ),
    "export": Command(
        "write vectors for other tools",
        "--data texts.csv --out vectors.npy",
        "export",
    ),
    "export-model": Command(
        "write a trained run as one folder: ONNX, weights, labels, model card",
        "latest --out model",
        "runs.export_model",
    ),
    "log": Command(
        "log a finished run to MLflow, Weights & Biases or Trackio",
        "latest --to mlflow",
        "runs.log",
    ),
    "cache": Command(
        "list what the cache holds",
        "--json",
        "cache.cache",
        CACHE,
    ),
    "verify": Command(
        "check every file of the cache",
        "--data texts.csv",
        "cache.verify",
        CACHE,
    ),
    "compact": Command(
        "join small shards of the cache",
        "--cache cache",
        "cache.compact",
        CACHE,
    ),
    "collect": Command(
        "remove from the cache what no data set needs",
        "--data texts.csv",
        "cache.collect",
        CACHE,
    ),
}
"""Every command, by name."""
