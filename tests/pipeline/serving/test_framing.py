"""What comes over a connection is cut into requests as HTTP says, or it is refused."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

HOST = b"host: x\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n"
REFUSED = b'{"error": "this is no request of HTTP"}'


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer what was asked; /early answers before the body is there, /late waits a moment."""
    if scope["type"] != "http":
        return
    body, more = b"", scope["path"] != "/early"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["path"] == "/late":
        await asyncio.sleep(0.1)
    names = [name.decode() for name, _ in scope["headers"]]
    told = {"path": scope["path"], "headers": names, "body": body.decode()}
    found = json.dumps(told).encode()
    headers = [(b"content-length", b"%d" % len(found))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": found})


@pytest.fixture(scope="module")
def server(extra: None) -> Iterator[Any]:
    """A server of ``echo`` in a thread, with ``port``."""
    import uvicorn

    from pipeline.serving.connection import Server, connection_type
    from pipeline.serving.server import listen

    kind = connection_type(1.0, 100)
    settings: Any = {"log_config": None, "log_level": "error", "access_log": False}
    with listen("127.0.0.1", 0) as listening:
        found: Any = Server(uvicorn.Config(echo, http=kind, ws="none", **settings))
        found.port = listening.getsockname()[1]
        thread = threading.Thread(target=found.run, kwargs={"sockets": [listening]})
        thread.start()
        while not found.started:
            thread.join(0.01)
        yield found
        found.should_exit = True
        thread.join(60)


class Client:
    """A connection that is read answer by answer."""

    def __init__(self, server: Any) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.file = self.socket.makefile("rb")

    def send(self, sent: bytes) -> None:
        self.socket.sendall(sent)

    def answer(self) -> tuple[int, dict[bytes, bytes], Any]:
        """Read one answer: status, headers, body; status 0 where there is none."""
        line = self.file.readline()
        if not line:
            return 0, {}, None
        headers = {}
        while (header := self.file.readline().rstrip()) != b"":
            name, _, value = header.partition(b": ")
            headers[name] = value
        body = self.file.read(int(headers.get(b"content-length", b"0")))
        return int(line.split()[1]), headers, json.loads(body) if body else None

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    found = Client(server)
    yield found
    found.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\nhost: x\n\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: \x00\r\n\r\n",
        b"GET / HTTP/2.0\r\nhost: x\r\n\r\n",
        b"GET / HTTP/0.9\r\nhost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"XXXX / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-length: 5\r\n\r\n0\r\n\r\n"),
        CHUNKED.replace(b"chunked", b"gzip") + b"1\r\na\r\n0\r\n\r\n",
        CHUNKED.replace(b"chunked", b"xchunked") + b"1\r\na\r\n0\r\n\r\n",
        CHUNKED.replace(b"chunked", b"chunked, chunked") + b"1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"1\na\n0\n\n",
        CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
        CHUNKED + b"-1\r\na\r\n0\r\n\r\n",
        CHUNKED + b"f" * 17 + b"\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\na",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1, 1\r\n\r\na",
    ],
)
def test_what_could_be_cut_in_two_ways_is_refused_once(client: Client, sent: bytes) -> None:
    """Else a proxy before the service may see other requests than it does."""
    client.send(sent + GET)
    status, headers, told = client.answer()
    assert (status, headers[b"connection"]) == (400, b"close")
    assert json.dumps(told).encode() == REFUSED
    assert client.answer()[0] == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 30_000 + b" HTTP/1.1\r\n",
        GET[:-2] + b"x: " + b"y" * 30_000 + b"\r\n\r\n",
        GET[:-2] + b"x: y\r\n" * 5_000 + b"\r\n",
        CHUNKED + b"1;" + b"x" * 30_000 + b"\r\na\r\n0\r\n\r\n",
        CHUNKED + b"1\r\na\r\n0\r\nx: " + b"y" * 30_000 + b"\r\n\r\n",
    ],
)
def test_headers_and_framing_without_end_are_refused(client: Client, sent: bytes) -> None:
    client.send(sent)
    assert client.answer()[0] == 400
    assert client.answer()[0] == 0


