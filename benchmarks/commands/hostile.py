"""Malformed, huge, slow, repeated and hostile requests against ``manyheads serve``.

    python -m benchmarks.commands.hostile --run latest --requests 2000

Starts the service and attacks it with many clients at once. Between the attacks a good request
asks again and again. Counted are answers of 500 and the like, requests that never end, and good
requests that fail; each must be 0, and the process must live.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from benchmarks.commands.serve import memory, service

CLIENTS = 32
FAULTS = re.compile(rb"HTTP/1\.[01] 5(?!03)\d\d")
PATHS = ("/predict", "/explain", "/corrections", "/reload", "/metrics", "/docs", "/", "/nope")
JSON = "content-type: application/json"


@dataclass(frozen=True)
class Attack:
    """What is sent: parts of bytes, with a pause after each.

    Attributes:
        kind: for people.
        parts: bytes.
        pause: seconds after each part.
        read: whether the answer is read; otherwise the client waits without reading.
        reset: whether the connection is torn down at once instead of closed.
    """

    kind: str
    parts: tuple[bytes, ...]
    pause: float = 0.0
    read: bool = True
    reset: bool = False


@dataclass
class Outcome:
    """What came of all attacks.

    Attributes:
        answers: by kind and status; status 0 is a connection that was closed without one.
        faults: answers of 500 and the like, with the kind.
        hanging: kinds of requests that did not end in time.
        good, refused, failed: good requests in between; those that were refused for now (429,
            503), and those that failed.
        slowest: seconds of the slowest good request.
    """

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    hanging: list[str] = field(default_factory=list)
    good: int = 0
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    slowest: float = 0.0


def request(
    body: bytes, path: str = "/predict", method: str = "POST", headers: str = JSON
) -> bytes:
    """Return a request with a body."""
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\ncontent-length: {len(body)}"
    return f"{head}\r\nconnection: close\r\n\r\n".encode("latin-1", "replace") + body


def texts(random: random.Random) -> Iterator[str]:
    """Yield texts that are odd."""
    yield from ("", " ", "\x00", "\ud800", "a" * 20_000, "a " * 9_999, "a\u0301" * 5_000)
    yield from ("\u202e\u200d\ufeff" * 50, "👩‍👩‍👧‍👦" * 500, "日" * 3_000, "=cmd|' /C calc'!A0")
    yield from ("' OR 1=1 --", "<script>alert(1)</script>", "../../etc/passwd", "%s%n{}")
    yield "[MASK][SEP][CLS]" * 99
    ranges = ((32, 127), (0, 0xD800), (0xE000, 0x110000), (0, 32))
    while True:
        size = random.randrange(1, 300)
        yield "".join(chr(random.randrange(*random.choice(ranges))) for _ in range(size))


def bodies(random: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield bodies of JSON, or what is nearly JSON."""
    odd, pick = texts(random), random.choice

    def packed(value: Any) -> bytes:
        return json.dumps(value).encode()

    while True:
        text = next(odd)
        yield "odd text", packed({"text": text})
        yield "odd texts", packed({"texts": [next(odd) for _ in range(3)]})
        yield "more fields", packed({"text": "a", "x": 1, "__proto__": {}})
        yield "many texts", packed({"texts": ["a"] * pick((0, 255, 9999))})
        yield "huge body", b'{"text": "' + b"x" * pick((30_000, 2_000_000)) + b'"}'
        yield "deep", b"[" * 50_000
        yield "deep object", b'{"a":' * 50_000
        yield "huge number", b'{"text": 1' + b"0" * 50_000 + b"}"
        yield "not UTF-8", b'{"text": "\xff\xfe\xc0\xaf"}'
        yield "other types", pick((b"null", b"7", b"[]", b'"a"', b"NaN", b"-0", b"{}"))
        yield "repeated key", b'{"text": "a", "text": ["b"], "texts": {"c": 1}}'
        yield "cut", packed({"text": "a cat"})[: random.randrange(1, 15)]
        yield "bytes", random.randbytes(random.randrange(1, 500))
        number = pick((-1, 10**9, 2.5, "x", None, True))
        yield "odd number", packed({"text": "a", "neighbors": number, "words": number})
        yield "correction", packed({"text": text, "label": pick(("", "x" * 999, "=1"))})


