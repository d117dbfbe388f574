"""The audit as a user runs it: command, page, cleaned corpus; and what it changes in train."""

from __future__ import annotations

import csv
import html.parser
import json
from pathlib import Path

import numpy as np
import pytest

from features.errors import SettingError
from pipeline.audit.audit import AuditResult, audit
from pipeline.audit.cleaning import DEFAULT, KEPT, REMEDIES, check_remedies, plan_cleaning
from pipeline.audit.report.page import page
from pipeline.cli.main import main
from tests.support.cli import Command
from tests.support.corpora import evidence, sentence

ATTACK = "<script>alert('x')</script><img src=http://evil.example/x onerror=go()>"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """60 texts with a split column; 3 of 12 test texts are copies, and one text is markup."""
    path = tmp_path / "leaky.csv"
    texts = [sentence(i) for i in range(60)]
    texts[48], texts[49], texts[50] = texts[0], texts[1].upper(), texts[2].replace("In", "At")
    texts[20] = f"{ATTACK} {texts[20]}"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "split", "author"])
        for i, text in enumerate(texts):
            label = "good" if i % 2 else ATTACK
            writer.writerow([text, label, "train" if i < 48 else "test", i % 9])
    return path


@pytest.fixture
def common(tiny_models: dict[str, Path]) -> list[object]:
    return ["--encoder", tiny_models["bert"]]


