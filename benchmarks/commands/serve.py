"""Load on ``manyheads serve``: requests per second and percentiles, by number of clients.

    python -m benchmarks.commands.serve --run latest --seconds 20

    python -m benchmarks.commands.serve --run latest --seconds 300 --wrk

With ``--wrk`` the load is made by wrk (https://github.com/wg/wrk), which must be installed.

Starts the service as a process of its own, on a free port, and asks it with 1, 8 and 64
clients, each of which sends its next text as soon as it has the answer to the last. Every text
is new. Then ``predict`` labels the texts of a file, for comparison; its start is taken out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

CLIENTS = (1, 8, 64)
MEGABYTE = 1 << 20


@contextmanager
def service(arguments: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield host, port and process id of a service."""
    command = [sys.executable, "-m", "pipeline", "serve", *arguments, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            while not (found := re.search(r"at http://([\w.]+):(\d+)", said)):
                line = process.stderr.readline()
                if not line:
                    raise SystemExit(f"the service did not start: {said}")
                said += line
            yield found[1], int(found[2]), process.pid
        finally:
            process.terminate()
            process.wait(60)


async def client(host: str, port: int, texts: Iterator[str], end: float, each: int) -> Any:
    """Ask until the end; return seconds per request, and how many were not answered."""
    reader, writer = await asyncio.open_connection(host, port)
    seconds, errors = [], 0
    while time.perf_counter() < end:
        body = json.dumps({"texts": [next(texts) for _ in range(each)]}).encode()
        head = (
            f"POST /predict HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        start = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
        seconds.append(time.perf_counter() - start)
        errors += b" 200 " not in answer[:20]
    writer.close()
    return seconds, errors


async def load(
    host: str, port: int, clients: int, texts: Iterator[str], seconds: float, each: int
) -> tuple[np.ndarray, int]:
    """Ask with so many clients; return seconds per request, and errors."""
    end = time.perf_counter() + seconds
    every = await asyncio.gather(
        *(client(host, port, texts, end, each) for _ in range(clients))
    )
    return np.concatenate([one for one, _ in every]), sum(errors for _, errors in every)


def wrk(host: str, port: int, clients: int, seconds: float) -> dict[str, float]:
    """Have wrk ask with so many clients; return what it measured, times in milliseconds."""
    threads = min(2, clients)
    command = ["wrk", f"-t{threads}", f"-c{clients}", f"-d{max(1, round(seconds))}s"]
    command += ["--timeout", "60s", "-s", str(Path(__file__).with_name("serve.lua"))]
    done = subprocess.run(
        [*command, f"http://{host}:{port}/predict"], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(
    host: str, port: int, clients: int, texts: Iterator[str], seconds: float, each: int
) -> dict[str, float]:
    """Ask with the clients of this program; return the same as ``wrk``."""
    start = time.perf_counter()
    found, errors = asyncio.run(load(host, port, clients, texts, seconds, each))
    p50, p95, p99 = 1000 * np.quantile(found, [0.5, 0.95, 0.99])
    taken = time.perf_counter() - start
    times = {"p50": p50, "p95": p95, "p99": p99}
    return {"requests": len(found), "seconds": taken, "errors": errors, **times}


def memory(pid: int) -> float:
    """Return the resident megabytes of a process; NaN where the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return float("nan")
    return int(pages) * 4096 / MEGABYTE


def endless(path: Path | None) -> Iterator[str]:
    """Yield texts, none twice: those of a file of lines, or made ones, with a number.

    No two runs share one, since ``predict`` would find its vectors in the cache.
    """
    run = int(time.time())
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    lines = [line for line in lines if line.strip()]
    lines = lines or ["I missed my mother's birthday and felt bad about it for a week"]
    for number in count():
        yield f"{lines[number % len(lines)]} {run} {number}"


def by_predict(run: str, more: Sequence[str], texts: Iterator[str], many: int) -> float:
    """Return texts per second of ``predict`` on a file, without its start."""

    def seconds(size: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "texts.jsonl"
            rows = (json.dumps({"text": next(texts)}) for _ in range(size))
            file.write_text("\n".join(rows) + "\n", encoding="utf-8")
            command = [sys.executable, "-m", "pipeline", "predict", run, *more]
            command += ["--data", str(file), "--output", f"{folder}/labelled.jsonl"]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            return time.perf_counter() - start

    few = max(1, many // 10)
    return (many - few) / (seconds(many) - seconds(few))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", default="latest")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--cache", default="cache")
    parser.add_argument("--seconds", type=float, default=20.0, help="per number of clients")
    parser.add_argument("--texts-per-request", type=int, default=1)
    parser.add_argument("--lines", type=Path, help="texts, one per line")
    parser.add_argument("--delay", default="5")
    parser.add_argument("--predict", type=int, default=3000, help="texts for predict; 0: none")
    parser.add_argument("--wrk", action="store_true", help="make the load with wrk")
    given = parser.parse_args()
    if given.wrk and given.texts_per_request != 1:
        parser.error("--wrk sends one text per request")
    texts, each = endless(given.lines), given.texts_per_request
    more = ["--runs", given.runs, "--cache", given.cache]
    print("clients  requests/s  texts/s  p50 ms  p95 ms  p99 ms  errors  MB")
    with service([given.run, *more, "--delay", given.delay]) as (host, port, pid):
        asyncio.run(load(host, port, 4, texts, min(3.0, given.seconds), each))  # warm-up
        rate = 0.0
        for clients in CLIENTS:
            found = (
                wrk(host, port, clients, given.seconds)
                if given.wrk
                else measured(host, port, clients, texts, given.seconds, each)
            )
            rate = found["requests"] / found["seconds"]
            print(
                f"{clients:7}  {rate:10.1f}  {rate * each:7.1f}  {found['p50']:6.1f}  "
                f"{found['p95']:6.1f}  {found['p99']:6.1f}  {found['errors']:6.0f}  "
                f"{memory(pid):.0f}",
                flush=True,
            )
    if given.predict:
        alone = by_predict(given.run, more, texts, given.predict)
        share = rate * each / alone
        print(
            f"predict on a file: {alone:.1f} texts/s; {CLIENTS[-1]} clients: {share:.2f} of it"
        )


if __name__ == "__main__":
    main()
