"""Splits: which rows train, validate and test; seeded, stratified, without leakage.

    texts, groups -> units -> draw test -> draw validation -> Split

Rows with the same normalized text and rows of one group form a unit, and all rows of a unit
go to the same side. The split column of a data file is followed row by row; only a side that
is missing there is drawn from the training rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import SettingError, SplitError
from features.groups import ids_of, majority, union
from features.messages import clipped, listed, many
from features.splits.names import OFFICIAL, SIDES, TEST, TRAINING, VALIDATION
from features.splits.strata import draw
from features.text.keys import normalize_text
from features.text.missing import ids_of_groups

MIN_UNITS = 3
"""Minimum units of a class, one per side: with fewer it cannot be both learned and scored."""

DISTINCT, GROUPS = "distinct texts", "separate groups of texts"
JOINED = {
    DISTINCT: "",
    GROUPS: "; near-copies count as one (--split random parts them), and so does each group",
}
"""What is cut to sides, and why it may be less than the rows."""


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of each side, and the classes of the training rows.

    Attributes:
        train, validation, test: sorted int64 rows of the corpus; every row is in exactly one
            of the three.
        classes: the labels of the training rows, sorted; a class id is an index into them.
        unseen: label -> number of rows of validation and test, for labels that no training
            row has.
        notes: sentences that a user should read about this split.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    classes: tuple[str, ...]
    unseen: Mapping[str, int]
    notes: tuple[str, ...]

    def label_ids(self, labels: Sequence[str]) -> np.ndarray:
        """Return (len(labels),) int64 class ids.

        A label without training rows gets an id of ``len(classes)`` or more. No prediction
        can be equal to it, so it scores as an error.
        """
        ids = {label: i for i, label in enumerate((*self.classes, *sorted(self.unseen)))}
        for label in sorted(set(labels) - ids.keys()):
            ids[label] = len(ids)
        return np.array([ids[label] for label in labels], dtype=np.int64)


def make_split(
    labels: Sequence[str],
    texts: Sequence[str],
    splits: Sequence[str] | None = None,
    groups: Sequence[Hashable] | np.ndarray | None = None,
    seed: int = 0,
    test: float | None = 0.15,
    validation: float = 0.2,
    rows: Sequence[int] | None = None,
) -> Split:
    """Split N labelled texts into training, validation and test.

    Without a split column the test rows are drawn first, then the validation rows, class by
    class. A class with fewer than 3 units stays in training.

    Args:
        labels: N labels.
        texts: N texts.
        splits: N cells of a split column: train, validation, test or a usual synonym, in
            any case. None: no split column.
        groups: N group ids; rows with equal ids stay on one side. Rows with a missing id
            belong to no group.
        seed: seed of all random choices, 0 or more.
        test: share of the rows to draw for testing, between 0 and 1; None: draw none.
        validation: share of the rows left to draw for validation, between 0 and 1.
        rows: N row numbers for messages; 1, 2, ... by default.

    Returns:
        The split, with notes on what was drawn and on duplicates across sides.

    Raises:
        SplitError: too few rows or units, one class only, an empty or unknown split value,
            a split column without rows to train on.
        SettingError: a share or a seed out of range.
    """
    _check_lengths(labels, texts, splits, groups, rows)
    _check_settings(seed, test, validation)
    rows = range(1, len(texts) + 1) if rows is None else rows
    names = sorted(set(labels))
    classes = _positions(labels, names)
    copies = ids_of(map(normalize_text, texts))
    sides, notes = official_sides(splits, rows)
    if splits is not None:
        notes += _repeats_across(sides, copies, rows)
    shares = {
        side: share
        for side, share in ((TEST, test), (VALIDATION, validation))
        if share is not None and not np.any(sides == side)
    }
    if shares:
        pool = np.flatnonzero(sides == TRAINING)
        units = copies if groups is None else union(copies, ids_of_groups(groups))
        kind = DISTINCT if groups is None else GROUPS
        cut, rare = _cut(ids_of(units[pool].tolist()), classes[pool], shares, seed, kind)
        sides[pool] = cut
        notes += [] if splits is None else _sides_cut(sides, shares)
        notes += _repeats_together(copies[pool]) + _rare(classes[pool], names, rare, kind)
    return _split(sides, classes, names, notes + _conflicts(copies, classes))


def _check_lengths(
    labels: Sequence[str], texts: Sequence[str], *others: Sequence[object] | np.ndarray | None
) -> None:
    """Raise a ValueError unless all arguments that are given have the same length."""
    lengths = {len(values) for values in (labels, texts, *others) if values is not None}
    if len(lengths) > 1:
        raise ValueError(f"labels, texts, splits, groups and rows differ in length: {lengths}")


def _check_settings(seed: int, test: float | None, validation: float) -> None:
    """Raise a SettingError if a share or the seed is out of range."""
    for name, share in (("test", test), ("validation", validation)):
        if share is not None and not 0 < share < 1:
            raise SettingError(f"the {name} share is {share}; it must lie between 0 and 1")
    if seed < 0:
        raise SettingError(f"the seed is {seed}; it must be 0 or more")


def _positions(labels: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Return (N,) int64: the index of each label in ``names``."""
    index = {name: i for i, name in enumerate(names)}
    return np.array([index[label] for label in labels], dtype=np.int64)


