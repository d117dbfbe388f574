"""What tests of several use cases share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.probe import known
from tests.support.cli import QUICK, Command
from tests.support.runs.trained_runs import TrainedRuns


@pytest.fixture(scope="session")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was found of encoders by tests of this session."""
    return tmp_path_factory.mktemp("probes")


@pytest.fixture(autouse=True)
def _probed_once(probes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probe the tiny encoders once in a session, as a user's machine does.

    A probe takes longer than all else of a small training. Tests of probes are elsewhere.
    """
    monkeypatch.setattr(known, "user_folder", lambda: probes)


@pytest.fixture(scope="session")
def trained_runs(tmp_path_factory: pytest.TempPathFactory) -> TrainedRuns:
    """The runs that tests of this session have asked for."""
    return TrainedRuns(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def train(
    command: Command, data: Path, tiny_models: dict[str, Path], trained_runs: TrainedRuns
) -> Command:
    """Have a head trained on ``data`` with a tiny encoder; the JSON of the run.

    The same training is made once in a session. Its folder is a copy. An ``--encoder`` among
    the arguments takes the place of the tiny one.
    """

    def call(head: str, *arguments: object) -> dict[str, Any]:
        sets = () if head == "logistic" else QUICK
        encoder = () if "--encoder" in arguments else ("--encoder", tiny_models["bert"])
        given = (*encoder, "--head", head, *sets, *arguments)
        return trained_runs.train(command, data, given)

    return call
