"""``manyheads.train``: train and score a head, from Python."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

from features.corpus.source import Source
from features.errors import CorpusError
from manyheads.data import as_source, is_source
from manyheads.keywords import errors_by_keyword, experiment_config, with_options
from manyheads.run import Run
from pipeline.config import ExperimentConfig
from pipeline.prediction.error_words import explain_errors
from pipeline.training.experiment import run_experiment


@with_options
def train(
    data: Any = None,
    labels: Any = None,
    *,
    head: str | None = None,
    preset: str | None = None,
    settings: Mapping[str, object] | None = None,
    progress: bool = True,
    **options: Any,
) -> Run:
    """Train and score a head, as the command ``manyheads train`` does.

    Args:
        data: a file, folder or ``hub:owner/name``; a data frame; or N texts. Without any, the
            example. What is in memory is kept in ``RUNS/data``, so that the run can be
            repeated.
        labels: N labels of N texts.
        head: name of the head; ``manyheads heads`` lists them. Without one, that of the preset,
            or logistic.
        preset: name of a preset of a head.
        settings: settings of the head that differ from its defaults, such as
            ``{"epochs": 5}``.
        progress: show progress and notes on stderr.
        options: see below; they are those of the command.

    Returns:
        The finished run.

    Raises:
        TypeError: an unknown keyword.
        InputError: anything wrong with the data or a value; see ``features.errors``.
        FaultError: a corrupt cache, or vectors or a loss that are not finite.
    """
    with errors_by_keyword():
        return _train(
            data, labels, experiment_config(head, preset, settings, options), progress
        )


def _train(data: Any, labels: Any, config: ExperimentConfig, progress: bool) -> Run:
    """Train what a configuration describes on data in a file or in memory."""
    made: Path | None = None
    if data is not None:
        columns = config.data.columns
        wanted = [columns.text, columns.label, columns.split, columns.group]
        names = [name for name in wanted if name is not None]
        source, new = as_source(data, labels, names, config.runs)
        made = source if new and isinstance(source, Path) else None
        config = replace(config, data=replace(config.data, data=source))
    what = "" if data is None or is_source(data) else "the data"
    with _shown(progress), _removed_unless_done(made), _named(config.data.data, what):
        result = run_experiment(config)
        if config.explain:
            explain_errors(result.run, config)
    return Run(
        result.run,
        config.vectors.cache,
        memory=config.vectors.memory,
        trust_remote_code=config.vectors.trust_remote_code,
        device=config.device,
    )


@contextmanager
def _shown(progress: bool) -> Iterator[None]:
    """Show progress and notes, or none."""
    if progress:
        yield
        return
    with redirect_stderr(io.StringIO()):
        yield


@contextmanager
def _removed_unless_done(file: Path | None) -> Iterator[None]:
    """Remove a file that was made for a run, if the run cannot be made."""
    try:
        yield
    except BaseException:
        if file is not None:
            file.unlink(missing_ok=True)
            if not any(file.parent.iterdir()):
                file.parent.rmdir()
        raise


@contextmanager
def _named(file: Source, what: str) -> Iterator[None]:
    """Let errors about a file that holds what was in memory speak of that; "" leaves them."""
    try:
        yield
    except CorpusError as error:
        if not what:
            raise
        raise CorpusError(str(error).replace(str(file), what)) from error
