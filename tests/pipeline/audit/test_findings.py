"""Every kind of finding on corpora where the answer is known by construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from features.corpus.columns import Columns
from features.duplicates.duplicates import leaked
from pipeline.audit import texts as findings_texts
from pipeline.audit.audit import audit
from pipeline.audit.finding import Finding, evenly_spaced
from pipeline.audit.giveaways import giveaways, without
from pipeline.audit.label_errors import find_label_errors, out_of_fold
from pipeline.audit.labels import label_key
from pipeline.audit.texts import non_answers
from tests.support.corpora import evidence, sentence


def by_kind(found: tuple[Finding, ...]) -> dict[str, Finding]:
    assert len({finding.kind for finding in found}) == len(found)
    return {finding.kind: finding for finding in found}


TEXTS = [sentence(i) for i in range(40)]
LABELS = ["a", "b"] * 20
SPLITS = ["train"] * 30 + ["test"] * 10
NEAR = TEXTS[2].replace("cousin", "uncle")


def test_a_clean_corpus_has_no_findings() -> None:
    kinds = by_kind(audit(evidence(TEXTS, LABELS, SPLITS)))
    assert kinds.keys() <= {"label_errors"}  # these texts say nothing about their labels


def test_copies_across_splits_count_once_and_at_their_strongest_level() -> None:
    texts = [*TEXTS, TEXTS[0], TEXTS[1].upper(), NEAR]
    found = evidence(texts, [*LABELS, "a", "b", "a"], [*SPLITS, "test", "test", "test"])
    kinds = by_kind(audit(found))
    for level, row, source in (("exact", 40, 0), ("normalized", 41, 1), ("near", 42, 2)):
        finding = kinds[f"{level}_duplicates_across_splits"]
        assert finding.positions == (row,)
        assert (finding.count, finding.share) == (1, pytest.approx(1 / 13))
        example = finding.examples[0]
        assert example.place is not None
        assert example.other is not None
        assert (example.place.row, example.other.row) == (row + 1, source + 1)
        assert example.place.text == texts[row]
        assert finding.remedy
    assert not [kind for kind in kinds if kind.endswith("within_splits")]


def test_copies_within_a_side_are_no_leak() -> None:
    texts = [*TEXTS, TEXTS[39], TEXTS[38].upper(), TEXTS[37].replace("cousin", "uncle")]
    kinds = by_kind(audit(evidence(texts, [*LABELS, "b", "a", "b"], [*SPLITS, *["test"] * 3])))
    assert not [kind for kind in kinds if kind.endswith("across_splits")]
    rows = {
        level: kinds[f"{level}_duplicates_within_splits"].positions
        for level in ("exact", "normalized", "near")
    }
    assert rows == {"exact": (40,), "normalized": (41,), "near": (42,)}


def test_without_a_split_column_all_copies_are_within() -> None:
    kinds = by_kind(audit(evidence([*TEXTS, TEXTS[0]], [*LABELS, "a"])))
    assert kinds["exact_duplicates_within_splits"].positions == (40,)
    assert "exact_duplicates_across_splits" not in kinds


def test_leaked_names_the_rows_with_a_copy_in_training() -> None:
    found = evidence([*TEXTS[:4], TEXTS[0], NEAR, TEXTS[9]], ["a"] * 7)
    hit = leaked(found.copies, np.array([0, 1, 2, 3]), np.array([4, 5, 6]))
    assert hit.tolist() == [True, True, False]


def test_label_conflicts() -> None:
    kinds = by_kind(audit(evidence([*TEXTS, TEXTS[0].upper(), TEXTS[2]], [*LABELS, "b", "a"])))
    assert kinds["label_conflicts"].positions == (0, 40)
    assert kinds["label_conflicts"].examples[0].note == "a: 1 row, b: 1 row"


def test_unseen_small_uneven_and_variant_labels() -> None:
    labels = ["a"] * 26 + ["A "] * 2 + ["b_c"] * 2 + ["b"] * 9 + ["z"]
    kinds = by_kind(audit(evidence(TEXTS, labels, SPLITS)))
    assert kinds["unseen_labels"].count == 10
    assert kinds["unseen_labels"].share == 1.0
    assert kinds["small_classes"].count == 4
    assert "3 classes have fewer than 3" in kinds["small_classes"].message
    assert kinds["imbalance"].share == pytest.approx(26 / 40)
    assert kinds["label_variants"].count == 2
    assert "'A ': 2 rows" in kinds["label_variants"].examples[0].note


def test_non_answers_are_found_without_being_told() -> None:
    silent = ["[ Will not say.]"] * 6 + ["n/a", "-"]
    labels = [*LABELS, "a", "b", "c", "a", "b", "c", "a", "b"]
    said = by_kind(audit(evidence([*TEXTS, *silent], labels)))["non_answers"]
    assert said.positions == tuple(range(40, 48))
    assert said.examples[0].note == "6 rows under 3 labels"
    # A text that is repeated under its own label says something.
    told = by_kind(
        audit(evidence([*TEXTS, *["My grandmother died."] * 6], [*LABELS, *"aaaaaa"]))
    )
    assert "non_answers" not in told


def test_outliers_and_foreign_scripts() -> None:
    rng = np.random.default_rng(0)
    made = np.ones((42, 16)) + 0.1 * rng.standard_normal((42, 16))
    made[41] = rng.standard_normal(16)
    texts = [*TEXTS, "Это предложение написано по-русски.", "garbled qwrt pssdf"]
    kinds = by_kind(audit(evidence(texts, [*LABELS, "a", "b"], made=made)))
    assert kinds["outliers"].positions == (41,)
    assert kinds["foreign_scripts"].positions == (40,)
    assert kinds["foreign_scripts"].examples[0].note == "Cyrillic"


def test_truncation_counts_texts_and_tokens() -> None:
    tokens = [16] * 38 + [64, 48]
    finding = by_kind(audit(evidence(TEXTS, LABELS, tokens=tokens)))["truncation"]
    assert (finding.count, finding.positions) == (2, (38, 39))
    assert f"{(32 + 16) / sum(tokens):.1%} of all tokens" in finding.message


def test_giveaways_of_every_kind() -> None:
    texts = [sentence(i) for i in range(120)]
    labels = ["a", "b", "c"] * 40
    for row in range(0, 120, 3):
        texts[row] = texts[row].replace("near", "brindle near")
    for row in range(1, 60, 3):
        texts[row] = f"Ref-{row * 37}: {texts[row]}"
    for row in range(2, 60, 3):
        texts[row] = f"{texts[row]} zq_{row}"
    found = giveaways(evidence(texts, labels))
    assert {(g.token, g.label) for g in found} == {
        ("brindle", "a"),
        ("ref-0", "b"),
        ("zq_0", "c"),
    }
    assert all(g.precision == 1 for g in found)
    shorter, removed = without("Ref-9: keep this, zq_4 and\n brindle, that", found)
    assert removed == ["Ref-9:", "zq_4", "brindle,"]
    assert shorter.split() == ["keep", "this,", "and", "that"]


def test_a_token_of_a_few_texts_or_of_every_label_gives_nothing_away() -> None:
    texts = [f"{sentence(i)} zq_1" if i < 9 else f"{sentence(i)} tag_2" for i in range(120)]
    assert giveaways(evidence(texts, ["a"] * 9 + ["a", "b", "c"] * 37)) == []


def test_flipped_labels_are_suspected_first() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 400)
    made = np.eye(4)[truth] @ rng.standard_normal((4, 16)) + 0.3 * rng.standard_normal(
        (400, 16)
    )
    labels = truth.copy()
    flipped = rng.permutation(400)[:12]
    labels[flipped] = (labels[flipped] + 1) % 4
    probabilities = out_of_fold(made, labels, np.arange(400))
    assert probabilities.shape == (400, 4)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    found = find_label_errors(probabilities, labels)
    assert len(set(found.rows[:12].tolist()) & set(flipped.tolist())) >= 11
    right = [
        truth[row] == suggested
        for row, suggested in zip(
            found.rows[:11].tolist(), found.suggested[:11].tolist(), strict=True
        )
    ]
    assert sum(right) >= 10


def test_a_class_so_rare_that_the_texts_learned_from_lack_it() -> None:
    made = np.random.default_rng(0).standard_normal((400, 4))
    labels = np.zeros(400, np.int64)
    labels[:2] = 1
    probabilities = out_of_fold(made, labels, np.arange(400), max_learned=20)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_label_errors_are_found_among_a_thousand_classes() -> None:
    """The gradient of zero weights falls with the classes: no constant may end the fit."""
    rng = np.random.default_rng(0)
    truth = np.tile(np.arange(1000), 3)
    centers = rng.standard_normal((1000, 24)).astype(np.float32)
    made = centers[truth] + 0.1 * rng.standard_normal((3000, 24)).astype(np.float32)
    labels = truth.copy()
    flipped = rng.permutation(3000)[:50]
    labels[flipped] = (truth[flipped] + 500) % 1000
    found = find_label_errors(out_of_fold(made, labels, np.arange(3000)), labels)
    assert len(set(found.rows.tolist()) & set(flipped.tolist())) >= 40
    assert len(found.rows) < 60


def test_copies_never_vouch_for_each_other() -> None:
    """Two copies with the same wrong label share a fold, so neither confirms the other."""
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1], 50)
    made = np.eye(2)[truth] @ np.array([[3.0] * 8, [-3.0] * 8]) + rng.standard_normal((100, 8))
    made[:6] = made[0]
    labels = truth.copy()
    labels[:6] = 1
    groups = np.arange(100)
    groups[:6] = 0
    found = find_label_errors(
        out_of_fold(made, labels, np.unique(groups, return_inverse=True)[1]), labels
    )
    assert set(found.rows.tolist()) == set(range(6))


def test_examples_are_spread_from_best_to_worst() -> None:
    assert evenly_spaced(3, 10) == [0, 1, 2]
    assert evenly_spaced(101, most=5) == [0, 25, 50, 75, 100]


def test_rows_that_repeat_the_header() -> None:
    more = (["text", "text ", "\ufefftext"], ["label", "a", "label"])
    found = evidence([*TEXTS, *more[0]], [*LABELS, *more[1]])
    finding = by_kind(audit(found))["header_rows"]
    assert (finding.positions, finding.count) == ((40, 42), 2)
    assert finding.examples[0].place is not None
    assert finding.examples[0].place.row == 41
    renamed = replace(found, columns=Columns(text="body", label="topic"))
    assert "header_rows" not in by_kind(audit(renamed))


@pytest.mark.parametrize(
    "text", ["\u200b\u200b", "\ufeff", "\u00ad \u2060", "\x00\x07", "\u3164"]
)
def test_texts_that_show_nothing(text: str) -> None:
    kinds = by_kind(
        audit(evidence([*TEXTS, text, "\U0001f642", "a\u200bb c d"], [*LABELS, *"aba"]))
    )
    assert kinds["invisible_texts"].positions == (40,)
    assert kinds["invisible_texts"].examples[0].note.startswith(f"U+{ord(text[0]):04X}")
    assert "non_answers" not in kinds


def test_labels_that_stand_for_no_value() -> None:
    finding = by_kind(audit(evidence(TEXTS, ["nan", "None", *LABELS[2:]])))["missing_labels"]
    assert (finding.count, finding.positions) == (2, (0, 1))
    assert "'None', 'nan'" in finding.message


def test_numbers_written_in_two_ways_are_one_label_and_signs_are_not() -> None:
    for same in (("1", "1.0"), ("2.5", "2.50"), ("+1", "1"), ("-1", "-1.00"), ("x y", "X-y")):
        assert label_key(same[0]) == label_key(same[1])
    for other in (
        ("1", "-1"),
        ("1", "10"),
        ("1.5", "15"),
        ("A", "A-"),
        ("A+", "A"),
        ("0", "00"),
    ):
        assert label_key(other[0]) != label_key(other[1])
    kinds = by_kind(audit(evidence(TEXTS, ["1", "1.0", "-1", "0"] * 10)))
    assert kinds["label_variants"].examples[0].note == "'1': 10 rows, '1.0': 10 rows"


def test_repeated_short_texts_take_time_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"answer {'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10 % 10]}" for i in range(300)]
    found = evidence(texts, ["x", "y", "z"] * 100)
    counted: list[int] = []

    class Counted(Counter[str]):
        def __init__(self, values: Iterable[str] = ()) -> None:
            counted.append(len(listed := list(values)))
            super().__init__(listed)

    monkeypatch.setattr(findings_texts, "Counter", Counted)
    non_answers(found)
    assert sum(counted) <= 2 * len(texts)
