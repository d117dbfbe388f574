"""Connections that wait for no client for ever, and an end that loses no request.

uvicorn waits without limit for the headers of a request, and for a client to read its answer;
it takes headers of any length, and reads on while requests wait for their turn. It closes idle
connections at the end, though the next request may be on its way. These are its classes with
that put right, over llhttp, the parser of Node.js, in its strict mode.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

LINGER_SECONDS = 1.0
"""How long an idle connection may send one more request when the service ends."""

FLUSH_SECONDS = 5.0
"""How long a client that is hung up on may take to read the rest."""

MOST_FRAMING = 1 << 14
"""Bytes that may come in a row without being of a body: headers, and what frames it."""

PIECE = 1 << 12
"""Bytes that are parsed at once, so that few requests are taken in advance."""

VERSIONS = ("1.0", "1.1")

REASONS = {
    400: "this is no request of HTTP",
    408: "the headers did not come in time (--timeout)",
    503: "too many connections (--max-connections); try again",
}


class NotHttpError(Exception):
    """A request that is none, though the parser takes it."""


class Writer:
    """A transport that sends in one piece what is written in one turn of the event loop.

    Args:
        transport: sends.
        loop: the event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []
        self.is_closing = transport.is_closing
        self.abort = transport.abort

    def write(self, data: bytes) -> None:
        """Send bytes at the end of this turn."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(data)

    def close(self) -> None:
        """Close once everything is sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._parts:
            self._transport.write(b"".join(self._parts))
            self._parts.clear()


class Flow(FlowControl):  # type: ignore[misc]
    """Stops reading while there are bytes that nobody has parsed.

    Attributes:
        held: whether there are.
    """

    held = False

    def resume_reading(self) -> None:
        """Read on, unless it is held."""
        if not self.held:
            super().resume_reading()


class Connection(HttpToolsProtocol):  # type: ignore[misc]
    """The connection of one client.

    Attributes:
        header_seconds: until the headers of a request must be there.
        most: connections that are open at once.
    """

    header_seconds = 30.0
    most = 1000

    _deadline: asyncio.TimerHandle | None = None
    _ending = False
    _unread: bytes | memoryview = b""
    _framing = 0  # bytes that have come since the last of a body
    _in_body = False  # the headers of a request are there, and its end is not
    _deaf = False  # what comes now is not read
    _broken = False  # what came is no HTTP, and is to be told so when its turn comes

    def connection_made(self, transport: Any) -> None:
        """Take a client, unless there are too many."""
        super().connection_made(transport)
        self.transport, self.flow = Writer(transport, self.loop), Flow(transport)
        if len(self.connections) > self.most:
            self._hang_up(503)
        else:
            self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a client that is gone."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came; begin to wait for headers, or stop."""
        if self._deaf or self.transport.is_closing():
            return
        self._unread = b"".join((self._unread, data)) if self._unread else data
        self._read_on()

    def _read_on(self) -> None:
        """Parse what came, until a request has to wait for its turn."""
        unread = memoryview(self._unread)
        while unread and not (self.pipeline or self._deaf or self.transport.is_closing()):
            piece, unread = unread[:PIECE], unread[PIECE:]
            self._framing += len(piece)
            super().data_received(piece)
            if self._framing > MOST_FRAMING:
                self.send_400_response("")
        self._unread = unread
        self.flow.held = bool(unread)
        if unread:
            self.flow.pause_reading()
        if self._idle and not self.transport.is_closing():
            self._wait_for_headers()
        else:
            self._wait_no_longer()
        if self._ending:
            self._close_after_answer()

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, unless it comes after the body: it was too late for the gate."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin with a request whose headers are there.

        Raises:
            NotHttpError: its version is none, or it does not name one host.
        """
        version = self.parser.get_http_version()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if version not in VERSIONS or hosts > 1 or (version == "1.1" and not hosts):
            raise NotHttpError
        super().on_headers_complete()
        self._framing, self._in_body = 0, True
        if self.parser.should_upgrade():  # it is answered; what follows may be anything
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._framing = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        super().on_message_complete()
        self._framing, self._in_body = 0, False
        self._deaf = not self.cycle.keep_alive

    def on_response_complete(self) -> None:
        """Go on with what came meanwhile."""
        last = not self.pipeline
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._broken and last:
            self._hang_up(400)
        elif self._unread:
            self._read_on()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, once all is answered that came before."""
        self._deaf = True
        if self._in_body and self.pipeline:
            self.pipeline.popleft()  # its turn has not come
            self._broken = True
        elif self._in_body or self._idle:
            self._hang_up(400)
        else:
            self._broken = True

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection without a further request, read or not."""
        super().timeout_keep_alive_handler()
        self._abort_later()

    def shutdown(self) -> None:
        """Answer what has come, or comes in a moment, and close."""
        self._ending = True
        self._close_after_answer()
        self.loop.call_later(LINGER_SECONDS, self._close_if_idle)

    def _close_after_answer(self) -> None:
        if not self._idle:
            self.cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if self._idle and not self.transport.is_closing():
            super().shutdown()
            self._abort_later()

    def _wait_for_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.header_seconds, self._too_late)

    def _wait_no_longer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self._idle and not self.transport.is_closing():
            self._hang_up(408)

    def _hang_up(self, status: int) -> None:
        """Send a refusal and close. An answer that is under way is cut off."""
        if self._idle or not self.cycle.response_started:
            body = json.dumps({"error": REASONS[status]}).encode()
            self.transport.write(
                b"%scontent-type: application/json\r\ncontent-length: %d\r\n"
                b"connection: close\r\n\r\n%s" % (STATUS_LINE[status], len(body), body)
            )
        if not self._idle:  # whoever answers it has no client any more
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        """Let go of a client that does not read what was sent."""
        self.loop.call_later(FLUSH_SECONDS, self.transport.abort)


def connection_type(header_seconds: float, most: int) -> type[Connection]:
    """Return the class of connections with some limits; see ``Connection``."""
    limits = {"header_seconds": header_seconds, "most": most}
    return type("LimitedConnection", (Connection,), limits)


class Server(uvicorn.Server):  # type: ignore[misc]
    """A server that takes the connections that were made before it ends."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take what waits to be taken, listen no more, and answer."""
        loop = asyncio.get_running_loop()
        late = list(_accepted(sockets or []))
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for each in late:
            await loop.connect_accepted_socket(self._connection, each)
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def _accepted(sockets: Iterable[socket.socket]) -> Iterator[socket.socket]:
    """Yield the connections that clients made, and the event loop has not seen yet."""
    for each in sockets:
        while True:
            try:
                accepted, _ = each.accept()
            except OSError:  # there is no more
                break
            accepted.setblocking(False)
            yield accepted
