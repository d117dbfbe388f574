"""``manyheads features``: encode a corpus once, for every head."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.encoding.config import FeaturesConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads features``."""
    options.add_options(
        parser,
        ExperimentConfig,
        only=("layout",),
        otherwise={"layout": "pooled and tokens, from one forward pass"},
    )
    options.add_options(parser, FeaturesConfig)
    options.add_options(parser, DataConfig, without=options.SPLIT)
    options.add_options(parser, VectorConfig, without=("memory",))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    data = options.from_arguments(DataConfig, parsed)
    vectors = options.from_arguments(VectorConfig, parsed)
    config = options.from_arguments(FeaturesConfig, parsed)
    if config.certify is not None:
        from pipeline.encoding.certification import certify

        certificate = certify(data, vectors, parsed.layout, config.certify)
        return Answer(certificate.to_dict(), certificate.to_text())
    if config.estimate:
        from pipeline.encoding.estimation import run_estimate

        estimate = run_estimate(data, vectors, parsed.layout, config.workers)
        return Answer(estimate.to_dict(), estimate.to_text())
    from pipeline.encoding.corpus_encoding import run_features

    cluster = config.cluster(vectors.devices)
    result = run_features(data, vectors, parsed.layout, config.roofline, cluster=cluster)
    return Answer(result.to_dict(), result.to_text())
