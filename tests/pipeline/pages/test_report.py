"""``manyheads report``: one page of a run, or of two; nothing in it can run but our script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.evaluation import ClassNames
from pipeline.pages.pair_report import align
from pipeline.pages.run_report import run_page
from tests.support.cli import BAD, GOOD, Command, Refusal, Run, run_name, write
from tests.support.runs.reported_runs import made_run

OLD = Path(__file__).parents[2] / "old" / "runs"

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "--> <img src=x onerror=alert(1)>",
    "]]> </style> &lt;b&gt; \" ' `",
    "line\u2028separator and \ud800 half of a pair",
    "{{ 7 * 7 }} {% raw %}",
)
LABELS = ("<b>bold</b>", '" onmouseover="alert(1)', "</script>")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """160 texts of two classes, 40 of them to test."""
    sides = ["train", "train", "validation", "test"]
    kinds = [(GOOD, "good"), (BAD, "bad, very")]
    rows = [["text", "label", "split"]]
    for i in range(160):
        texts, label = kinds[i % 2 if i % 9 else 0]
        rows.append([f"{texts[i % 4]} {i}", label, sides[i // 2 % 4]])
    return write(tmp_path / "data.csv", rows)


class Reader(HTMLParser):
    """The parts of a page as a browser sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._tag = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._tag = tag
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag in self.inside:
            self.inside[self._tag][-1] += data
        else:
            self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def policy(self) -> str:
        (found,) = (each for each in self.of("meta") if "http-equiv" in each)
        return str(found["content"])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    texts = [HOSTILE[i % len(HOSTILE)] + f" {i}" for i in range(60)]
    labels = [LABELS[i % len(LABELS)] for i in range(60)]
    page = run_page(made_run(tmp_path_factory.mktemp("run"), texts, labels))
    return Reader(page.encode("utf-8", "replace").decode("utf-8"))


def test_texts_of_markup_are_texts(hostile: Reader) -> None:
    assert len(hostile.inside["script"]) == 2, "the data and our script, and none of a text"
    assert len(hostile.inside["style"]) == 1
    assert not {"img", "b", "iframe", "link"} & {tag for tag, _ in hostile.tags}
    names = {name for _, attributes in hostile.tags for name in attributes}
    assert not [name for name in names if name.startswith("on") or name == "style"]
    assert "<img src=x onerror=alert(1)>" in hostile.text, "in the table of confusions"
    assert "<b>bold</b>" in hostile.text
    data = json.loads(hostile.inside["script"][0])
    assert {*data["labels"]} == {*LABELS}
    assert data["text"][0] == f"{HOSTILE[0]} 0"
    assert "\u2028" not in hostile.inside["script"][0]