def test_a_long_body_in_small_chunks_is_taken(client: Client) -> None:
    client.send(CHUNKED + b"2\r\nab\r\n" * 20_000 + b"0\r\nlate: 1\r\n\r\n" + GET)
    status, _, told = client.answer()
    assert (status, len(told["body"])) == (200, 40_000)
    assert told["headers"] == ["host", "transfer-encoding"], "what follows a body is no header"
    assert client.answer()[2]["path"] == "/a"


def test_requests_sent_ahead_are_answered_in_their_order(client: Client) -> None:
    post = b"POST /late HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
    client.send(post + GET + post + GET + b"nonsense\r\n\r\n" + GET)
    told = [client.answer() for _ in range(5)]
    assert [status for status, _, _ in told] == [200, 200, 200, 200, 400]
    assert [each["path"] for _, _, each in told[:4]] == ["/late", "/a", "/late", "/a"]
    assert client.answer()[0] == 0


def test_a_body_that_breaks_while_others_wait_is_refused_in_its_turn(client: Client) -> None:
    client.send(GET.replace(b"/a", b"/late") + CHUNKED + b"zz\r\n")
    assert [client.answer()[0] for _ in range(3)] == [200, 400, 0]


def test_a_flood_of_requests_sent_ahead_is_taken_in_bit_by_bit(
    server: Any, client: Client
) -> None:
    count = 20_000
    sender = threading.Thread(target=client.send, args=(GET * count,))
    sender.start()
    while not server.server_state.connections:
        time.sleep(0.01)
    (connection,) = server.server_state.connections
    queued = ahead = 0
    for number in range(count):
        assert client.answer()[0] == 200, number
        queued = max(queued, len(connection.pipeline))
        ahead = max(ahead, len(connection._unread))
    sender.join(20)
    assert 0 < queued <= 4096 / len(GET) + 1
    assert 0 < ahead <= 1 << 18, "one reading of the event loop"


def test_after_an_answer_that_was_early_the_rest_of_the_body_is_no_request(
    client: Client,
) -> None:
    client.send(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
    assert client.answer()[0] == 200
    client.send(GET * 10 + b"x" * (100_000 - 10 * len(GET)) + GET)
    assert client.answer()[2]["path"] == "/a"
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /a HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n",
        b"POST /a HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 0\r\n",
        b"CONNECT /a HTTP/1.1\r\n",
        b"GET /a HTTP/1.1\r\nconnection: close\r\n",
    ],
)
def test_what_follows_an_upgrade_or_the_end_is_no_request(client: Client, head: bytes) -> None:
    client.send(head + HOST + b"\r\n" + GET + GET)
    status, headers, _ = client.answer()
    assert (status, headers[b"connection"]) == (200, b"close")
    assert client.answer()[0] == 0


def test_a_client_that_waits_for_100_gets_it(client: Client) -> None:
    client.send(
        b"POST /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n"
    )
    assert client.answer()[0] == 100
    client.send(b"a")
    assert client.answer()[2]["body"] == "a"


def test_an_answer_is_sent_in_one_piece(extra: None) -> None:
    from pipeline.serving.connection import Writer

    class Transport(asyncio.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.sent: list[bytes] = []
            self.closed_after: int | None = None

        def write(self, data: Any) -> None:
            self.sent.append(data)

        def close(self) -> None:
            self.closed_after = len(self.sent)

        def is_closing(self) -> bool:
            return self.closed_after is not None

        def abort(self) -> None:
            self.close()

    async def written() -> Transport:
        found = Transport()
        writer = Writer(found, asyncio.get_running_loop())
        writer.write(b"head ")
        writer.write(b"body")
        assert found.sent == []
        await asyncio.sleep(0)
        writer.write(b"last")
        writer.close()
        await asyncio.sleep(0)
        return found

    found = asyncio.run(written())
    assert found.sent == [b"head body", b"last"]
    assert found.closed_after == 2
