"""``manyheads train``: train and score a head on cached vectors."""

from __future__ import annotations

import argparse

from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import ExperimentConfig
from pipeline.search.config import AUTO, auto_config


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads train``."""
    default = f"the preset's, or logistic; {AUTO} searches for a minute"
    options.add_options(parser, ExperimentConfig, otherwise={"head": default})


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    config = options.from_arguments(ExperimentConfig, parsed)
    if config.head == AUTO:
        return _search(config)
    from pipeline.training.preparation import prepare_experiment

    prepared = prepare_experiment(config)
    from pipeline.reports.drawing import Drawing
    from pipeline.reports.verdict import verdict_text

    with Drawing() as drawing:
        # Imported only now: this takes seconds, and what is wrong was answered before.
        from pipeline.doctor.runs.watch import Watch, watch_training
        from pipeline.training.experiment import run_prepared

        seen: list[Watch] = []  # at most one
        result = run_prepared(
            prepared,
            drawing=drawing,
            look=lambda learned, run: seen.extend(watch_training(learned, run)),
        )
    if config.explain:
        from pipeline.prediction.error_words import explain_errors

        explain_errors(result.run, config)
    values, text = result.to_dict(), verdict_text(result)
    for each in seen:
        values, text = {**values, "doctor": each.to_dict()}, f"{text}\n{each.line}"
    return Answer(values, text)


def _search(config: ExperimentConfig) -> Answer:
    """Answer with a short search."""
    from pipeline.search.search import prepare_search, run_search

    return answer(run_search(prepare_search(auto_config(config))))
