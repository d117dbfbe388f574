"""The gate before the service: token, headers, counts; a fault becomes one line of JSON."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from pipeline.console import print_note
from pipeline.serving.body import JSON, Message, Receive, Scope
from pipeline.serving.requests import RefusedError
from pipeline.serving.service import Service

Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Endpoint = Callable[[Scope, Receive], Awaitable[bytes]]
"""Returns the JSON that answers a request."""

OPEN = frozenset({"/", "/docs", "/health", "/ready", "/openapi.json"})
"""Paths that need no token: they tell nothing of texts."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"x-frame-options", b"DENY"),
)
FAULT = "the service failed; its log says where"


class Gate:
    """Lets requests through to an ASGI application.

    Args:
        app: the application.
        service: whose token is asked for, and whose metrics count.
        paths: the application's own; others are counted as ``other``.
        often: by method and path what answers requests that come often. They go past the
            application, whose layers take as long as the answer.
    """

    def __init__(
        self,
        app: Asgi,
        service: Service,
        paths: frozenset[str],
        often: Mapping[tuple[str, str], Endpoint],
    ) -> None:
        self.app, self.service, self.paths, self.often = app, service, paths, often

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        path = scope["path"] if scope["path"] in self.paths else "other"
        try:
            if path not in OPEN and not self._allowed(scope):
                await refuse(counted, RefusedError(401, "give the token of this service"))
            elif endpoint := self.often.get((scope["method"], scope["path"])):
                await _answer(endpoint, scope, receive, counted)
            else:
                await self.app(scope, receive, counted)
        except Exception as error:
            # A traceback may hold texts: the log gets the kind and the place alone.
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            code = trace.tb_frame.f_code if trace is not None else None
            where = f" in {code.co_filename}:{trace.tb_lineno}" if code and trace else ""
            print_note(f"fault: {type(error).__name__}{where} while answering {path}")
            if not status:
                await refuse(counted, RefusedError(500, FAULT))
        finally:
            seconds = time.perf_counter() - start
            self.service.metrics.request(path, status, seconds)
            if self.service.config.log_requests:
                print_note(f"{scope['method']} {path} {status} {1000 * seconds:.1f} ms")

    def _allowed(self, scope: Scope) -> bool:
        token = self.service.token
        if not token:
            return True
        given = next((v for name, v in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(given, b"Bearer " + token.encode())


async def _answer(endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request by one function."""
    try:
        body = await endpoint(scope, receive)
    except RefusedError as error:
        await refuse(send, error)
    else:
        await _send_json(send, 200, body)


async def refuse(send: Send, error: RefusedError) -> None:
    """Send a refusal as JSON: ``{"error": reason}``."""
    body = json.dumps({"error": error.reason}).encode()
    more = [(name.encode(), value.encode()) for name, value in error.headers.items()]
    await _send_json(send, error.status, body, more)


async def _send_json(
    send: Send, status: int, body: bytes, more: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send an answer, with more headers than those of its body."""
    headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