def official_sides(
    splits: Sequence[str] | None, rows: Sequence[int]
) -> tuple[np.ndarray, list[str]]:
    """Return (N,) int8 sides and notes from a split column; all training without a column.

    Raises:
        SplitError: an empty or unknown value, or all rows marked as test.
    """
    if splits is None:
        return np.full(len(rows), TRAINING, np.int8), []
    _refuse_unknown(splits, rows)
    sides = np.array([OFFICIAL[cell.strip().lower()] for cell in splits], dtype=np.int8)
    if np.any(sides == TRAINING):
        return sides, []
    if not np.any(sides == VALIDATION):
        raise SplitError(
            f"the split column marks all {many(len(rows), 'row')} as test, none to train on; "
            "mark training rows, or rename the column to have the rows split here"
        )
    sides[sides == VALIDATION] = TRAINING
    count = many(int(np.sum(sides == TRAINING)), "validation row")
    return sides, [f"The split column has no training rows: its {count} train instead."]


def _refuse_unknown(splits: Sequence[str], rows: Sequence[int]) -> None:
    """Raise a SplitError listing the empty and unknown values of a split column, if any."""
    if all(value.strip().lower() in OFFICIAL for value in set(splits)):
        return
    unknown: dict[str, list[int]] = {}
    for row, cell in zip(rows, splits, strict=True):
        if cell.strip().lower() not in OFFICIAL:
            shown = clipped(cell) if cell.strip() else "an empty cell"
            unknown.setdefault(shown, []).append(row)
    found = listed(
        (f"{value} in {_rows(where)}" for value, where in unknown.items()), maximum=5
    )
    raise SplitError(
        f"the split column holds {found}; write {listed(OFFICIAL)}, "
        "or name another column with --split-column"
    )


