"""What clients send wrongly gets a reason, never a 500; the process goes on."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from features.errors import BadVectorError
from tests.pipeline.serving.conftest import Start

JSON = {"content-type": "application/json"}
DEEP = b"[" * 100_000 + b"]" * 100_000
BODIES = [
    (b"", 400),
    (b"{", 400),
    (b"\xff\xfe\x00", 400),
    (b"NaN", 422),
    (b'{"text": NaN}', 422),
    (b'{"text": Infinity}', 422),
    (b"null", 422),
    (b"[]", 422),
    (b"{}", 422),
    (b'{"text": 7}', 422),
    (b'{"text": ["a"]}', 422),
    (b'{"texts": "a"}', 422),
    (b'{"texts": []}', 422),
    (b'{"texts": ["a", null]}', 422),
    (b'{"text": "a", "texts": ["a"]}', 422),
    (b'{"text": "a", "more": 1}', 422),
    (b'{"text": ""}', 422),
    (b'{"text": " \\n\\u0000 "}', (200, 422)),
    (b'{"text": "\\ud800"}', 400),
    (b'{"text": "a\\udc00b"}', 400),
    (b'{"text": "\xed\xa0\x80"}', 400),
    (b'{"\\ud800": 1}', 400),
    (b'{"text": "a"} trailing', 400),
    (DEEP, 400),
    (b'{"text": ' + DEEP + b"}", 400),
    (b'{"text": "' + b"x" * 20_001 + b'"}', 413),
    (json.dumps({"texts": ["a"] * 257}).encode(), 413),
    (b'{"text": "' + b"x" * 1_000_001 + b'"}', 413),
    (b'{"' + b"k" * 5000 + b'": 1}', 422),
    (b'{"text": "\\u0000\\u200d\\u202e\\ufeff\xf0\x9f\x92\xa9"}', 200),
]


@pytest.mark.parametrize("path", ["/predict", "/explain", "/corrections"])
def test_bodies_that_will_not_do(start: Start, path: str) -> None:
    client = start(corrections=None if path != "/corrections" else "c.csv")
    for body, status in BODIES:
        answer = client.post(path, content=body, headers=JSON)
        if path == "/corrections":
            assert 400 <= answer.status_code < 500, body[:60]
        else:
            wanted = status if isinstance(status, tuple) else (status,)
            assert answer.status_code in wanted, (body[:60], answer.text)
        if answer.status_code != 200:
            assert set(answer.json()) == {"error"}
            assert len(answer.json()["error"]) <= 300
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("value", [-1, 21, 2.5, "3", True, None, 10**30])
def test_numbers_of_neighbors(start: Start, value: object) -> None:
    answer = start().post("/explain", json={"text": "a", "neighbors": value})
    assert answer.status_code == 422


def test_other_methods_paths_and_headers(start: Start) -> None:
    client = start()
    assert client.get("/predict").status_code == 405
    assert client.put("/health").status_code == 405
    for path in ("/nope", "/%00", "/..%2f..", "/predict/", "/" + "a" * 5000):
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code in (404, 307), path
    plain = client.post("/predict", content=b'{"text": "a"}')
    assert plain.status_code == 415, "a form of another page cannot send JSON"
    for length in ("-1", "9" * 400, "x"):
        headers = {**JSON, "content-length": length}
        answer = client.post("/predict", content=b'{"text": "a"}', headers=headers)
        assert answer.status_code in (200, 413)
    assert 'path="other"' in client.get("/metrics").text
    assert "nope" not in client.get("/metrics").text


def test_a_body_without_length_is_cut_off_where_it_is_too_long(start: Start) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    client = start(max_body=10_000)
    assert client.post("/predict", content=endless(), headers=JSON).status_code == 413


class Held:
    """Holds the answers of a model until it is let go."""

    def __init__(self, model: Any) -> None:
        self._model, self.go, self.begun = model, threading.Event(), threading.Event()
        self.token_limit = model.token_limit

    def answer(self, *arguments: Any) -> Any:
        self.begun.set()
        assert self.go.wait(20)
        return self._model.answer(*arguments)


def test_a_full_queue_says_so_and_goes_on(start: Start) -> None:
    client = start(queue=3)
    held = client.service.batcher.model = Held(client.service.model)
    answers: list[Any] = []

    def post() -> None:
        answers.append(client.post("/predict", json={"text": "a cat"}))

    first = threading.Thread(target=post)
    first.start()
    assert held.begun.wait(20)
    waits = [threading.Thread(target=post) for _ in range(3)]
    for each in waits:
        each.start()
    while len(client.service.batcher._items) < 3:
        first.join(0.01)
    full = client.post("/predict", json={"text": "a cat"})
    assert full.status_code == 429
    assert full.headers["retry-after"] == "1"
    assert "3 texts may wait" in full.json()["error"]
    held.go.set()
    for each in (first, *waits):
        each.join(20)
    assert [answer.status_code for answer in answers] == [200] * 4


def test_what_takes_too_long_gets_503_and_is_not_encoded(start: Start) -> None:
    client = start(timeout=0.2)
    held = client.service.batcher.model = Held(client.service.model)
    late = client.post("/predict", json={"text": "a cat"})
    assert late.status_code == 503
    assert "0.2 seconds" in late.json()["error"]
    held.go.set()
    assert client.post("/predict", json={"text": "a cat"}).status_code == 200


class Failing:
    """Fails as an encoder may."""

    def __init__(self, model: Any, error: Exception, word: str) -> None:
        self._model, self._error, self._word = model, error, word
        self.token_limit = model.token_limit
        self.sizes: list[int] = []

    def answer(self, texts: list[str], explain: list[int]) -> Any:
        self.sizes.append(len(texts))
        if any(self._word in text for text in texts):
            raise self._error
        return self._model.answer(texts, explain)


def test_a_text_that_cannot_be_encoded_spoils_no_other(start: Start) -> None:
    client = start(delay=1000.0)
    failing = Failing(client.service.model, BadVectorError("no usable vector"), "boom")
    client.service.batcher.model = failing
    with ThreadPoolExecutor(2) as pool:
        posts = [
            pool.submit(client.post, "/predict", json={"text": text})
            for text in ("a cat", "boom")
        ]
        good, bad = (post.result() for post in posts)
    assert good.status_code == 200
    assert (bad.status_code, bad.json()) == (422, {"error": "no usable vector"})
    assert failing.sizes == [2, 1, 1], "together, then each by itself"


def test_a_fault_of_ours_tells_nothing_of_the_text(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    client = start()
    model = client.service.model
    client.service.batcher.model = Failing(model, RuntimeError("about: secret text"), "secret")
    answer = client.post("/predict", json={"text": "secret text"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    said = capsys.readouterr().err
    assert "fault: RuntimeError in " in said
    assert "secret" not in said
    assert client.post("/predict", json={"text": "a cat"}).status_code == 200


def test_a_client_that_is_gone_is_no_fault(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    client = start()

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    asyncio.run(client.app(scope, receive, send))
    assert "fault" not in capsys.readouterr().err
    assert 'path="/predict",status="400"} 1' in client.get("/metrics").text


def test_a_body_that_never_comes_gets_408(start: Start) -> None:
    client = start(timeout=0.1)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(30)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"9")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    asyncio.run(client.app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert "in time" in json.loads(sent[1]["body"])["error"]
