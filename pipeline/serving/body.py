"""The body of a request, read from an ASGI server within the limits of the service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pipeline.serving.config import ServeConfig
from pipeline.serving.requests import RefusedError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

JSON = "application/json"


async def read_body(scope: Scope, receive: Receive, config: ServeConfig) -> bytes:
    """Return the body of a request, once it is whole.

    Raises:
        RefusedError: it is no JSON, too long, or does not come in time.
    """
    kind = said = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = kind or value
        elif name == b"content-length":
            said = said or value
    if kind.partition(b";")[0].strip().lower() != JSON.encode():
        raise RefusedError(415, f"send JSON, with the header content-type: {JSON}")
    if said.isdigit() and int(said[:20]) > config.max_body:
        raise _too_long(config)
    try:
        async with asyncio.timeout(config.timeout):
            return await _read(receive, config)
    except TimeoutError:
        raise RefusedError(408, "the body did not come in time (--timeout)") from None


async def _read(receive: Receive, config: ServeConfig) -> bytes:
    found = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "the client was gone before its body was whole")
        found += message.get("body", b"")
        if len(found) > config.max_body:
            raise _too_long(config)
        more = message.get("more_body", False)
    return found


def _too_long(config: ServeConfig) -> RefusedError:
    return RefusedError(413, f"the body is over {config.max_body:,} bytes (--max-body)")
