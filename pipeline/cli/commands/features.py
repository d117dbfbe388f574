"""``manyheads features``: encode a corpus once, for every head."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads features``."""
    options.data_options(parser)
    options.vector_options(parser)
    options.layout_option(parser, "pooled and tokens, from one forward pass")
    parser.add_argument(
        "--roofline",
        action="store_true",
        help="say what share of this machine's rate of matrix products the encoder reached",
    )
    certify_option(parser)


def certify_option(parser: argparse.ArgumentParser) -> None:
    """``manyheads features --certify``."""
    parser.add_argument(
        "--certify",
        type=int,
        nargs="?",
        const=1000,
        metavar="N",
        help="store nothing; measure on N texts what each stored form costs (default: 1000)",
    )


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.encoding.corpus_encoding import run_features

    if parsed.certify is not None:
        from pipeline.encoding.certification import certify

        certificate = certify(
            options.data_config(parsed),
            options.vector_config(parsed),
            parsed.layout,
            parsed.certify,
        )
        return Answer(certificate.to_dict(), certificate.to_text())
    result = run_features(
        options.data_config(parsed),
        options.vector_config(parsed),
        parsed.layout,
        parsed.roofline,
    )
    return Answer(result.to_dict(), result.to_text())