def test_the_policy_names_the_only_script_and_style(hostile: Reader) -> None:
    def digest(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    policy = dict(part.strip().split(" ", 1) for part in hostile.policy.split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == digest(hostile.inside["script"][1])
    assert policy["style-src"] == digest(hostile.inside["style"][0])
    first = [tag for tag, _ in hostile.tags]
    assert first.index("meta") < first.index("style"), "the policy comes before what it governs"


def test_nothing_is_loaded_from_elsewhere(hostile: Reader) -> None:
    for tag, attributes in hostile.tags:
        assert "src" not in attributes, tag
        assert (attributes.get("href") or "#").startswith("#"), tag
    assert not re.search(r"url\(|@import", hostile.inside["style"][0])
    assert not re.search(
        r"\bfetch\(|XMLHttp|import\(|innerHTML|eval\(", hostile.inside["script"][1]
    )


def test_tables_and_drawings_have_names(hostile: Reader) -> None:
    tables, captions = len(hostile.of("table")), len(hostile.of("caption"))
    assert tables == captions >= 3
    assert all(each.get("aria-label") for each in hostile.of("canvas"))
    drawn = [each for each in hostile.of("svg") if each.get("aria-hidden") != "true"]
    assert drawn
    assert all(each["role"] == "img" and each["aria-label"] for each in drawn)
    assert len(hostile.of("h1")) == 1
    (root,) = hostile.of("html")
    assert root["lang"] == "en"


def test_the_page_of_a_run_has_all_test_texts(train: Command, command: Command) -> None:
    run = Path(train("logistic")["run"])
    found = command("report", run.name)
    page = Reader((run / "report.html").read_text(encoding="utf-8"))
    assert found["out"] == str(run / "report.html")
    assert found["notes"] == []
    data = json.loads(page.inside["script"][0])
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert len(data["text"]) == metrics["test"]["texts"]
    assert None not in data["text"], "those of right answers come from the data"
    assert len(data["places"]) == 2 * len(data["text"])
    assert "the vectors of the encoder" in page.text
    assert (run / "report.txt").read_text(encoding="utf-8").splitlines()[0] in page.text
    assert f"manyheads predict {run.name}" in page.text
    assert "manyheads train --head logistic --data" in page.text
    assert "report.html" in command("show", run.name)["files"]


def test_without_data_and_cache_the_page_says_so(
    train: Command, command: Command, data: Path
) -> None:
    run = Path(train("cnn")["run"])
    kept = data.rename("elsewhere.csv")
    found = command("report", run.name, "--out", "page.html")
    assert "name the file with --data" in found["notes"][0]
    page = Reader(Path("page.html").read_text(encoding="utf-8"))
    assert "the texts of errors only" in page.text
    assert "the probabilities of the labels" in page.text
    assert command("report", run.name, "--data", kept)["notes"] == []
    shutil.rmtree("cache")
    command("report", run.name, "--data", kept, "--out", "page.html")
    assert "the probabilities of the labels" in Path("page.html").read_text(encoding="utf-8")


def test_two_runs_stand_side_by_side(train: Command, command: Command) -> None:
    one = train("logistic")
    other = train("cnn", "--split-of", run_name(one))
    found = command("report", run_name(one), run_name(other))
    assert found["out"] == "comparison.html"
    page = Reader(Path("comparison.html").read_text(encoding="utf-8"))
    assert run_name(one) in page.text
    assert run_name(other) in page.text
    assert re.search(r"Run [12] \(\w+\) .*95 % interval", page.text)
    assert "p = " in page.text
    data = json.loads(page.inside["script"][0])
    labels, first, second = data["label"], data["predicted"], data["second"]["predicted"]
    apart = [
        i for i in range(len(labels)) if (first[i] == labels[i]) != (second[i] == labels[i])
    ]
    assert sorted(data["errors"]) == apart


def test_the_second_run_is_put_in_the_order_of_the_first(tmp_path: Path) -> None:
    tests = made_run(tmp_path, [f"text {i}" for i in range(30)], ["a", "b", "c"] * 10).tests
    order = np.random.default_rng(0).permutation(30)
    turned = replace(
        tests,
        names=ClassNames(("b", "a", "c"), ()),
        labels=np.array([1, 0, 2])[tests.labels[order]],
        predicted=np.array([1, 0, 2])[tests.predicted[order]],
        confidence=tests.confidence[order],
        rows=tests.rows[order],
        positions=order,
    )
    found = align(tests, turned)
    assert found is not None
    for name in ("labels", "predicted", "confidence", "rows", "positions"):
        assert np.array_equal(getattr(found, name), getattr(tests, name)), name
    assert align(tests, replace(turned, corpus_digest="another")) is None
    assert align(tests, replace(turned, positions=order + 1)) is None


def test_runs_on_other_texts_are_not_compared(train: Command, run: Run) -> None:
    here = train("logistic")
    found = run("report", run_name(here), OLD / "cnn", "--json")
    assert found.code == 0, found.err
    page = Reader(Path("comparison.html").read_text(encoding="utf-8"))
    assert "their scores cannot be compared" in page.text
    assert "On the same test texts" not in page.text


@pytest.mark.parametrize("name", ["logistic", "cnn", "blend"])
def test_an_old_run_opens_with_what_it_has(name: str, command: Command) -> None:
    command("report", OLD / name, "--out", "page.html")
    page = Reader(Path("page.html").read_text(encoding="utf-8"))
    data = json.loads(page.inside["script"][0])
    assert len(data["label"]) == 4
    assert "Too few test texts (4) for a score." in page.text


def test_a_run_without_probabilities_opens(command: Command, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(OLD / "cnn", tmp_path / "copy"))
    (folder / "probabilities.parquet").unlink()
    (folder / "history.jsonl").unlink()
    command("report", folder)
    page = Reader((folder / "report.html").read_text(encoding="utf-8"))
    assert len(json.loads(page.inside["script"][0])["label"]) == 4
    assert "How it learned" not in page.text


def test_what_cannot_be_reported_is_refused(
    train: Command, refusal: Refusal, data: Path
) -> None:
    run = Path(train("logistic")["run"])
    assert "one run or two" in refusal("report", run.name, run.name, run.name)
    assert "same run" in refusal("report", run.name, "latest")
    assert "no run 'x'" in refusal("report", "x")
    assert "no folder" in refusal("report", run.name, "--out", "no/page.html")
    out = run / "metrics.json"
    assert "write over" in refusal("report", run.name, "--out", out)
    out.write_text("{", encoding="utf-8")
    assert "metrics.json" in refusal("report", run.name)
    assert not (run / "report.html").exists()


def test_a_report_imports_no_torch(train: Command) -> None:
    run = Path(train("logistic")["run"])
    code = (
        "import sys; from pipeline.cli.main import main; "
        f"assert main(['report', {str(run)!r}]) == 0; "
        "assert not {'torch', 'transformers', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_verdict_of_the_doctor_stands_on_top_with_its_picture(
    train: Command, command: Command
) -> None:
    folder = Path(train("cnn", "--seed", 3)["run"])
    plain = Reader(Path(command("report", folder)["out"]).read_text(encoding="utf-8"))
    assert "What the doctor says" not in plain.text
    told = command("doctor", folder, "--no-prove")
    stored = json.loads((folder / "doctor.json").read_text(encoding="utf-8"))
    trial = {
        "change": "<b>epochs</b> 2 -> 9",
        "measure": "accuracy",
        "before": 0.5,
        "after": 0.9,
    }
    more = {"interval": [0.2, 0.5], "verdict": "confirmed", "curve": [0.4, 0.7, 0.9]}
    finding = {"cause": "too_few_steps", "certainty": "proven", "tried": [{**trial, **more}]}
    stored |= {"findings": [finding], "lines": ["It <i>stops</i> too early."]}
    (folder / "doctor.json").write_text(json.dumps(stored), encoding="utf-8")
    page = Reader(Path(command("report", folder)["out"]).read_text(encoding="utf-8"))
    assert page.text.index("What the doctor says") < page.text.index("What was done")
    assert "It <i>stops</i> too early." in page.text
    assert "with the one change (<b>epochs</b> 2 -> 9)" in page.text
    assert "Only that was changed" in page.text
    assert "validation accuracy" in [what for what, _, _ in stored["numbers"]]
    assert all(what in page.text and usual in page.text for what, _, usual in stored["numbers"])
    assert told["run"] == str(folder)


def test_a_damaged_verdict_is_refused(train: Command, refusal: Refusal) -> None:
    folder = Path(train("cnn", "--seed", 3)["run"])
    (folder / "doctor.json").write_text("{}", encoding="utf-8")
    assert "doctor.json" in refusal("report", folder)
