"""Clients that are slow, silent, too many or hostile; and the end, which loses no request."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any

import pytest

from benchmarks.commands.hostile import campaign
from tests.pipeline.serving.conftest import Start

HEADERS = {"content-type": "application/json"}
Serving = Callable[..., "tuple[int, Any]"]


@contextmanager
def running(service: Any) -> Iterator[tuple[int, Any]]:
    """Serve on a free port in a thread; the port, and the server."""
    from pipeline.serving.server import listen, make_server

    with listen("127.0.0.1", 0) as listening:
        server = make_server(service)
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                thread.join(0.01)
            yield port, server
        finally:
            server.should_exit = True
            thread.join(60)
    assert not thread.is_alive()


@pytest.fixture
def serving(start: Start) -> Iterator[Serving]:
    """Start a service with some options; its port, and the server."""
    with ExitStack() as stack:

        def begin(**options: Any) -> tuple[int, Any]:
            service = start(begun=False, **options).service
            return stack.enter_context(running(service))

        yield begin


def received(port: int, sent: bytes = b"") -> bytes:
    """Send bytes, and read until the service hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        found = b""
        while part := connection.recv(4096):
            found += part
    return found


@pytest.mark.parametrize("sent", [b"", b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-ty"])
def test_headers_that_do_not_come_get_408(serving: Serving, sent: bytes) -> None:
    port, _ = serving(timeout=0.3)
    found = received(port, sent)
    assert found.startswith(b"HTTP/1.1 408 ")
    assert json.loads(found.partition(b"\r\n\r\n")[2])["error"].endswith("(--timeout)")


def test_headers_that_drip_in_after_an_answer_get_408(serving: Serving) -> None:
    port, _ = serving(timeout=0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /")
        start = time.monotonic()
        found = b""
        try:
            while time.monotonic() < start + 20:
                connection.sendall(b"a")
                connection.settimeout(0.05)
                try:
                    part = connection.recv(4096)
                except TimeoutError:
                    continue
                found += part
                if not part:
                    break
        except ConnectionError:
            pass
        assert time.monotonic() < start + 10
    assert not found or b"HTTP/1.1 408 " in found


def test_what_is_no_http_gets_one_line_of_json(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    port, _ = serving()
    found = received(port, b"\x16\x03\x01\x02\x00\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 400 ")
    assert json.loads(found.partition(b"\r\n\r\n")[2]) == {
        "error": "this is no request of HTTP"
    }
    assert "Invalid" not in capsys.readouterr().err


def test_connections_beyond_the_limit_get_503(serving: Serving) -> None:
    port, _ = serving(max_connections=2)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        found = received(port)
        assert found.startswith(b"HTTP/1.1 503 ")
        assert b"--max-connections" in found
    answer = b""
    while not answer.startswith(b"HTTP/1.1 200 "):  # once the others are gone
        answer = received(port, b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")


def test_hostile_requests_get_no_500_and_no_hang(serving: Serving) -> None:
    """A sample of ``benchmarks.commands.hostile``: every kind of attack once."""
    port, server = serving(timeout=1.0, corrections=None)
    outcome = asyncio.run(campaign("127.0.0.1", port, 37, 1, patience=60, slow=0.05))
    assert sum(outcome.answers.values()) == 37
    assert outcome.faults == []
    assert outcome.hanging == []
    assert outcome.failed == []
    assert server.started
    assert received(port, b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_the_end_under_load_drops_nothing_that_was_accepted(serving: Serving) -> None:
    port, server = serving()
    lost: list[str] = []
    answered = [0] * 8
    body = json.dumps({"text": "a cat"})

    def ask(number: int) -> None:
        keeps = number % 2 == 0  # half of the clients make a connection per request
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            try:
                if connection.sock is None:
                    connection.connect()
            except OSError:
                return  # nobody listens any more
            try:
                connection.request("POST", "/predict", body, HEADERS)
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException) as error:
                lost.append(f"{number}: {error!r}")
                return
            answered[number] += answer.status == 200
            if answer.status != 200:
                lost.append(f"{number}: {answer.status}")
            if not keeps:
                connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    while min(answered) < 3:
        time.sleep(0.01)
        assert not lost
    server.should_exit = True
    for each in threads:
        each.join(60)
    assert lost == []
