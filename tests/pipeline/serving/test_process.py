"""The command as a process: it says where it listens, and ends without dropping a request."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import REPOSITORY, Command, Refusal


def run_document(address: str) -> None:
    """Run the program of docs/serving.md against a service."""
    text = (REPOSITORY / "docs" / "serving.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program.replace("http://127.0.0.1:8000", address), names)
    assert len(names["answer"]["predictions"]) == 2


def test_sigterm_answers_what_was_accepted(extra: None, train: Command) -> None:
    import httpx2

    run = train("logistic", "--layout", "pooled")["run"]
    command = [sys.executable, "-m", "pipeline", "serve", run, "--port", "0", "--delay", "3000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = ""
            while not (found := re.search(r"serving \S+ at (http://\S+)", said)):
                line = process.stderr.readline()
                assert line, said
                said += line
            address = found[1]
            run_document(address)

            def post(number: int) -> Any:
                # Requests on new connections, all of which wait for the delay.
                body = {"text": f"the cat sat on the mat {number}"}
                return httpx2.post(f"{address}/predict", json=body, timeout=60)

            with ThreadPoolExecutor(8) as pool:
                posts = [pool.submit(post, number) for number in range(8)]
                waiting = 0
                while waiting < 8:
                    text = httpx2.get(f"{address}/metrics", timeout=60).text
                    (count,) = re.findall(r"^manyheads_waiting_texts (\d+)$", text, re.M)
                    waiting = int(count)
                    assert not any(each.done() for each in posts), "they waited"
                process.send_signal(signal.SIGTERM)
                answers = [each.result() for each in posts]
            assert {answer.status_code for answer in answers} == {200}
            assert process.wait(60) == 0
            with pytest.raises(httpx2.ConnectError):
                post(9)
        finally:
            process.kill()


def test_without_the_extra_one_line_says_how_to_get_it(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serving.server.find_spec", lambda name: None)
    line = refusal("serve")
    assert "needs fastapi and httptools and uvicorn" in line
    assert line.endswith("pip install 'manyheads[serve]'")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "70000"), "--port must be between 0"),
        (("--port", "-1"), "--port must be between 0"),
        (("--timeout", "nan"), "--timeout takes seconds"),
        (("--delay", "-1"), "--delay takes milliseconds"),
        (("--queue", "0"), "--queue must be 1 or more"),
        (("--max-body", "5"), "--max-body must be 100 or more"),
        (("--token-file", "none.txt"), "--token-file none.txt cannot be read"),
        (("--abstain", "1.5"), "--abstain 1.5"),
        (("--sets", "0"), "--sets 0"),
    ],
)
def test_options_that_will_not_do(
    refusal: Refusal, arguments: tuple[str, ...], said: str
) -> None:
    assert said in refusal("serve", *arguments)


@pytest.mark.parametrize("token", ["", "  \n", "two words", "täken"])
def test_tokens_that_will_not_do(refusal: Refusal, token: str) -> None:
    Path("token.txt").write_text(token, encoding="utf-8")
    assert "holds no token" in refusal("serve", "--token-file", "token.txt")


def test_no_such_run_and_no_such_place(extra: None, refusal: Refusal, train: Command) -> None:
    assert "no finished run" in refusal("serve") or "runs" in refusal("serve")
    run = train("logistic", "--layout", "pooled")["run"]
    line = refusal("serve", run, "--host", "no.such.host.invalid", "--port", "0")
    assert "cannot be listened on" in line
