"""The service answers as ``predict`` does, and changes to a newer run without a gap."""

from __future__ import annotations

import csv
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.models.config import UncertaintyConfig
from tests.pipeline.serving.conftest import Start
from tests.support.cli import Command

TEXTS = ["the cat sat on the mat 3", "nobody expected that night", "rain again " * 30]
SECRET = "s3cret-token"


@pytest.mark.parametrize(
    ("layout", "keep"),
    [("pooled", False), ("pooled", True), ("words", False), ("pooled,words", False)],
)
def test_answers_are_those_of_predict(
    start: Start, train: Command, command: Command, layout: str, keep: bool
) -> None:
    run = train("logistic", "--layout", layout)["run"]
    client = start(run, keep_vectors=keep)
    before = {path.name for path in Path("cache").rglob("*.parquet")}
    served = client.post("/explain", json={"texts": TEXTS, "neighbors": 2}).json()
    after = {path.name for path in Path("cache").rglob("*.parquet")}
    assert (after > before) == keep
    told = command(
        "predict", run, *(x for text in TEXTS for x in ("--text", text)), "--explain", 2
    )
    for one, other in zip(served["predictions"], told["predictions"], strict=True):
        assert one["label"] == other["label"]
        assert one["unusual"] == other["unusual"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)
        near = [[each["similarity"] for each in x["neighbors"]] for x in (one, other)]
        assert near[0] == pytest.approx(near[1], abs=1e-3)
        assert one["run"] == Path(told["run"]).name
    long = [one["truncated"] for one in served["predictions"]]
    assert sum(long) == told["truncated"]
    assert long[2] or layout != "pooled"


@pytest.mark.parametrize("layout", ["pooled", "words", "pooled,words"])
def test_words_are_weighed_as_predict_weighs_them(
    start: Start, train: Command, command: Command, layout: str
) -> None:
    run = train("logistic", "--layout", layout)["run"]
    asked = {"texts": TEXTS, "neighbors": 0}
    served = start(run).post("/explain", json=asked).json()["predictions"]
    given = (x for text in TEXTS for x in ("--text", text))
    told = command("predict", run, *given, "--explain", "words")
    for one, other in zip(served, told["predictions"], strict=True):
        assert "neighbors" not in one
        assert one["word_weights"] == told["word_weights"]
        assert [each["word"] for each in one["words"]] == [x["word"] for x in other["words"]]
        weights = [[each["weight"] for each in x["words"]] for x in (one, other)]
        assert weights[0] == pytest.approx(weights[1], abs=1e-3)
    plain = start(run).post("/explain", json={"text": TEXTS[0], "words": False}).json()
    assert "words" not in plain["predictions"][0]


def test_words_that_a_run_cannot_weigh_are_refused_where_nothing_else_is_asked_for(
    start: Start, train: Command
) -> None:
    client = start(train("meanmax", "--layout", "sentences")["run"])
    asked = {"text": TEXTS[0], "neighbors": 0, "words": True}
    answer = client.post("/explain", json=asked)
    assert answer.status_code == 409
    assert "one vector per sentence, from which no single word" in answer.json()["error"]
    near = client.post("/explain", json={**asked, "neighbors": 1}).json()["predictions"][0]
    assert len(near["neighbors"]) == 1
    assert "words" not in near
    assert client.post("/explain", json={**asked, "words": False}).status_code == 200


def test_one_text_and_one_of_many_get_the_same(start: Start) -> None:
    client = start()
    alone = [client.post("/predict", json={"text": text}).json() for text in TEXTS]
    together = client.post("/predict", json={"texts": TEXTS}).json()["predictions"]
    for one, other in zip(alone, together, strict=True):
        (one,) = one["predictions"]
        assert one["label"] == other["label"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-4)


def test_requests_of_many_clients_share_batches(start: Start) -> None:
    client = start(delay=50.0)
    with ThreadPoolExecutor(12) as pool:
        posts = [
            pool.submit(client.post, "/predict", json={"text": f"a cat {i}"}) for i in range(24)
        ]
        answers = [post.result() for post in posts]
    assert {answer.status_code for answer in answers} == {200}
    metrics = client.get("/metrics").text
    (batches,) = re.findall(r"^manyheads_batch_texts_count (\d+)$", metrics, re.MULTILINE)
    assert int(batches) < 24
    assert 'manyheads_requests_total{path="/predict",status="200"} 24' in metrics
    assert "manyheads_waiting_texts 0" in metrics


