"""Read the journal of a study, which another process may be writing; write nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from features.errors import CacheError
from pipeline.search.candidate import Trial, damaged
from pipeline.search.records.journal import KINDS, LOG, finished_trials, load_optuna


def read_trials(folder: Path) -> dict[str, list[Trial]]:
    """Return the finished jobs of a study by kind, in the order in which they ended.

    Raises:
        SettingError: Optuna is not installed.
        CacheError: the journal is missing or damaged.
    """
    optuna = load_optuna()
    path = folder / LOG
    try:
        lines = _whole_lines(path)
    except OSError as error:
        raise damaged(error.strerror or error, path) from error
    try:
        storage = optuna.storages.JournalStorage(_lines_backend(optuna, lines))
        studies = {each.study_name: each._study_id for each in storage.get_all_studies()}
        return {
            kind: finished_trials(storage.get_all_trials(studies[kind], deepcopy=False))
            for kind in KINDS
            if kind in studies
        }
    except CacheError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(error, path) from error


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines of a journal, without one that is being written."""
    return [line for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]


def _lines_backend(optuna: Any, lines: list[bytes]) -> Any:
    """Return a journal of Optuna that has these lines, and takes no more."""

    class Lines(optuna.storages.journal.BaseJournalBackend):  # type: ignore[misc]
        def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
            return (json.loads(line) for line in lines[log_number_from:])

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            raise NotImplementedError

    return Lines()
