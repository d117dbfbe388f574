"""The labelled texts of an experiment, and their sides: training, validation, test.

Near-duplicates stay on one side of every split that is made here, so the vectors come first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from features.corpus.corpus import Corpus
from features.corpus.recognition.roles import looks_like_number
from features.errors import SettingError, SplitError
from features.groups import ids_of, union
from features.messages import clipped, listed, many
from features.splits.folds import make_folds
from features.splits.names import SIDES, TEST
from features.splits.split import Split, make_split, official_sides
from features.text.missing import ids_of_groups, is_missing
from pipeline.config import NEAR, DataConfig
from pipeline.console import print_note
from pipeline.corpora import read_data
from pipeline.runs.files.held_out import HeldOutPredictions

if TYPE_CHECKING:
    from features.duplicates.duplicates import Duplicates

TEST_SHARE = 0.15

LARGE_SHARE = 0.05
"""Share of all rows; a note names a cluster of near-duplicates that is larger."""

MAX_CHECKED = 5000
"""Maximum texts whose near-copies are looked for before they are encoded, which takes a second
or two where many texts are alike."""


def read_labelled(data: DataConfig, folds: int = 0) -> Corpus:
    """Return the labelled texts of a data configuration; a split of them must be possible.

    Args:
        folds: how many the texts will be dealt into; 0: one split.

    Raises:
        CorpusError, SplitError: as ``read_corpus`` and ``make_split``, before any encoding.
    """
    corpus = read_data(data)
    data = data.as_read(corpus)
    groups = None if corpus.groups is None else ids_of_groups(corpus.groups)
    _refuse_numbers(corpus, data)
    _try_split(corpus, data, groups, folds)
    if corpus.skipped:
        print_note(f"note: {corpus.skipped:,} rows without a text or label were left out")
    for label, count in missing_labels(corpus).items():
        print_note(
            f"note: {count:,} rows have the label {label!r}, which programs write where there "
            "is none; it counts as a class: empty these cells and pass --skip-empty otherwise"
        )
    return corpus


def split_corpus(
    corpus: Corpus, data: DataConfig, duplicates: Duplicates, test: float | None = TEST_SHARE
) -> Split:
    """Return the split of a corpus, and describe it on stderr.

    Args:
        test: share of the rows that is cut to test where the file does not say; None: none.

    Raises:
        SplitError: near-duplicates and groups that stay together leave too little to split.
    """
    groups = group_ids(corpus, duplicates, data.split)
    with _explained(corpus, duplicates, data.split):
        split = _split(corpus, data, groups, test)
    notes = [*split.notes, *_group_notes(corpus, data)]
    if data.split == NEAR:
        notes += _cluster_notes(corpus, duplicates)
    split = replace(split, notes=tuple(notes))
    print_note(
        f"{corpus.name}: {len(corpus):,} texts, {len(split.classes)} classes; "
        f"{len(split.train):,} to train, {len(split.validation):,} to validate, "
        f"{len(split.test):,} to test"
    )
    for note in split.notes:
        print_note(f"note: {note}")
    return split


def fold_corpus(
    corpus: Corpus, data: DataConfig, duplicates: Duplicates, folds: int
) -> tuple[Split, ...]:
    """Return one split per fold, and describe them on stderr: every text is tested once.

    Rows that a split column marks as test take no part: who tries heads by folds keeps them
    for the last word.

    Raises:
        SplitError: near-duplicates and groups that stay together leave too little to divide.
    """
    with _explained(corpus, duplicates, data.split):
        splits = _split_rows(corpus, data, group_ids(corpus, duplicates, data.split), folds)
    notes = _fold_notes(corpus, splits) + _group_notes(corpus, data)
    if data.split == NEAR:
        notes += _cluster_notes(corpus, duplicates)
    sizes = [len(split.test) for split in splits]
    print_note(
        f"{corpus.name}: {sum(sizes):,} texts in {folds} folds of {min(sizes):,} to "
        f"{max(sizes):,}"
    )
    for note in notes:
        print_note(f"note: {note}")
    return tuple(replace(split, notes=tuple(notes)) for split in splits)


def splits_of(
    corpus: Corpus, held_out: HeldOutPredictions, run: str, notes: Sequence[str]
) -> tuple[Split, ...]:
    """Return the splits of a finished run, one per fold, and describe them on stderr.

    Args:
        corpus: the same texts, labels and sides in the same order.
        held_out: of that run.
        run: its name, for messages.
        notes: those of its splits, which hold for these too.

    Raises:
        SettingError: the run is of another corpus.
    """
    if held_out.corpus_digest != corpus.digest:
        raise SettingError(
            f"--split-of {run}: that run was trained on other texts, labels or split column "
            f"cells than those of {corpus.name}; name a run on this data, or leave it out"
        )
    folds = held_out.folds
    # Over folds each text is tested once, so all others belong to the official test side.
    tested = np.sort(np.concatenate([fold.test.rows for fold in folds]))
    pool = tested if held_out.fold_count else np.arange(len(corpus))
    cells = np.full((len(folds), len(corpus)), "training", dtype="U10")
    for own, fold in zip(cells, folds, strict=True):
        own[fold.validation.rows] = fold.validation.side
        own[fold.test.rows] = fold.test.side
    splits = [_sided(corpus, pool, own[pool].tolist()) for own in cells]
    print_note(f"{corpus.name}: {len(pool):,} texts on the sides of {run}")
    for note in notes:
        print_note(f"note: {note}")
    return tuple(replace(split, notes=tuple(notes)) for split in splits)


def group_ids(corpus: Corpus, duplicates: Duplicates, rule: str) -> np.ndarray | None:
    """Return (N,) int64 ids of rows that stay together; None if only exact duplicates do.

    Args:
        rule: ``near`` joins near-duplicates; a group column counts under every rule.
    """
    column = None if corpus.groups is None else ids_of_groups(corpus.groups)
    if rule != NEAR:
        return column
    clusters = ids_of(duplicates.clusters.tolist())
    return clusters if column is None else union(clusters, column)


def _try_split(corpus: Corpus, data: DataConfig, groups: np.ndarray | None, folds: int) -> None:
    """Raise a SplitError unless the split can be made, whatever copies there are."""
    if folds:
        _split_rows(corpus, data, groups, folds)
    else:
        _split(corpus, data, groups)


def check_near_copies(corpus: Corpus, data: DataConfig, folds: int = 0) -> None:
    """Raise a SplitError if near-copies leave too little to split, before any encoding.

    Looks at the spelling alone, and so at fewer pairs than ``split_corpus``. Imports scipy.

    Args:
        corpus: as ``read_labelled`` gives it.
        data: how it is split.
        folds: as for ``read_labelled``.
    """
    if data.split != NEAR or len(corpus) > MAX_CHECKED:
        return
    from features.duplicates.duplicates import find_duplicates
    from features.duplicates.spelling import mostly_repeated, spelling_vectors

    if mostly_repeated(corpus.texts):
        copies = find_duplicates(corpus.texts, spelling_vectors(corpus.texts))
        with _explained(corpus, copies, data.split):
            _try_split(corpus, data, group_ids(corpus, copies, data.split), folds)


@contextmanager
def _explained(corpus: Corpus, copies: Duplicates, rule: str) -> Iterator[None]:
    """Say in a SplitError of the block what near-copies have to do with it, and what helps.

    Without them the split can be made: ``read_labelled`` has tried.
    """
    try:
        yield
    except SplitError as error:
        clusters = int(copies.clusters.max(initial=-1)) + 1
        if rule != NEAR or clusters == len(corpus):
            raise
        raise SplitError(
            f"{corpus.name}: near-copies chain the {len(corpus):,} texts to "
            f"{many(clusters, 'cluster')}, as texts made from templates do, and a "
            "cluster stays on one side, which leaves too little to train, validate and test "
            "on; --split random keeps only equal texts together, and its score tells how "
            "well copies of known texts are labelled"
        ) from error


def _refuse_numbers(corpus: Corpus, data: DataConfig) -> None:
    """Raise a SplitError if the labels are numbers to be estimated, and no classes."""
    labels = corpus.labels or ()
    if looks_like_number(labels):
        raise SplitError(
            f"{corpus.name}: the label (column {data.columns.label!r}) looks like a number "
            f"({len(set(labels)):,} different in {len(labels):,} rows, such as "
            f"{clipped(labels[0])}), and a classifier needs classes; name another column with "
            "--label-column, or write ranges in place of numbers"
        )


def _split(
    corpus: Corpus, data: DataConfig, groups: np.ndarray | None, test: float | None = TEST_SHARE
) -> Split:
    return make_split(
        corpus.labels or (),
        corpus.texts,
        corpus.splits,
        groups=groups,
        seed=data.split_seed,
        test=test,
        rows=corpus.rows,
    )


def _split_rows(
    corpus: Corpus, data: DataConfig, groups: np.ndarray | None, folds: int
) -> list[Split]:
    """Return one split per fold, of the rows that no split column marks as test."""
    sides, _ = official_sides(corpus.splits, corpus.rows)
    pool = np.flatnonzero(sides != TEST)
    texts, labels, _ = _of_pool(corpus, pool)
    units = None if groups is None else groups[pool]
    fold_of = make_folds(labels, texts, folds, units, data.split_seed)
    splits = []
    for fold in range(folds):
        cells = np.where(fold_of == fold, "test", "train").tolist()
        try:
            splits.append(_sided(corpus, pool, cells, units, data.split_seed))
        except SplitError as error:
            raise SplitError(f"fold {fold + 1} of {folds} cannot be made: {error}") from error
    return splits


def inner_folds(
    corpus: Corpus, data: DataConfig, duplicates: Duplicates, split: Split, folds: int
) -> tuple[Split, ...]:
    """Return the folds of the training and validation rows of a split, which keep its test.

    Args:
        duplicates: near-duplicates share a fold, as they share a side.
        folds: how many.

    Raises:
        SplitError: too few rows, or a fold whose training has one class only.
    """
    pool = np.sort(np.concatenate([split.train, split.validation]))
    texts, labels, _ = _of_pool(corpus, pool)
    groups = group_ids(corpus, duplicates, data.split)
    units = None if groups is None else groups[pool]
    fold_of = make_folds(labels, texts, folds, units, data.split_seed)
    names = np.array(labels, dtype=object)
    found = []
    for fold in range(folds):
        inside = fold_of != fold
        classes = sorted(set(names[inside].tolist()))
        if len(classes) < 2:
            raise SplitError(
                f"fold {fold + 1} of {folds} cannot be made: its training has one class only; "
                "take fewer --folds"
            )
        lost = Counter(name for name in names[~inside].tolist() if name not in classes)
        sides = pool[inside], pool[~inside], split.test
        found.append(Split(*sides, tuple(classes), dict(sorted(lost.items())), ()))
    return tuple(found)


def _sided(
    corpus: Corpus,
    pool: np.ndarray,
    cells: Sequence[str],
    units: np.ndarray | None = None,
    seed: int = 0,
) -> Split:
    """Return the split of some rows by their sides; a missing side is drawn from training.

    Args:
        pool: (n,) int64 positions in the corpus.
        cells: n sides, as a split column names them.
        units: (n,) int64 ids of rows that stay together.
        seed: of the cut.

    Raises:
        SplitError: as ``make_split``.
    """
    texts, labels, rows = _of_pool(corpus, pool)
    split = make_split(labels, texts, cells, units, seed, rows=rows)
    train, validation, test = pool[split.train], pool[split.validation], pool[split.test]
    return Split(train, validation, test, split.classes, split.unseen, ())


def _of_pool(corpus: Corpus, pool: np.ndarray) -> tuple[list[str], list[str], list[int]]:
    """Return texts, labels and data rows at some positions of the corpus."""
    labels, chosen = corpus.labels or (), pool.tolist()
    return (
        [corpus.texts[row] for row in chosen],
        [labels[row] for row in chosen],
        [corpus.rows[row] for row in chosen],
    )


def _fold_notes(corpus: Corpus, splits: list[Split]) -> list[str]:
    """Return how the folds were made, and which texts can only score as errors."""
    tested = sum(len(split.test) for split in splits)
    notes = [
        f"{len(splits)} folds: each of {tested:,} texts is tested once, by a head that did "
        "not see it or its duplicates; in each fold 20 % of the other texts are for validation."
    ]
    if tested < len(corpus):
        notes.append(
            f"{len(corpus) - tested:,} rows that the split column marks as test take no part "
            "in the folds; --split-column none assigns them too."
        )
    labels = corpus.labels or ()
    lost = Counter(
        labels[row]
        for split in splits
        for row in split.test.tolist()
        if labels[row] not in split.classes
    )
    if lost:
        shown = listed(f"{clipped(name)} ({count:,})" for name, count in sorted(lost.items()))
        notes.append(
            f"{sum(lost.values()):,} texts are tested in a fold whose training does not "
            f"have their label, and can only score as errors: {shown}."
        )
    return notes


def missing_labels(corpus: Corpus) -> dict[str, int]:
    """Return labels that mean no value, such as ``nan``, and how many rows have each."""
    counts = Counter(corpus.labels or ())
    return {label: counts[label] for label in sorted(counts) if is_missing(label)}


def _group_notes(corpus: Corpus, data: DataConfig) -> list[str]:
    """Return how many rows belong to no group."""
    empty = [cell for cell in corpus.groups or () if is_missing(cell)]
    if not empty:
        return []
    rows = "1 row has" if len(empty) == 1 else f"{len(empty):,} rows have"
    written = sorted({cell.strip() for cell in empty} - {""})
    also = f" (or {listed(map(repr, written))})" if written else ""
    return [f"{rows} an empty {data.columns.group}{also}: each counts as a group of its own."]


def _is_whole(corpus: Corpus) -> bool:
    """Return whether a split column gives every row a side, and each side has rows."""
    return len(set(official_sides(corpus.splits, corpus.rows)[0].tolist())) == len(SIDES)


def _cluster_notes(corpus: Corpus, duplicates: Duplicates) -> list[str]:
    """Return how many near-duplicates there are, and how they affect the score."""
    sizes = np.bincount(duplicates.clusters)
    rows = int(sizes[sizes > 1].sum())
    if not rows:
        return []
    if corpus.splits is not None and _is_whole(corpus):
        return []  # the file decides for every text, and nothing is kept together
    official = "" if corpus.splits is None else ", unless the split column decides"
    notes = [
        f"{rows:,} of {len(corpus):,} texts have duplicates or near-duplicates, in "
        f"{many(int((sizes > 1).sum()), 'cluster')}; each is on one side of the split"
        f"{official}. --split random would separate them, and the scores would be too high."
    ]
    if sizes.max() > LARGE_SHARE * len(corpus):
        notes.append(
            f"The largest cluster of near-duplicates has {int(sizes.max()):,} texts and stays "
            "together: the sizes and classes of the sides may be unusual; see manyheads audit."
        )
    return notes
