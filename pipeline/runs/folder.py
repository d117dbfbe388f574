"""Run folders: written under a temporary name, renamed when complete, found again by name."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.errors import (
    CacheError,
    DamagedFileError,
    DiskSpaceError,
    InputError,
    ManyheadsError,
)
from features.messages import listed, meant
from features.storage.files import FULL, sweep, temporary_folder
from pipeline.runs.files.json_format import read_object, write_json

CONFIG = "config.json"
METRICS = "metrics.json"
HISTORY = "history.jsonl"
PREDICTIONS = "predictions.parquet"
PROBABILITIES = "probabilities.parquet"
ENVIRONMENT = "environment.json"
ERRORS = "errors.jsonl"
FAILURE = "failure.json"
PARTS = "parts"
LATEST = "latest"


def run_name(head: str, config: dict[str, Any], now: datetime) -> str:
    """Return ``20261121-083000-lstm-1f2e3d``: time, head, hash of the configuration."""
    text = json.dumps(config, sort_keys=True, default=str)
    short = hashlib.sha256(text.encode("utf-8")).hexdigest()[:6]
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{head}-{short}"


def check_runs(runs: Path) -> None:
    """Refuse a folder of runs that cannot be written, before any work; makes nothing.

    Raises:
        CacheError: it is a file, stands in one, or may not be written.
    """
    existing = runs
    try:
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(existing))
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(existing))
    except OSError as error:
        raise _unwritable(runs, error) from error


def _unwritable(runs: Path, error: OSError) -> CacheError:
    return CacheError(
        f"the folder of runs {runs} cannot be written ({error.strerror}); choose another with "
        "--runs, or change its permissions"
    )


@dataclass
class OpenRun:
    """A run folder while it is written; ``final`` is its path once it is complete."""

    folder: Path
    final: Path


@contextmanager
def new_run(runs: Path, name: str) -> Iterator[OpenRun]:
    """Yield a run folder to fill; it gets its final name when the block ends.

    If the block raises, the folder is kept as ``<name>-failed`` with the reason in it; of an
    ``InputError``, which is told on one line, nothing is kept. What a run left that was killed
    before it could say why is removed by the next.

    Raises:
        CacheError: the folder of runs cannot be written.
    """
    with ExitStack() as stack:
        try:
            sweep(runs)
            folder = stack.enter_context(temporary_folder(runs, name))
        except OSError as error:
            raise _unwritable(runs, error) from error
        run = OpenRun(folder, runs / name)
        try:
            yield run
        except BaseException as error:
            _keep_failed(folder, runs / f"{name}-failed", error)
            raise
        with writing(run):
            run.final = _settle(folder, run.final)


def _keep_failed(folder: Path, wanted: Path, error: BaseException) -> None:
    """Keep a failed run with its reason; where it was refused or has no room, remove it."""
    try:
        if isinstance(error, InputError) or _without_room(error):
            shutil.rmtree(folder, ignore_errors=True)
            return
        write_json(folder / FAILURE, _failure(error))
        _settle(folder, wanted)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


def _without_room(error: BaseException | None) -> bool:
    """Return whether a full disk or a limit on the size of files caused an error."""
    while error is not None:
        if isinstance(error, DiskSpaceError):
            return True
        if isinstance(error, OSError) and error.errno in (*FULL, errno.EFBIG):
            return True
        error = error.__cause__
    return False


def _failure(error: BaseException) -> dict[str, str]:
    failure = {"error": type(error).__name__, "message": str(error)}
    if not isinstance(error, ManyheadsError):
        failure["traceback"] = "".join(traceback.format_exception(error))
    return failure


def _settle(folder: Path, wanted: Path) -> Path:
    """Rename to the wanted name, or to the first free one with a number behind it."""
    final = wanted
    number = 2
    while True:
        try:
            # A rename replaces an empty folder without a word, so look first; a full one
            # that another process makes in between refuses the rename.
            if not final.exists():
                return folder.rename(final)
        except OSError:
            if not final.exists():
                raise
        final = wanted.with_name(f"{wanted.name}-{number}")
        number += 1


def finished_runs(runs: Path) -> list[Path]:
    """Return the folders of finished runs, the newest first."""
    found = [(path.stat().st_mtime_ns, path.parent) for path in runs.glob(f"[!.]*/{METRICS}")]
    return [folder for _, folder in sorted(found, reverse=True)]


def find_run(run: str, runs: Path) -> Path:
    """Return the folder of a run: a path, a name under ``runs``, its beginning, or ``latest``.

    Raises:
        CacheError: no such run, several of that beginning, or one that failed.
    """
    if run == LATEST:
        finished = finished_runs(runs)
        if not finished:
            raise CacheError(
                f"no finished run in {runs}; train one with: manyheads train --data FILE"
            )
        return finished[0]
    for folder in (Path(run), runs / run):
        if (folder / METRICS).is_file():
            return folder
        if (folder / FAILURE).is_file():
            why = _reason(folder / FAILURE)
            raise CacheError(f"the run {folder} failed{why}; train it again")
    known = sorted(folder.name for folder in finished_runs(runs))
    begun = [name for name in known if run and name.startswith(run)]
    if len(begun) == 1:
        return runs / begun[0]
    if begun:
        raise CacheError(f"several runs begin with {run!r}: {listed(begun)}; write one in full")
    if Path(run).is_file() or Path(run).suffix:
        raise CacheError(f"no run {run!r}; a file of texts is named with --data {run}")
    have = f"the runs in {runs} are {listed(known[-5:])}" if known else f"{runs} holds no runs"
    raise CacheError(f"no run {run!r}{meant(run, [*known, LATEST])}; {have}")


def _reason(path: Path) -> str:
    """Return why a run failed, in brackets; nothing where that cannot be read."""
    try:
        message = read_object(path, "").get("message")
    except DamagedFileError:
        return ""
    return f" ({message})" if message else ""


def run_label(folder: Path, runs: Path) -> str:
    """Return a name that ``find_run`` finds: the path below ``runs``, else the whole path."""
    folder, inside = folder.resolve(), runs.resolve()
    return str(folder.relative_to(inside) if folder.is_relative_to(inside) else folder)


@contextmanager
def writing(run: OpenRun) -> Iterator[None]:
    """Turn an ``OSError`` while a run folder is written into one line.

    Raises:
        CacheError: in place of an ``OSError`` of the block.
    """
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"the run folder {run.final} cannot be written ({error.strerror or error}): make "
            "room, or choose another folder with --runs"
        ) from error
