"""What tests of several use cases share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import QUICK, Command


@pytest.fixture
def train(command: Command, data: Path, tiny_models: dict[str, Path]) -> Command:
    """Train a head on ``data`` with a tiny encoder; the JSON of the run."""

    def call(head: str, *arguments: object) -> dict[str, Any]:
        sets = () if head == "logistic" else QUICK
        common = ("train", "--data", data, "--encoder", tiny_models["bert"], "--head", head)
        return command(*common, *sets, *arguments)

    return call
