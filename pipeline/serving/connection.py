"""Connections that wait for no client for ever, and an end that loses no request.

uvicorn waits without limit for the headers of a request, and for a client to read its answer.
It closes idle connections at the end, though the next request may be on its way. These are its
classes with that put right.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterable, Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

LINGER_SECONDS = 1.0
"""How long an idle connection may send one more request when the service ends."""

FLUSH_SECONDS = 5.0
"""How long a client that is hung up on may take to read the rest."""

REASONS = {
    400: "this is no request of HTTP",
    408: "the headers did not come in time (--timeout)",
    503: "too many connections (--max-connections); try again",
}


class Connection(H11Protocol):  # type: ignore[misc]
    """The connection of one client.

    Attributes:
        header_seconds: until the headers of a request must be there.
        most: connections that are open at once.
    """

    header_seconds = 30.0
    most = 1000

    _deadline: asyncio.TimerHandle | None = None
    _ending = False

    def connection_made(self, transport: Any) -> None:
        """Take a client, unless there are too many."""
        super().connection_made(transport)
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
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._wait_for_headers()
        else:
            self._wait_no_longer()
        if self._ending:
            self._close_after_answer()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._hang_up(400)

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
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return
        cycle.keep_alive = False
        if not cycle.response_started and CLOSE_HEADER not in cycle.scope["headers"]:
            cycle.scope["headers"].append(CLOSE_HEADER)  # so that the answer says so too

    def _close_if_idle(self) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
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
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._hang_up(408)

    def _hang_up(self, status: int) -> None:
        """Send a refusal and close. An answer that is under way is cut off."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps({"error": REASONS[status]}).encode()
            length = str(len(body)).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", length)]
            answer = h11.Response(status_code=status, headers=[*headers, CLOSE_HEADER])
            for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
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
