"""Findings on copies: within a side of the split, across sides, and under other labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.duplicates.duplicates import Duplicates
from features.messages import many
from features.splits.names import SIDES
from pipeline.audit.finding import Evidence, Example, Finding, corpus_row, evenly_spaced

NONE = np.iinfo(np.int64).max
"""Stands for no row."""

Chooser = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(first row of a group on each side, a row's side, the row) -> the row it repeats."""

MEANINGS = {
    "exact": "the same text, byte for byte",
    "normalized": "the same letters; only case, punctuation or spacing differ",
    "near": "nearly the same text: some words changed, another order, or cut short",
}


@dataclass(frozen=True, eq=False)
class Pairing:
    """Rows, each with the earlier copy it repeats.

    Attributes:
        level: ``exact``, ``normalized`` or ``near``; the strongest that holds.
        rows: (n,) int64 positions of the repeating rows, rising.
        partners: (n,) int64 positions of what they repeat.
        overlap: (n,) float32 share of n-grams in common; 1.0 for exact and normalized ones.
    """

    level: str
    rows: np.ndarray
    partners: np.ndarray
    overlap: np.ndarray


def copy_findings(evidence: Evidence) -> list[Finding]:
    """Copies of every level, within sides and, with a split column, across sides."""
    found = []
    if evidence.sides is not None:
        found += [_across(evidence, pairing) for pairing in across(evidence)]
    found += [_within(evidence, pairing) for pairing in within(evidence)]
    return [finding for finding in found if finding.count]


def across(evidence: Evidence) -> list[Pairing]:
    """Rows that repeat a text of an earlier side (of training, validation, test)."""
    return _pairings(evidence.copies, evidence.side, _earlier_side)


def within(evidence: Evidence) -> list[Pairing]:
    """Rows that repeat an earlier row of their own side."""
    return _pairings(evidence.copies, evidence.side, _same_side)


def firsts(groups: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """(G, 3) int64: the first row of each group on each side; ``NONE`` without one."""
    table = np.full((int(groups.max(initial=-1)) + 1, len(SIDES)), NONE, np.int64)
    np.minimum.at(table, (groups, sides), np.arange(len(groups)))
    return table


def _earlier_side(table: np.ndarray, sides: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) first row of the earliest side before each row's own."""
    out = np.full(len(sides), NONE, np.int64)
    for side in range(len(SIDES) - 2, -1, -1):
        usable = (sides > side) & (table[:, side] < NONE)
        out[usable] = table[usable, side]
    return out


def _same_side(table: np.ndarray, sides: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) first row of each row's own side, where it stands before the row."""
    own = table[np.arange(len(sides)), sides]
    return np.where(own < rows, own, NONE)


def _pairings(copies: Duplicates, sides: np.ndarray, choose: Chooser) -> list[Pairing]:
    """One pairing a level; a row counts at its strongest level only."""
    everything = np.arange(len(sides))
    taken = np.zeros(len(sides), bool)
    out = []
    for level, groups in (("exact", copies.exact), ("normalized", copies.normalized)):
        partner = choose(firsts(groups, sides)[groups], sides, everything)
        rows = np.flatnonzero((partner < NONE) & ~taken)
        taken[rows] = True
        out.append(Pairing(level, rows, partner[rows], np.ones(len(rows), np.float32)))
    out.append(_near(copies, sides, choose, np.flatnonzero(~taken)))
    return out


def _near(copies: Duplicates, sides: np.ndarray, choose: Chooser, rows: np.ndarray) -> Pairing:
    """Each of the rows with the most alike of the near copies that the chooser allows."""
    table = firsts(copies.normalized, sides)
    links = _links(copies)
    found = []
    for row in rows.tolist():
        near = links.get(int(copies.normalized[row]))
        if near is None:
            continue
        groups, overlap = near
        partner = choose(
            table[groups], np.full(len(groups), sides[row]), np.full(len(groups), row)
        )
        best = int(np.where(partner < NONE, overlap, -1.0).argmax())
        if partner[best] < NONE:
            found.append((row, int(partner[best]), float(overlap[best])))
    columns = [np.array([case[i] for case in found]) for i in range(3)]
    return Pairing(
        "near",
        columns[0].astype(np.int64),
        columns[1].astype(np.int64),
        columns[2].astype(np.float32),
    )


def _links(copies: Duplicates) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Normalized group -> the groups that are its near copies, and the overlap with each."""
    one = copies.normalized[np.concatenate([copies.first, copies.second])]
    other = copies.normalized[np.concatenate([copies.second, copies.first])]
    overlap = np.concatenate([copies.overlap, copies.overlap])
    order = np.argsort(one, kind="stable")
    groups, begins = np.unique(one[order], return_index=True)
    parts = zip(
        np.split(other[order], begins[1:]), np.split(overlap[order], begins[1:]), strict=True
    )
    return dict(zip(groups.tolist(), parts, strict=False))


def _across(evidence: Evidence, pairing: Pairing) -> Finding:
    held_out = int(np.sum(evidence.side > 0))
    count = len(pairing.rows)
    return Finding(
        kind=f"{pairing.level}_duplicates_across_splits",
        count=count,
        share=count / max(1, held_out),
        message=(
            f"{count:,} of {many(held_out, 'held-out text')} repeat a text of an earlier side "
            f"of the split ({MEANINGS[pairing.level]}): scores on them are too good"
        ),
        remedy=(
            "drop the training rows that are copied (--write-clean does), or leave the split "
            "column out with --split-column none: the split made here keeps copies together"
        ),
        examples=_examples(evidence, pairing),
        positions=tuple(pairing.rows.tolist()),
    )


def _within(evidence: Evidence, pairing: Pairing) -> Finding:
    count = len(pairing.rows)
    same = "the same side of the split" if evidence.sides is not None else "the corpus"
    return Finding(
        kind=f"{pairing.level}_duplicates_within_splits",
        count=count,
        share=count / max(1, len(evidence.corpus)),
        message=(
            f"{many(count, 'text repeats', 'texts repeat')} an earlier one of {same} "
            f"({MEANINGS[pairing.level]})"
        ),
        remedy=(
            "a random split would put copies on both sides; manyheads train keeps them "
            "together by default. To count each text once: --write-clean"
        ),
        examples=_examples(evidence, pairing),
        positions=tuple(pairing.rows.tolist()),
    )


def _examples(evidence: Evidence, pairing: Pairing) -> tuple[Example, ...]:
    """Cases from the most to the least alike."""
    order = np.argsort(-pairing.overlap, kind="stable")
    return tuple(
        Example(
            corpus_row(evidence, int(pairing.rows[i])),
            corpus_row(evidence, int(pairing.partners[i])),
            float(pairing.overlap[i]),
        )
        for i in order[evenly_spaced(len(order), evidence.examples)].tolist()
    )
