"""Findings on labels: conflicts, suspected errors, imbalance, rare and unknown classes."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from features.duplicates.shingles import letters, words
from features.groups import ids_of
from features.messages import listed, many
from features.splits.split import MIN_UNITS
from pipeline.audit.finding import Evidence, Example, Finding, corpus_row, evenly_spaced
from pipeline.audit.label_errors import find_label_errors, out_of_fold

UNEVEN = 10.0
"""Ratio of the largest to the smallest class from which a corpus is called imbalanced."""

FEW_TEXTS = 10
"""A class with fewer separate texts can hardly be learned, and not be scored."""

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")

MIN_ROWS = 20
"""With fewer rows no model can say anything about a label."""


def label_findings(evidence: Evidence) -> list[Finding]:
    """All findings on labels; none where the corpus has no labels."""
    if evidence.corpus.labels is None:
        return []
    found = [
        *_conflicts(evidence),
        *_errors(evidence),
        *_imbalance(evidence),
        *_small(evidence),
        *_unseen(evidence),
        *_variants(evidence),
    ]
    return [finding for finding in found if finding.count]


def label_key(label: str) -> str:
    """Return what labels have in common that differ in spelling only.

    ``1`` and ``1.0`` are one number. A sign makes another: ``-1`` is not ``1``, nor is the
    grade ``A-`` an ``A``.
    """
    bare = label.strip()
    if NUMBER.fullmatch(bare):
        whole, point, fraction = bare.removeprefix("+").partition(".")
        return (whole + point + fraction.rstrip("0")).rstrip(".")
    return letters(words(bare)) + ("-" if bare.endswith("-") else "")


def conflicting(evidence: Evidence) -> np.ndarray:
    """(n,) int64 rows whose text, punctuation and case aside, has other labels too."""
    classes = ids_of(evidence.labels)
    pairs = np.unique(np.stack([evidence.copies.normalized, classes]), axis=1)
    labels_of = np.bincount(pairs[0])
    return np.flatnonzero(labels_of[evidence.copies.normalized] > 1)


def _conflicts(evidence: Evidence) -> list[Finding]:
    copies, labels = evidence.copies, evidence.labels
    rows = conflicting(evidence)
    texts = np.unique(copies.normalized[rows])
    examples = []
    for group in texts[evenly_spaced(len(texts), evidence.examples)].tolist():
        members = np.flatnonzero(copies.normalized == group).tolist()
        other = next(i for i in members if labels[i] != labels[members[0]])
        counts = Counter(labels[i] for i in members)
        note = listed(f"{label}: {many(n, 'row')}" for label, n in counts.most_common())
        examples.append(
            Example(corpus_row(evidence, members[0]), corpus_row(evidence, other), 1.0, note)
        )
    near = [
        (a, b)
        for a, b in zip(copies.first.tolist(), copies.second.tolist(), strict=True)
        if labels[a] != labels[b]
    ]
    also = f"; {many(len(near), 'pair')} of near copies differ in label too" if near else ""
    return [
        Finding(
            kind="label_conflicts",
            count=len(rows),
            share=len(rows) / max(1, len(labels)),
            message=(
                f"{many(len(rows), 'row')} with {many(len(texts), 'text')} that stand under "
                f"more than one label: no classifier can get them all right{also}"
            ),
            remedy="decide on one label a text, or drop these rows (--write-clean does)",
            examples=tuple(examples),
            positions=tuple(rows.tolist()),
        )
    ]


def _errors(evidence: Evidence) -> list[Finding]:
    names = sorted(set(evidence.labels))
    if len(evidence.labels) < MIN_ROWS or len(names) < 2:
        return []
    place_of = {name: i for i, name in enumerate(names)}
    classes = np.array([place_of[label] for label in evidence.labels], np.int64)
    probabilities = out_of_fold(evidence.vectors, classes, evidence.copies.clusters)
    suspects = find_label_errors(probabilities, classes)
    examples = [
        Example(
            corpus_row(evidence, row),
            note=f"rather {names[suggested]} ({other:.0%}) than "
            f"{evidence.labels[row]} ({own:.0%})",
        )
        for row, suggested, own, other in zip(
            suspects.rows[: evidence.examples].tolist(),
            suspects.suggested.tolist(),
            suspects.own.tolist(),
            suspects.other.tolist(),
            strict=False,
        )
    ]
    count = len(suspects.rows)
    return [
        Finding(
            kind="label_errors",
            count=count,
            share=count / len(classes),
            message=(
                f"{many(count, 'label is', 'labels are')} suspected: a model that never saw "
                "the text all but rules the label out and prefers another"
            ),
            remedy=(
                "read them in this order, most suspected first, and correct what is wrong; "
                "hard texts are among them, so nothing is changed unread (--write-clean marks)"
            ),
            examples=tuple(examples),
            positions=tuple(suspects.rows.tolist()),
        )
    ]


def _imbalance(evidence: Evidence) -> list[Finding]:
    counts = Counter(evidence.labels)
    (largest, most), (smallest, least) = counts.most_common(1)[0], counts.most_common()[-1]
    if most < UNEVEN * least:
        return []
    examples = [
        Example(None, note=f"{label}: {many(n, 'row')} ({n / len(evidence.labels):.1%})")
        for label, n in counts.most_common(evidence.examples)
    ]
    return [
        Finding(
            kind="imbalance",
            count=len(counts),
            share=most / len(evidence.labels),
            message=(
                f"the largest class, {largest!r} ({many(most, 'row')}), is {most / least:,.0f} "
                f"times the smallest, {smallest!r} ({many(least, 'row')})"
            ),
            remedy="judge by macro-F1, not by accuracy; try --set class_weights=balanced",
            examples=tuple(examples),
        )
    ]


def _small(evidence: Evidence) -> list[Finding]:
    pairs = {
        (label, cluster)
        for label, cluster in zip(
            evidence.labels, evidence.copies.clusters.tolist(), strict=True
        )
    }
    separate = Counter(label for label, _ in pairs)
    small = {label: n for label, n in sorted(separate.items()) if n < FEW_TEXTS}
    lost = [label for label, n in small.items() if n < MIN_UNITS]
    rows = [i for i, label in enumerate(evidence.labels) if label in small]
    rare = (
        f"; {many(len(lost), 'class has', 'classes have')} fewer than {MIN_UNITS}, which "
        "cannot be in training, validation and test at once"
        if lost
        else ""
    )
    return [
        Finding(
            kind="small_classes",
            count=len(small),
            share=len(small) / len(separate),
            message=(
                f"{many(len(small), 'class has', 'classes have')} fewer than {FEW_TEXTS} "
                f"separate texts, copies counted once{rare}"
            ),
            remedy="add texts, merge the class with a kindred one, or leave it out",
            examples=tuple(
                Example(None, note=f"{label}: {many(n, 'separate text')}")
                for label, n in list(small.items())[: evidence.examples]
            ),
            positions=tuple(rows),
        )
    ]


def _unseen(evidence: Evidence) -> list[Finding]:
    if evidence.sides is None:
        return []
    learned = {
        label for label, side in zip(evidence.labels, evidence.side, strict=True) if side == 0
    }
    rows = [i for i, label in enumerate(evidence.labels) if label not in learned]
    unseen = Counter(evidence.labels[i] for i in rows)
    held_out = int(np.sum(evidence.side > 0))
    return [
        Finding(
            kind="unseen_labels",
            count=len(rows),
            share=len(rows) / max(1, held_out),
            message=(
                f"{many(len(rows), 'held-out text has', 'held-out texts have')} one of "
                f"{many(len(unseen), 'label')} that training lacks, and can only score as "
                "errors"
            ),
            remedy="add training texts of these labels, or take them out of the held-out sides",
            examples=tuple(
                Example(corpus_row(evidence, i), note=evidence.labels[i])
                for i in rows[: evidence.examples]
            ),
            positions=tuple(rows),
        )
    ]


def _variants(evidence: Evidence) -> list[Finding]:
    counts = Counter(evidence.labels)
    alike: dict[str, list[str]] = {}
    for label in sorted(counts):
        alike.setdefault(label_key(label), []).append(label)
    groups = [labels for labels in alike.values() if len(labels) > 1]
    names = {label for labels in groups for label in labels}
    return [
        Finding(
            kind="label_variants",
            count=len(names),
            share=len(names) / len(counts),
            message=(
                f"{many(len(names), 'label')} differ only by case, spaces or punctuation, or "
                "write one number in several ways, and count as separate classes"
            ),
            remedy="write each class in one way only (--write-clean takes the most frequent)",
            examples=tuple(
                Example(
                    None, note=listed(f"{label!r}: {many(counts[label], 'row')}" for label in g)
                )
                for g in groups[: evidence.examples]
            ),
            positions=tuple(i for i, label in enumerate(evidence.labels) if label in names),
        )
    ]
