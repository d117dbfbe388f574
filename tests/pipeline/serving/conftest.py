"""A service over a tiny run, called in this process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from features.storage.location import parse_location
from pipeline.models.config import UncertaintyConfig
from pipeline.serving.config import ServeConfig
from pipeline.serving.service import Service
from tests.support.cli import Command

Client = Any
Start = Callable[..., Client]


@pytest.fixture
def start(train: Command) -> Iterator[Start]:
    """Start a service over a logistic run with some options; its client, with ``service``."""
    pytest.importorskip("fastapi", reason="needs the extra serve")
    pytest.importorskip("httpx", reason="needs httpx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test client's own
        from fastapi.testclient import TestClient

    from pipeline.serving.app import make_app

    with ExitStack() as stack:

        def begin(
            run: str | None = None,
            uncertainty: UncertaintyConfig = UncertaintyConfig(),
            **options: Any,
        ) -> Client:
            name = run or train("logistic")["run"]
            cache = parse_location("cache")
            config = ServeConfig(**{"delay": 0.0, **options})
            service = Service(name, Path("runs"), cache, config, uncertainty)
            client = TestClient(make_app(service), raise_server_exceptions=False)
            stack.enter_context(client)
            client.service = service
            return client

        yield begin
