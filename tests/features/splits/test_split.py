"""Splits: every row once, nothing on both sides, shares as promised, and all of it told."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import SplitError
from features.splits.split import Split, make_split
from features.text.keys import normalize_text
from tests.support.corpora import rows_of


def sides(split: Split, size: int) -> list[str]:
    """The side of each row; fails unless every row stands on exactly one."""
    found: list[list[str]] = [[] for _ in range(size)]
    for name in ("train", "validation", "test"):
        rows = getattr(split, name)
        assert rows.dtype == np.int64
        assert np.all(np.diff(rows) > 0)
        for row in rows.tolist():
            found[row].append(name)
    assert all(len(names) == 1 for names in found)
    return [names[0] for names in found]


def per_class(split: Split, labels: list[str]) -> dict[str, dict[str, int]]:
    """side -> label -> rows."""
    counts: dict[str, Counter[str]] = {}
    for side, label in zip(sides(split, len(labels)), labels, strict=True):
        counts.setdefault(side, Counter())[label] += 1
    return {side: dict(found) for side, found in counts.items()}


def test_shares_by_hand() -> None:
    labels, texts = rows_of(a=100, b=40, c=20)
    # Test 15, 6, 3; of the remaining 85, 34, 17 a fifth is 17, 6.8, 3.4: 27.2 rows in all.
    assert per_class(make_split(labels, texts), labels) == {
        "test": {"a": 15, "b": 6, "c": 3},
        "validation": {"a": 17, "b": 7, "c": 3},
        "train": {"a": 68, "b": 27, "c": 14},
    }


def test_roundings_of_the_classes_cancel_out() -> None:
    labels, texts = rows_of(**{f"class {i}": 150 for i in range(7)})
    counts = per_class(make_split(labels, texts), labels)
    # 22.5 rows each, 157.5 in all, which rounds (half to even) to 158.
    assert sorted(counts["test"].values()) == [22, 22, 22, 23, 23, 23, 23]


def test_which_class_is_rounded_up_is_left_to_chance() -> None:
    labels, texts = rows_of(a=50, b=50)  # 7.5 test rows each, 15 in all
    winners = Counter(
        max(counts, key=counts.__getitem__)
        for counts in (
            per_class(make_split(labels, texts, seed=seed), labels)["test"]
            for seed in range(40)
        )
    )
    assert set(winners) == {"a", "b"}
    assert min(winners.values()) > 8


def test_the_smallest_class_that_can_be_split_has_one_row_on_each_side() -> None:
    labels, texts = rows_of(a=3, b=3)
    counts = per_class(make_split(labels, texts), labels)
    assert counts == {side: {"a": 1, "b": 1} for side in ("train", "validation", "test")}


def test_one_row_of_each_small_class_raises_no_other() -> None:
    # Eight classes give a row each, one more than 15 % of 49 rows: nobody is rounded up.
    labels, texts = rows_of(a=8, b=8, c=8, d=8, e=8, f=3, g=3, h=3)
    counts = per_class(make_split(labels, texts), labels)
    assert counts["test"] == dict.fromkeys("abcdefgh", 1)


def test_rare_classes_stay_in_training_and_are_named() -> None:
    labels, texts = rows_of(a=20, b=20, once=1, twice=2)
    split = make_split(labels, texts)
    counts = per_class(split, labels)
    assert counts["train"]["once"] == 1
    assert counts["train"]["twice"] == 2
    assert split.classes == ("a", "b", "once", "twice")
    assert split.unseen == {}
    assert split.notes == (
        "2 classes are too rare to share out (fewer than 3 distinct texts) and left in "
        "training whole: 'once' (1 row), 'twice' (2 rows).",
    )
    # Five rows of one text are one unit: as rare as a single row.
    copies = make_split(
        [*labels, *["five"] * 5], [*texts, *["Same  text", "same text"] * 2, "SAME text"]
    )
    assert "'five' (5 rows)" in copies.notes[-1]


def test_folded_copies_stay_together_and_are_counted() -> None:
    labels, texts = rows_of(a=30, b=30)
    texts[5], texts[40], texts[50] = "Ａ  copy", "a COPY ", "a copy"
    for seed in range(20):
        split = make_split(labels, texts, seed=seed)
        found = sides(split, 60)
        assert found[5] == found[40] == found[50]
    assert split.notes == (
        "2 rows repeat an earlier text; copies were kept on one side.",
        "1 text stands under more than one label.",
    )


def test_a_unit_of_two_labels_counts_for_the_majority() -> None:
    # Class b has its 3 texts, and 2 more rows that belong with a's text "shared".
    labels = ["a"] * 5 + ["b"] * 5
    texts = ["shared", "shared", "shared", "a1", "a2", "shared", "shared", "b1", "b2", "b3"]
    for seed in range(20):
        found = sides(make_split(labels, texts, seed=seed), 10)
        assert {found[i] for i in (7, 8, 9)} == {"train", "validation", "test"}
        assert len({found[i] for i in (0, 1, 2, 5, 6)}) == 1


def test_groups_and_copies_together_bind_rows() -> None:
    labels, texts = rows_of(a=20, b=20)
    groups = np.arange(40)
    groups[[0, 21]] = 100  # a group across classes
    texts[21] = texts[22] = "copy"  # chained to row 22 by its text
    groups[[22, 23]] = 200  # and on to row 23 by its group
    for seed in range(20):
        found = sides(make_split(labels, texts, groups=groups, seed=seed), 40)
        assert found[0] == found[21] == found[22] == found[23]
    as_words = make_split(labels, texts, groups=[f"g{i}" for i in groups.tolist()], seed=19)
    assert sides(as_words, 40) == found


def test_large_groups_still_give_close_shares() -> None:
    labels, texts = rows_of(a=600, b=400)
    groups = np.arange(1000) // 7
    split = make_split(labels, texts, groups=groups)
    assert abs(len(split.test) - 150) <= 7
    assert abs(len(split.validation) - 0.2 * (1000 - len(split.test))) <= 7


def test_the_seed_decides_and_nothing_else() -> None:
    labels, texts = rows_of(a=50, b=50)
    one, same, other = (make_split(labels, texts, seed=seed) for seed in (3, 3, 4))
    assert sides(one, 100) == sides(same, 100)
    assert sides(one, 100) != sides(other, 100)


def test_other_shares() -> None:
    labels, texts = rows_of(a=50, b=50)
    split = make_split(labels, texts, test=0.5, validation=0.1)
    assert (len(split.test), len(split.validation), len(split.train)) == (50, 5, 45)
    # However large the share, every class keeps a row to train on.
    split = make_split(labels, texts, test=0.99, validation=0.99)
    assert (len(split.test), len(split.validation), len(split.train)) == (96, 2, 2)


def test_official_sides_are_respected_exactly() -> None:
    labels, texts = rows_of(a=4, b=4)
    cells = ["Train", "TEST", "dev", " training ", "val", "testing", "train", "validation"]
    split = make_split(labels, texts, cells)
    assert split.train.tolist() == [0, 3, 6]
    assert split.validation.tolist() == [2, 4, 7]
    assert split.test.tolist() == [1, 5]
    assert split.notes == ()
    assert make_split(labels, texts, [*cells[:2], "Valid", *cells[3:]]).validation[0] == 2


def test_a_missing_validation_side_is_cut_from_training() -> None:
    labels, texts = rows_of(a=50, b=60)
    cells = ["train"] * 100 + ["test"] * 10
    texts[105] = texts[106]  # copies inside the test side concern nobody
    split = make_split(labels, texts, cells)
    assert split.test.tolist() == list(range(100, 110))
    counts = per_class(split, labels)
    assert counts["validation"] == {"a": 10, "b": 10}
    assert split.notes == (
        "The split column has no validation rows: 20% of the rows left to training, 20, were "
        "cut for it.",
    )


def test_rare_classes_are_counted_where_the_cut_is_made() -> None:
    labels, texts = rows_of(a=50, b=50, rare=10)
    split = make_split(labels, texts, ["train"] * 102 + ["test"] * 8)
    assert "whole: 'rare' (2 rows)." in split.notes[-1]
    assert len(split.test) == 8


def test_a_missing_test_side_is_cut_from_training() -> None:
    labels, texts = rows_of(a=40, b=50)
    split = make_split(labels, texts, ["train"] * 80 + ["valid"] * 10)
    assert split.validation.tolist() == list(range(80, 90))
    assert per_class(split, labels)["test"] == {"a": 6, "b": 6}
    (note,) = split.notes
    assert "no test rows: 15% of the rows left to training, 12," in note


def test_validation_rows_train_where_nothing_else_does() -> None:
    labels, texts = rows_of(a=50, b=60)
    split = make_split(labels, texts, ["dev"] * 100 + ["test"] * 10)
    assert split.test.tolist() == list(range(100, 110))
    assert len(split.validation) == 20
    assert split.notes[0] == (
        "The split column has no training rows: its 100 validation rows train instead."
    )
    assert "no validation rows: 20% of the rows left to training, 20," in split.notes[1]


@pytest.mark.parametrize("only", ["train", "dev"])
def test_a_split_column_of_one_side_is_cut_like_none(only: str) -> None:
    labels, texts = rows_of(a=50, b=50)
    split = make_split(labels, texts, [only] * 100)
    assert sides(split, 100) == sides(make_split(labels, texts), 100)
    assert [note for note in split.notes if "no test rows: 15%" in note]
    assert [note for note in split.notes if "no validation rows: 20%" in note]


def test_validation_is_cut_from_training_without_parting_copies() -> None:
    labels, texts = rows_of(a=30, b=30)
    texts[0] = texts[1] = texts[59] = "copy"
    for seed in range(20):
        split = make_split(labels, texts, ["train"] * 50 + ["test"] * 10, seed=seed)
        found = sides(split, 60)
        assert found[0] == found[1]
        assert found[59] == "test"


def test_copies_across_official_sides_are_named_and_left() -> None:
    labels, texts = rows_of(a=6, b=6)
    cells = ["train", "test", "dev", "train", "test", "dev"] * 2
    texts[1] = texts[0].upper()  # test repeats training
    texts[7] = texts[0]
    texts[2] = texts[3]  # validation repeats training
    texts[4] = texts[5]  # test repeats validation
    split = make_split(labels, texts, cells, rows=range(101, 113))
    assert sides(split, 12) == [
        {"train": "train", "test": "test", "dev": "validation"}[cell] for cell in cells
    ]
    assert split.notes == (
        "2 of 4 test rows have a text that is in training too, as the split column says: "
        "rows 102, 108.",
        "1 of 4 validation rows have a text that is in training too, as the split column says: "
        "row 103.",
        "1 of 4 test rows have a text that is in validation too, as the split column says: "
        "row 105.",
        "1 text stands under more than one label.",
    )


def test_labels_that_training_lacks_are_counted_and_can_only_score_as_errors() -> None:
    labels = ["b", "a", "new", "a", "new", "older"]
    cells = ["train", "train", "test", "test", "dev", "test"]
    split = make_split(labels, [f"t{i}" for i in range(6)], cells)
    assert split.classes == ("a", "b")
    assert dict(split.unseen) == {"new": 2, "older": 1}
    assert split.notes == (
        "Training lacks 2 labels of validation or test, whose rows can only score as errors: "
        "'new' (2 rows), 'older' (1 row).",
    )
    ids = split.label_ids(labels)
    assert ids.dtype == np.int64
    assert ids.tolist() == [1, 0, 2, 0, 2, 3]
    # The ids do not hang on which labels are asked for, and strangers get one each.
    assert split.label_ids(["older", "x", "b", "w"]).tolist() == [3, 5, 1, 4]
    assert split.label_ids([]).shape == (0,)


@given(
    sizes=st.lists(st.integers(7, 60), min_size=2, max_size=8),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_shares_of_single_rows_are_exact(
    sizes: list[int], seed: int, data: st.DataObject
) -> None:
    labels, texts = rows_of(**{f"c{i}": size for i, size in enumerate(sizes)})
    order = data.draw(st.permutations(range(len(labels))))
    labels = [labels[i] for i in order]
    split = make_split(labels, texts, seed=seed)
    counts = per_class(split, labels)
    assert len(split.test) == round(0.15 * len(labels))
    rest = len(labels) - len(split.test)
    assert len(split.validation) == round(0.2 * rest)
    for label, size in Counter(labels).items():
        tested = counts["test"][label]
        assert abs(tested - 0.15 * size) < 1
        assert abs(counts["validation"][label] - 0.2 * (size - tested)) < 1


@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 30)), min_size=12, max_size=80
    ),
    groups=st.none() | st.lists(st.integers(0, 40), min_size=80, max_size=80),
    seed=st.integers(0, 100),
)
def test_no_copy_and_no_group_ever_straddles(
    rows: list[tuple[str, int]], groups: list[int] | None, seed: int
) -> None:
    labels = [label for label, _ in rows]
    texts = [("Text  %d", "text %d", " TEXT %d")[i % 3] % n for i, (_, n) in enumerate(rows)]
    given_groups = groups[: len(rows)] if groups else None
    try:
        split = make_split(labels, texts, groups=given_groups, seed=seed)
    except SplitError:
        return
    found = sides(split, len(rows))
    side_of_text: dict[str, str] = {}
    side_of_group: dict[int, str] = {}
    for i, side in enumerate(found):
        assert side_of_text.setdefault(normalize_text(texts[i]), side) == side
        if given_groups:
            assert side_of_group.setdefault(given_groups[i], side) == side
    assert min(len(split.train), len(split.validation), len(split.test)) > 0
    again = make_split(labels, texts, groups=given_groups, seed=seed)
    assert sides(again, len(rows)) == found
    assert split.classes == tuple(sorted({labels[i] for i in split.train}))
    lost = Counter(label for label in labels if label not in split.classes)
    assert dict(split.unseen) == dict(lost)


def test_two_hundred_thousand_rows_take_about_a_second() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 600_000, 200_000).tolist()
    texts = [f"A text about as long as a short message usually is, number {i}" for i in numbers]
    labels = [f"class {i}" for i in rng.integers(0, 50, 200_000).tolist()]
    groups = rng.integers(0, 100_000, 200_000)
    start = time.process_time()
    split = make_split(labels, texts, groups=groups)
    # Five times what an idle core needs: a quadratic step would take minutes.
    assert time.process_time() - start < 3
    assert abs(len(split.test) / 200_000 - 0.15) < 0.002