def _cut(
    units: np.ndarray, classes: np.ndarray, shares: Mapping[int, float], seed: int, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows,) int8 sides, and the classes with too few units to draw from.

    Args:
        units, classes: (rows,) int64 ids.
        shares: side -> share of the rows left, drawn in this order.
        seed: seed of the draws.
        kind: what a unit is called in messages.

    Raises:
        SplitError: all classes have too few units.
    """
    sizes, strata = np.bincount(units), majority(units, classes)
    counts = np.bincount(strata)
    if counts.max(initial=0) < MIN_UNITS:
        raise SplitError(
            f"too few rows to split: {many(len(units), 'row')} with {len(sizes):,} {kind}; "
            f"no class has {MIN_UNITS} of them, one each to train, validate and test; "
            f"add rows, or check that the label column is the right one{JOINED[kind]}"
        )
    rng = np.random.default_rng(seed)
    free = counts[strata] >= MIN_UNITS
    sides = np.full(len(sizes), TRAINING, np.int8)
    for done, (side, share) in enumerate(shares.items()):
        left = np.flatnonzero(free & (sides == TRAINING))
        drawn = draw(sizes[left], strata[left], share, len(shares) - done, rng)
        sides[left[drawn]] = side
    return sides[units], np.flatnonzero((counts > 0) & (counts < MIN_UNITS))


def _split(
    sides: np.ndarray, classes: np.ndarray, names: Sequence[str], notes: list[str]
) -> Split:
    """Return the finished split. Raises a SplitError if training has only one class."""
    train, validation, test = (np.flatnonzero(sides == s) for s in (TRAINING, VALIDATION, TEST))
    known = [names[i] for i in np.unique(classes[train])]
    if len(known) < 2:
        raise SplitError(
            f"training has one class only: {clipped(known[0])} in all "
            f"{many(len(train), 'row')}; add rows of other classes, or check the label column"
        )
    rest = np.concatenate([validation, test])
    lost = rest[~np.isin(classes[rest], classes[train])]
    unseen = dict(sorted(Counter(names[i] for i in classes[lost].tolist()).items()))
    if unseen:
        shown = _with_rows(unseen)
        notes = [
            *notes,
            f"Training lacks {many(len(unseen), 'label')} of validation or test, whose rows "
            f"can only score as errors: {shown}.",
        ]
    return Split(train, validation, test, tuple(known), unseen, tuple(notes))


def _repeats_across(sides: np.ndarray, copies: np.ndarray, rows: Sequence[int]) -> list[str]:
    """Return notes on leakage: rows of an official split that repeat a text of another side."""
    notes = []
    for one, other in ((TRAINING, TEST), (TRAINING, VALIDATION), (VALIDATION, TEST)):
        repeats = np.flatnonzero((sides == other) & np.isin(copies, copies[sides == one]))
        if len(repeats):
            total = many(int(np.sum(sides == other)), f"{SIDES[other]} row")
            notes.append(
                f"{len(repeats):,} of {total} "
                f"have a text that is in {SIDES[one]} too, as the split column says: "
                f"{_rows(rows[i] for i in repeats.tolist())}."
            )
    return notes


def _sides_cut(sides: np.ndarray, shares: Mapping[int, float]) -> list[str]:
    """Return notes on the sides that were missing from an official split."""
    return [
        f"The split column has no {SIDES[side]} rows: {share:.0%} of the rows left to "
        f"training, {int(np.sum(sides == side)):,}, were cut for it."
        for side, share in shares.items()
    ]


def _repeats_together(copies: np.ndarray) -> list[str]:
    """Return a note on duplicates, all of which are on one side."""
    repeats = len(copies) - len(np.unique(copies))
    told = many(repeats, "row repeats", "rows repeat")
    return [f"{told} an earlier text; copies were kept on one side."] if repeats else []


def _rare(classes: np.ndarray, names: Sequence[str], rare: np.ndarray, kind: str) -> list[str]:
    """Return a note on the classes that stay in training because they have too few units."""
    if not len(rare):
        return []
    counts = np.bincount(classes)
    shown = _with_rows({names[i]: int(counts[i]) for i in rare.tolist()})
    return [
        f"{many(len(rare), 'class is', 'classes are')} too rare to share out (fewer than "
        f"{MIN_UNITS} {kind}) and left in training whole: {shown}."
    ]


def _conflicts(copies: np.ndarray, classes: np.ndarray) -> list[str]:
    """Return a note on texts that occur with more than one label."""
    pairs = np.unique(np.stack([copies, classes]), axis=1)
    texts = int(np.sum(np.bincount(pairs[0]) > 1))
    told = many(texts, "text stands", "texts stand")
    return [f"{told} under more than one label."] if texts else []


def _rows(numbers: Iterable[int]) -> str:
    shown = list(numbers)
    return f"{'row' if len(shown) == 1 else 'rows'} {listed(shown)}"


def _with_rows(counts: Mapping[str, int]) -> str:
    return listed(f"{clipped(label)} ({many(n, 'row')})" for label, n in counts.items())
