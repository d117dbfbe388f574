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

NO_RULES = UncertaintyConfig()


@pytest.fixture(scope="session")
def extra() -> None:
    """Skip where the extra is not installed."""
    for name in ("fastapi", "uvicorn", "httpx2"):
        pytest.importorskip(name, reason=f"needs {name}: pip install 'manyheads[serve,dev]'")


@pytest.fixture
def start(extra: None, train: Command) -> Iterator[Start]:
    """Start a service over a logistic run with some options; its client, with ``service``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the test client's own
        from fastapi.testclient import TestClient

    from pipeline.serving.app import make_app

    known: list[str] = []
    with ExitStack() as stack:

        def begin(
            run: str | None = None,
            uncertainty: UncertaintyConfig = NO_RULES,
            begun: bool = True,
            **options: Any,
        ) -> Client:
            if run is None:
                known.extend([] if known else [train("logistic", "--layout", "pooled")["run"]])
            name = run or known[0]
            cache = parse_location("cache")
            config = ServeConfig(**{"delay": 0.0, **options})
            service = Service(name, Path("runs"), cache, config, uncertainty)
            client = TestClient(make_app(service), raise_server_exceptions=False)
            if begun:
                stack.enter_context(client)
            client.service = service
            return client

        yield begin