GOOD = json.dumps({"text": "a cat sat on the mat"}).encode()
CLOSE = b"connection: close\r\n"
CHUNKED = (
    b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
NO_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /\r\n",
    b"\r\n" * 500,
    b"\x00" * 999,
    GOOD,
)
ODD_CHUNKS = (b"zz\r\n", b"-5\r\nabc", b"ffffffffffff\r\na", b"5;x=y\r\nabc\r\n0\r\n\r\n")
ODD_HEADERS = (":", "a b: c", "x: \x00", " folded", "authorization: Bearer \xe9" + "x" * 999)
ODD_PATHS = ("/..%2f..", "/%00", "//", "*", "http://a/b", "/\xff", "/" + "a%2e" * 30_000)
ODD_LENGTHS = ("-1", "9" * 30, "x", "5\r\ncontent-length: 6", "0x10")
ODD_METHODS = ("PUT", "OPTIONS", "GE T", "X" * 99, "TRACE", "HEAD")
UPGRADE = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x"


def framing(random: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield requests whose HTTP is odd."""
    pick = random.choice
    while True:
        yield "method", request(GOOD, pick(PATHS), pick(ODD_METHODS))
        yield "content type", request(GOOD, headers="content-type: text/plain; charset=x")
        yield "path", request(b"", pick(ODD_PATHS), "GET")
        yield "long header", request(GOOD, headers=f"{JSON}\r\nx: {'y' * 100_000}")
        many = "".join(f"\r\nx{number}: 1" for number in range(2000))
        yield "many headers", request(GOOD, headers=JSON + many)
        yield "header", request(GOOD, headers=f"{JSON}\r\n{pick(ODD_HEADERS)}")
        head = (
            f"POST /predict HTTP/1.1\r\nhost: x\r\n{JSON}\r\n{CLOSE.decode()}content-length: "
        )
        yield "length", f"{head}{pick(ODD_LENGTHS)}\r\n\r\n".encode() + GOOD
        yield "chunks", CHUNKED + pick(ODD_CHUNKS)
        yield "too short a body", request(GOOD)[:-5]
        yield "pipelined", request(GOOD).replace(CLOSE, b"") * 4 + request(GOOD)
        yield "repeated", request(GOOD)
        yield "no HTTP", pick(NO_HTTP)
        yield "old HTTP", b"GET / HTTP/1.0\r\n\r\n"
        yield "upgrade", request(b"", "/", "GET", UPGRADE)
        yield "expect", request(GOOD, headers=f"{JSON}\r\nexpect: 100-continue")[: -len(GOOD)]


def attacks(random: random.Random, slow: float) -> Iterator[Attack]:
    """Yield attacks of every kind, in turns; ``slow`` is the pause of slow clients."""
    every, odd = bodies(random), framing(random)
    drops = tuple(bytes([each]) for each in b"POST /predict HTTP/1.1\r\nhost: x\r\n")
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    many = request(json.dumps({"texts": ["a cat"] * 256}).encode(), "/explain")
    while True:
        for _ in range(15):
            kind, body = next(every)
            yield Attack(kind, (request(body, random.choice(PATHS[:3])),))
        for _ in range(15):
            kind, raw = next(odd)
            yield Attack(kind, (raw,))
        yield Attack("says nothing", (b"",))
        yield Attack("slow headers", drops, slow)
        yield Attack("slow body", (request(GOOD)[:-10], b"x", b"y", b"z"), slow)
        yield Attack("endless chunks", (CHUNKED, *[chunk] * 400))
        yield Attack("does not read", (many.replace(CLOSE, b"") * 3,), read=False)
        yield Attack("gone", (request(GOOD),), read=False, reset=True)
        yield Attack("gone early", (request(GOOD)[:30],), read=False, reset=True)


async def attack(host: str, port: int, one: Attack, patience: float, outcome: Outcome) -> None:
    """Send one attack, and count what comes of it."""
    writer = None
    answer = b""
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(host, port)
            with suppress(ConnectionError):
                for part in one.parts:
                    writer.write(part)
                    await writer.drain()
                    if one.pause:
                        await asyncio.sleep(one.pause)
            if one.reset:
                raw = writer.get_extra_info("socket")
                raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            elif one.read:
                with suppress(ConnectionError):
                    while part := await reader.read(1 << 16):
                        answer = (answer + part)[: 1 << 20]
            else:
                await asyncio.sleep(0.2)
    except TimeoutError:
        outcome.hanging.append(one.kind)
    except OSError:
        pass
    finally:
        if writer is not None:
            writer.transport.abort()
    status = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    outcome.answers[one.kind, int(status[1]) if status else 0] += 1
    if FAULTS.search(answer):
        outcome.faults.append(f"{one.kind}: {answer[:200]!r}")


async def good_requests(
    host: str, port: int, outcome: Outcome, done: asyncio.Event, headers: str
) -> None:
    """Ask what is right again and again, until all attacks are over."""
    body = json.dumps({"text": "she laughed out loud"}).encode()
    while not done.is_set():
        start = time.perf_counter()
        answer = b""
        try:
            async with asyncio.timeout(60):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(request(body, headers=headers))
                answer = await reader.read()
                writer.close()
        except (OSError, TimeoutError) as error:
            answer = repr(error).encode()
        outcome.good += 1
        outcome.slowest = max(outcome.slowest, time.perf_counter() - start)
        if answer.startswith((b"HTTP/1.1 429", b"HTTP/1.1 503")):
            outcome.refused += 1
        elif not answer.startswith(b"HTTP/1.1 200"):
            outcome.failed.append(answer[:200].decode("latin-1"))
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), 0.1)


async def campaign(
    host: str,
    port: int,
    count: int,
    seed: int,
    patience: float,
    slow: float = 0.3,
    clients: int = CLIENTS,
) -> Outcome:
    """Send ``count`` attacks with some clients at once.

    Args:
        patience: seconds after which a request counts as hanging.
        slow: seconds between the parts of slow requests.
    """
    outcome, free, done = Outcome(), asyncio.Semaphore(clients), asyncio.Event()
    good = asyncio.create_task(good_requests(host, port, outcome, done, JSON))
    chosen = attacks(random.Random(seed), slow)

    async def one(each: Attack) -> None:
        async with free:
            await attack(host, port, each, patience, outcome)

    await asyncio.gather(*(one(each) for each, _ in zip(chosen, range(count), strict=False)))
    done.set()
    await good
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", default="latest")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--cache", default="cache")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=10.0, help="of the service")
    given = parser.parse_args()
    more = ["--runs", given.runs, "--cache", given.cache, "--corrections", "none"]
    with service([given.run, *more, "--timeout", f"{given.timeout}"]) as (host, port, pid):
        before, start = memory(pid), time.perf_counter()
        patience = 6 * given.timeout + 20  # five pipelined requests may wait in turn
        outcome = asyncio.run(campaign(host, port, given.requests, given.seed, patience))
        seconds = time.perf_counter() - start
        after = memory(pid)
        last = asyncio.run(campaign(host, port, 1, given.seed, patience))
    for (kind, status), number in sorted(outcome.answers.items()):
        print(f"{kind:20}  {status or 'closed':6}  {number}")
    print(f"{sum(outcome.answers.values())} requests in {seconds:.0f} s")
    print(f"answers of 500 and the like: {len(outcome.faults)} {outcome.faults[:5]}")
    print(f"requests that never ended: {len(outcome.hanging)} {outcome.hanging[:5]}")
    told = f"{outcome.good}, refused for now: {outcome.refused}"
    print(f"good requests: {told}, failed: {len(outcome.failed)} {outcome.failed[:5]}")
    print(f"slowest good one: {outcome.slowest:.2f} s; memory {before:.0f} to {after:.0f} MB")
    print(f"alive at the end: {bool(last.good and not last.failed)}")


if __name__ == "__main__":
    main()
