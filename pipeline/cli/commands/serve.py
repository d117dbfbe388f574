"""``manyheads serve``: answer texts over HTTP with a trained run."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli import options
from pipeline.cli.command import Answer
from pipeline.config import ExperimentConfig, VectorConfig
from pipeline.models.config import EXPORTED, HUB, UncertaintyConfig
from pipeline.serving.config import ServeConfig


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads serve``."""
    options.run_argument(parser, EXPORTED)
    options.add_options(parser, ServeConfig)
    options.add_options(parser, UncertaintyConfig)
    options.add_options(parser, ExperimentConfig, only=("runs", "device"))
    options.add_options(parser, VectorConfig, only=("cache", "memory", "trust_remote_code"))


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command, once the service has ended."""
    from pipeline.runs.folder import find_run
    from pipeline.serving.server import check_installed, listen, serve

    config = options.from_arguments(ServeConfig, parsed)
    uncertainty = options.from_arguments(UncertaintyConfig, parsed)
    config.token()
    check_installed()
    if parsed.run.startswith(HUB):
        from pipeline.models.hub import fetched

        parsed.run = fetched(parsed.run)
    if not Path(parsed.run).is_dir():
        find_run(parsed.run, parsed.runs)
    with listen(config.host, config.port) as listening:
        # Imported only now: this takes seconds, and what is wrong was answered before.
        from pipeline.serving.service import Service

        service = Service(
            parsed.run,
            parsed.runs,
            parsed.cache,
            config,
            uncertainty,
            encoders=config.encoders,
            trust_remote_code=parsed.trust_remote_code,
            memory=parsed.memory,
            device=parsed.device,
        )
        serve(service, listening)
    return Answer({"run": service.model.name}, f"{service.model.name} is not served any more")