def test_the_command_gives_findings_a_page_and_a_clean_corpus(
    command: Command, leaky: Path, common: list[object], tmp_path: Path
) -> None:
    clean = tmp_path / "clean.csv"
    result = command("audit", "--data", leaky, *common, "--write-clean", clean)
    findings = {finding["kind"]: finding for finding in result["findings"]}
    for level, row in (("exact", 49), ("normalized", 50), ("near", 51)):
        finding = findings[f"{level}_duplicates_across_splits"]
        assert finding["rows"] == [row]
        assert finding["count"] == 1
        assert finding["share"] == pytest.approx(1 / 12, abs=1e-6)
        assert finding["examples"][0]["other"]["row"] == row - 48
        assert finding["remedy"]
    assert result["search"] == "exact"
    assert Path(result["page"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    kept, dropped = rows_of(clean), rows_of(Path(result["dropped"]))
    assert len(kept) == 57
    assert [row["row"] for row in dropped] == ["1", "2", "3"]
    assert all(row["audit"].startswith("dropped: a ") for row in dropped)
    source = rows_of(leaky)
    assert list(kept[0]) == [*source[0], "row", "audit"], "every column stays"
    assert all(row["author"] == source[int(row["row"]) - 1]["author"] for row in kept)
    # The cleaned corpus reads again, and nothing leaks any more.
    again = command("audit", "--data", clean, *common, "--page", "none")
    assert not [f for f in again["findings"] if f["kind"].endswith("across_splits")]
    assert "page" not in again


def test_examples_are_as_many_as_asked_for(
    command: Command, capsys: pytest.CaptureFixture[str], leaky: Path, common: list[object]
) -> None:
    asked = ["audit", "--data", leaky, *common, "--page", "none", "--examples"]
    for most in (1, 2, 1000):
        found = command(*asked, most)["findings"]
        shown = {f["kind"]: len(f["examples"]) for f in found}
        assert max(shown.values()) <= most
    assert [f["count"] for f in found if f["kind"].endswith("across_splits")] == [1, 1, 1]
    assert all(
        len(f["examples"]) == f["count"]
        for f in found
        if f["kind"].endswith("_duplicates_across_splits")
    ), "all of them, where that many are asked for"
    assert main([str(each) for each in (*asked, 0)]) == 2
    assert "--examples must be at least 1; got 0" in capsys.readouterr().err


class Tags(html.parser.HTMLParser):
    """Gathers tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.data: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.data.append(data)


def test_the_page_escapes_texts_and_labels_and_loads_nothing() -> None:
    texts = [ATTACK, ATTACK, *(sentence(i) for i in range(30))]
    found = evidence(texts, [ATTACK, "b"] * 16)
    shown = page(AuditResult(found, audit(found), 0.1))
    tags = Tags()
    tags.feed(shown)
    assert not tags.tags & {"script", "img", "link", "iframe"}
    assert all(link.startswith("#") for link in tags.links)
    assert ATTACK in tags.data, "the text itself is shown"
    assert "default-src 'none'" in shown


def test_remedies_act_and_say_so() -> None:
    texts = [sentence(i) for i in range(40)]
    texts += [texts[0], texts[1], "[ no answer ]", texts[2].replace("In", "At")]
    labels = ["a", "b"] * 20 + ["a", "a", "b", "A"]
    found = evidence(texts, labels)
    cleaning = plan_cleaning(found, audit(found), tuple(REMEDIES))
    assert cleaning.done[40] == "dropped: exact copy of row 1"
    assert cleaning.done[1] == cleaning.done[41] == "dropped: the text has several labels"
    assert cleaning.done[42] == "dropped: a non-answer"
    assert cleaning.done[43].startswith("dropped: near copy of row 3")
    assert cleaning.labels[43] == "a"
    assert np.flatnonzero(cleaning.drop).tolist() == [1, 40, 41, 42, 43]
    safe = plan_cleaning(found, [], DEFAULT)
    assert safe.done[43] == "label 'A' written 'a'"
    assert safe.done[5] == KEPT


def test_unknown_remedies_are_listed() -> None:
    assert check_remedies(None) == DEFAULT
    former = "folded_copies_within_splits, near_copies_across_splits"  # of --json version 1
    now = ("normalized_duplicates_within_splits", "near_duplicates_across_splits")
    assert check_remedies(former) == now
    with pytest.raises(SettingError, match=r"'magic'.*giveaways"):
        check_remedies("non_answers,magic")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--write-clean", "x.docx"], "--write-clean must end in"),
        (["--write-clean", "nowhere/x.csv"], "no folder"),
        (["--remedies", "magic"], "there are remedies for"),
        (["--page", "nowhere/x.html"], "--page nowhere/x.html: there is no folder"),
    ],
)
def test_wrong_options_are_one_line(
    capsys: pytest.CaptureFixture[str],
    leaky: Path,
    common: list[object],
    arguments: list[str],
    said: str,
) -> None:
    assert main(["audit", "--data", str(leaky), *map(str, common), *arguments]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert said in err
    assert err.startswith("error: ")


@pytest.fixture
def clustered(tmp_path: Path) -> Path:
    """90 texts, each with two near-copies: a random split would part nearly all."""
    path = tmp_path / "clustered.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "author"])
        for i in range(30):
            text = sentence(i)
            for n, copy in enumerate(
                (text, text.replace("In", "At"), text.replace("my", "our"))
            ):
                writer.writerow([copy, "good" if i % 2 else "bad", f"{(i + n) % 10}"])
    return path


def sides(run: str) -> dict[int, str]:
    import pyarrow.parquet as pq

    table = pq.read_table(Path(run) / "predictions.parquet").to_pydict()
    return dict(zip(table["row"], table["side"], strict=True))


def test_near_copies_stay_on_one_side_by_default(
    command: Command, clustered: Path, common: list[object]
) -> None:
    result = command("train", "--data", clustered, *common)
    assert result["leaked"] == 0
    assert result["test_without_leaked"] == result["test"]
    side = sides(result["run"])
    for first in range(1, 91, 3):
        assert len({side.get(first + n) for n in range(3)}) == 1
    assert any("30 clusters" in note for note in result["notes"])
    parted = command("train", "--data", clustered, *common, "--split", "random")
    assert parted["leaked"] > parted["test"]["texts"] // 2
    rest = parted["test_without_leaked"]
    assert rest is None or rest["texts"] == parted["test"]["texts"] - parted["leaked"]


def test_a_group_column_is_kept_together(
    command: Command, capsys: pytest.CaptureFixture[str], clustered: Path, common: list[object]
) -> None:
    texts = rows_of(clustered)
    data = clustered.with_name("plain.csv")
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "author"])
        writer.writerows(
            [sentence(200 + i), row["label"], f"{i // 5}"] for i, row in enumerate(texts)
        )
    result = command(
        "train",
        "--data",
        data,
        *common,
        "--group-column",
        "author",
        "--split",
        "random",
    )
    side = sides(result["run"])
    for first in range(1, 91, 5):
        assert len({side.get(first + n) for n in range(5)}) == 1
    wrong = ["train", "--data", str(data), "--group-column", "writer"]
    assert main([*wrong, *map(str, common)]) == 2
    assert "--group-column" in capsys.readouterr().err


def test_a_split_column_can_be_left_unread(
    command: Command, leaky: Path, common: list[object]
) -> None:
    kept = command("train", "--data", leaky, *common)
    assert (kept["test"]["texts"], kept["leaked"]) == (12, 3)
    cut = command("train", "--data", leaky, *common, "--split-column", "none")
    assert cut["leaked"] == 0


def test_predictions_and_errors_name_their_nearest_training_texts(
    command: Command, clustered: Path, common: list[object]
) -> None:
    trained = command("train", "--data", clustered, *common, "--split", "random")
    side = sides(trained["run"])
    learned = next(row for row in range(1, 91) if row not in side)
    source = rows_of(clustered)[learned - 1]
    said = command("predict", "--run", trained["run"], "--text", source["text"], "--explain", 2)
    near = said["predictions"][0]["neighbors"]
    assert len(near) == 2
    assert (near[0]["row"], near[0]["label"]) == (learned, source["label"])
    assert near[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert near[0]["similarity"] >= near[1]["similarity"]
    lines = (Path(trained["run"]) / "errors.jsonl").read_text(encoding="utf-8").splitlines()
    errors = [json.loads(line) for line in lines]
    wrong = trained["test"]["texts"] * (1 - trained["test"]["accuracy"])
    assert len(errors) == round(wrong)
    for error in errors:
        assert error["label"] != error["predicted"]
        assert all(each["row"] not in side for each in error["neighbors"])