def test_a_newer_run_takes_over_while_requests_come(start: Start, train: Command) -> None:
    first = Path(train("logistic", "--layout", "pooled")["run"]).name
    client = start("latest")
    assert client.post("/reload").json() == {"run": first, "changed": False}
    second = Path(train("logistic", "--layout", "pooled", "--seed", 1)["run"]).name
    assert second != first
    with ThreadPoolExecutor(4) as pool:
        posts = [pool.submit(client.post, "/predict", json={"texts": TEXTS}) for _ in range(10)]
        change = pool.submit(client.post, "/reload").result()
        later = client.post("/predict", json={"texts": TEXTS}).json()
        answers = [post.result() for post in posts]
    assert change.json() == {"run": second, "changed": True}
    assert {answer.status_code for answer in answers} == {200}
    assert {one["run"] for one in later["predictions"]} == {second}
    assert client.get("/ready").json() == {"ready": True, "run": second}


def test_a_newer_run_that_is_damaged_changes_nothing(start: Start, train: Command) -> None:
    first = Path(train("logistic", "--layout", "pooled")["run"]).name
    client = start("latest")
    newer = Path(train("logistic", "--layout", "pooled", "--seed", 1)["run"])
    (newer / "head.json").write_text("{", encoding="utf-8")
    answer = client.post("/reload")
    assert answer.status_code == 409
    assert answer.json()["error"].startswith(f"{first} stays: ")
    assert client.post("/predict", json={"text": "a cat"}).status_code == 200


def test_abstention_and_sets_are_told(start: Start) -> None:
    client = start(uncertainty=UncertaintyConfig(abstain=0.05, sets=0.5))
    (one,) = client.post("/predict", json={"text": TEXTS[0]}).json()["predictions"]
    assert one["abstained"] == (one["label"] is None)
    assert set(one["labels"]) <= {"good", "bad, very"}


def test_a_token_is_asked_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYHEADS_TOKEN", f" {SECRET}\n")
    client = start()
    for path in ("/predict", "/explain", "/corrections", "/reload"):
        refused = client.post(path, json={"text": "a cat"})
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    for given in ("Bearer wrong", SECRET, f"bearer {SECRET}x", "Bearer é".encode()):
        headers = {"authorization": given}
        assert client.get("/metrics", headers=headers).status_code == 401
    headers = {"authorization": f"Bearer {SECRET}"}
    answer = client.post("/predict", json={"text": "a cat"}, headers=headers)
    assert answer.status_code == 200
    for path in ("/", "/docs", "/health", "/ready"):
        assert client.get(path).status_code == 200
        assert SECRET not in client.get(path).text


def test_corrections_are_appended(start: Start) -> None:
    client = start()
    rows = [
        {"text": "=1+1", "label": "good", "predicted": "bad, very"},
        {"text": 'two\nlines, "quoted"', "label": " new label ", "predicted": None},
    ]
    for row in rows:
        assert client.post("/corrections", json=row).json() == {"saved": True}
    assert client.post("/corrections", json={"text": "a", "label": " "}).status_code == 422
    with Path("corrections.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["text"] for row in found] == ["'=1+1", 'two\nlines, "quoted"']
    assert [row["label"] for row in found] == ["good", "new label"]
    assert [row["predicted"] for row in found] == ["bad, very", ""]
    assert os.stat("corrections.csv").st_mode & 0o077 == 0


def test_corrections_may_be_turned_off_or_fail(start: Start) -> None:
    row = {"text": "a", "label": "good"}
    assert start(corrections=None).post("/corrections", json=row).status_code == 404
    failing = start(corrections=Path("no/folder.csv")).post("/corrections", json=row)
    assert failing.status_code == 503
    assert "cannot be written" in failing.json()["error"]


def test_pages_load_nothing_from_elsewhere(start: Start) -> None:
    client = start()
    for path in ("/", "/docs"):
        page = client.get(path)
        assert not re.findall(r"(?:src|href)=.(?:https?:)?//", page.text)
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'nonce-")
        assert "unsafe" not in policy
        (nonce,) = set(re.findall(r"script-src 'nonce-([^']+)'", policy))
        assert f'nonce="{nonce}"' in page.text
    assert client.get("/").headers["content-security-policy"] != policy
    told = client.get("/docs").text
    assert all(name in told for name in ("POST /predict", "GET /metrics", "POST /reload"))


def test_texts_are_logged_only_when_asked(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    start(log_requests=True).post("/predict", json={"text": "a quiet text"})
    said = capsys.readouterr().err
    assert "POST /predict 200" in said
    assert "a quiet text" not in said
    start(log_texts=True).post("/predict", json={"text": "a logged\ntext"})
    assert "\ta logged text" in capsys.readouterr().err
