"""The page of a run shows what the last audit of the same texts found, if there was one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from features.corpus.corpus import Corpus
from pipeline.audit.audit import AuditResult, audit
from pipeline.audit.report.record import find_audit, keep_audit
from pipeline.pages.audit_part import CASES, audit_part
from pipeline.pages.run_report import run_page
from tests.support.cli import GOOD, Command, write
from tests.support.corpora import evidence, sentence
from tests.support.runs.reported_runs import made_run

MARKUP = "<script>alert(1)</script><img src=x>"
TITLE = "What the audit found"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """160 texts of two classes; five test texts are in training too, one of them markup."""
    sides = ["train", "train", "validation", "test"]
    rows = [[f"{GOOD[i % 4]} {i * 37}", "ab"[i % 3 % 2], sides[i % 4]] for i in range(155)]
    rows += [[MARKUP, "a", "train"], [MARKUP, "a", "test"]]
    rows += [[rows[i][0], rows[i][1], "test"] for i in (0, 4, 8, 12)]
    return write(tmp_path / "data.csv", [["text", "label", "split"], *rows])


@pytest.fixture(scope="module")
def found() -> AuditResult:
    """An audit whose corpus leaves rows of its file out, so that rows are no positions."""
    texts = [
        *(sentence(i) for i in range(40)),
        *(sentence(i) for i in range(9)),
        MARKUP,
        MARKUP,
    ]
    labels = ["a", "b"] * 20 + ["a", "b"] * 4 + ["a", "b", "a"]
    made = evidence(texts, labels, ["train"] * 40 + ["test"] * 10 + ["train"])
    corpus = replace(made.corpus, rows=tuple(range(11, 62)), lines=tuple(range(101, 152)))
    made = replace(made, corpus=corpus)
    return AuditResult(made, audit(made), 1.0)


def test_an_audit_is_found_by_its_texts_alone(tmp_path: Path, found: AuditResult) -> None:
    corpus = found.corpus
    assert find_audit(tmp_path, corpus.digest) is None
    keep_audit(tmp_path, "an encoder", found)
    keep_audit(tmp_path, "another", found)
    kept = find_audit(tmp_path, corpus.digest)
    assert kept is not None
    assert kept.encoder == "another", "the last one counts"
    assert find_audit(tmp_path, Corpus(corpus.texts[1:]).digest) is None
    (path,) = (tmp_path / "results").iterdir()
    assert sentence(0).encode() not in path.read_bytes(), "texts stay in the data"
    told = kept.with_texts(corpus)
    for one, other in zip(told, found.findings, strict=True):
        assert one == replace(other, positions=())
    without = kept.with_texts(None)
    assert [each.message for each in without] == [each.message for each in told]
    assert not any(example.place for each in without for example in each.examples)


def test_findings_are_told_in_the_order_in_which_to_act(
    tmp_path: Path, found: AuditResult
) -> None:
    keep_audit(tmp_path, "<b>encoder</b>", found)
    kept = find_audit(tmp_path, found.corpus.digest)
    part = audit_part(kept, found.corpus)
    assert part is not None
    kinds = [each.finding.kind for section in part.sections for each in section.findings]
    assert kinds.index("label_conflicts") < kinds.index("exact_duplicates_across_splits")
    assert all(
        len(each.finding.examples) <= CASES
        for section in part.sections
        for each in section.findings
    )
    run = made_run(tmp_path, [sentence(i) for i in range(30)], ["x", "y", "z"] * 10)
    page = run_page(replace(run, audit=kept, corpus=found.corpus))
    assert page.index(TITLE) < page.index("What was done")
    assert "&lt;b&gt;encoder&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x&gt;" in page
    assert MARKUP not in page
    assert "line 101 (row 11), train" in page
    assert page.count('<details class="finding" open') == part.opened
    assert part.sections[0].remedy.split("(")[0] in page
    assert audit_part(None, found.corpus) is None


def test_a_run_shows_the_audit_of_its_texts_and_names_its_command(
    train: Command, command: Command, data: Path, tiny_models: dict[str, Path]
) -> None:
    run = Path(train("logistic")["run"])
    cache = ("--cache", "cache")

    def page(*arguments: object) -> str:
        out = command("report", run, *cache, "--out", "page.html", *arguments)["out"]
        return Path(out).read_text(encoding="utf-8")

    before = page()
    assert TITLE not in before
    assert "<dt>audit the texts</dt>" in before
    assert f"manyheads audit --data {data}" in before
    command("audit", "--data", data, "--encoder", tiny_models["bert"], *cache, "--page", "none")
    shown = page()
    assert re.search("5 of [0-9]+ held-out texts repeat a text", shown)
    assert "line 157 (row 156), train" in shown
    moved = data.rename(data.with_name("moved.csv"))
    without = page()
    assert "so the texts are not shown" in without
    assert "line 157" not in without
    assert "line 157 (row 156), train" in page("--data", moved)
