"""Cleaning: which remedies are done to each row of a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from features.duplicates.duplicates import leaked
from features.errors import SettingError
from features.messages import listed
from pipeline.audit.duplicates import within
from pipeline.audit.finding import Evidence, Finding
from pipeline.audit.giveaways import Giveaway, giveaways, without
from pipeline.audit.labels import conflicting, label_key
from pipeline.audit.rows import header_rows, invisible_rows
from pipeline.audit.texts import non_answers

KEPT = "kept"


@dataclass(frozen=True, eq=False)
class Cleaning:
    """What is done to N rows.

    Attributes:
        drop: (N,) bool.
        done: what was done to each row, ``kept`` where nothing was.
        texts, labels: N each, after the remedies.
    """

    drop: np.ndarray
    done: list[str]
    texts: list[str]
    labels: list[str]

    def note(self, rows: Sequence[int], what: str, drop: bool) -> None:
        """Say of some rows what is done to them; a dropped row keeps its first reason."""
        for row in rows:
            if self.drop[row]:
                continue
            before = "" if self.done[row] == KEPT else f"{self.done[row]}; "
            self.done[row] = f"dropped: {what}" if drop else f"{before}{what}"
            self.drop[row] = drop


Remedy = Callable[[Evidence, Cleaning], None]


def plan_cleaning(
    evidence: Evidence, findings: Sequence[Finding], remedies: Sequence[str]
) -> Cleaning:
    """What is done to each row.

    Args:
        findings: of the audit; suspected label errors are marked from them.
        remedies: kinds of findings to act on; see ``REMEDIES``.
    """
    cleaning = Cleaning(
        np.zeros(len(evidence.corpus), bool),
        [KEPT] * len(evidence.corpus),
        list(evidence.texts),
        list(evidence.labels) or [""] * len(evidence.corpus),
    )
    for kind in REMEDIES:
        if kind in remedies:
            REMEDIES[kind](evidence, cleaning)
    for finding in findings:
        if finding.kind == "label_errors":
            cleaning.note(finding.positions, "kept, label suspected", drop=False)
    return cleaning


def check_remedies(remedies: str | None) -> tuple[str, ...]:
    """The kinds that an option names, or the default ones.

    Raises:
        SettingError: a kind without a remedy; the known ones are listed.
    """
    if remedies is None:
        return DEFAULT
    named = [kind.strip() for kind in remedies.split(",")]
    kinds = tuple(FORMER_KINDS.get(kind, kind) for kind in named)
    unknown = [kind for kind in kinds if kind not in REMEDIES]
    if unknown:
        raise SettingError(
            f"--remedies names {listed(map(repr, unknown))}; there are remedies for "
            f"{listed(REMEDIES, maximum=len(REMEDIES))}"
        )
    return kinds


def _drop_headers(evidence: Evidence, cleaning: Cleaning) -> None:
    cleaning.note(header_rows(evidence), "the header again", drop=True)


def _drop_invisible(evidence: Evidence, cleaning: Cleaning) -> None:
    cleaning.note(invisible_rows(evidence), "the text shows nothing", drop=True)


def _drop_conflicts(evidence: Evidence, cleaning: Cleaning) -> None:
    rows = conflicting(evidence).tolist()
    cleaning.note(rows, "the text has several labels", drop=True)


def _drop_non_answers(evidence: Evidence, cleaning: Cleaning) -> None:
    cleaning.note(non_answers(evidence).tolist(), "a non-answer", drop=True)


def _drop_repeats(evidence: Evidence, cleaning: Cleaning, level: str) -> None:
    pairing = next(pairing for pairing in within(evidence) if pairing.level == level)
    for row, partner in zip(pairing.rows.tolist(), pairing.partners.tolist(), strict=True):
        # A repeat stands in for a first one that went for another reason.
        if not cleaning.drop[partner]:
            number = evidence.corpus.rows[partner]
            cleaning.note([row], f"{level} copy of row {number}", drop=True)


def _drop_leaking(evidence: Evidence, cleaning: Cleaning, near: bool) -> None:
    """Earlier sides give way: held-out texts stay, so that scores stay comparable."""
    for side in (0, 1):
        rows = np.flatnonzero((evidence.side == side) & ~cleaning.drop)
        later = np.flatnonzero((evidence.side > side) & ~cleaning.drop)
        if near:
            hit = leaked(evidence.copies, later, rows)
        else:
            hit = np.isin(evidence.copies.normalized[rows], evidence.copies.normalized[later])
        what = "a near-copy is held out" if near else "a copy is held out"
        cleaning.note(rows[hit].tolist(), what, drop=True)


def _join_variants(evidence: Evidence, cleaning: Cleaning) -> None:
    counts = Counter(evidence.labels)
    usual: dict[str, str] = {}
    for label, _ in counts.most_common():
        usual.setdefault(label_key(label), label)
    for row, label in enumerate(evidence.labels):
        best = usual[label_key(label)]
        if best != label:
            cleaning.labels[row] = best
            cleaning.note([row], f"label {label!r} written {best!r}", drop=False)


def _remove_giveaways(evidence: Evidence, cleaning: Cleaning) -> None:
    found: list[Giveaway] = giveaways(evidence)
    for row, text in enumerate(cleaning.texts):
        shorter, removed = without(text, found)
        if removed and shorter.strip():
            cleaning.texts[row] = shorter
            cleaning.note([row], f"taken out: {listed(map(repr, removed))}", drop=False)


REMEDIES: dict[str, Remedy] = {
    "header_rows": _drop_headers,
    "invisible_texts": _drop_invisible,
    "label_variants": _join_variants,
    "label_conflicts": _drop_conflicts,
    "non_answers": _drop_non_answers,
    "exact_duplicates_across_splits": partial(_drop_leaking, near=False),
    "normalized_duplicates_across_splits": partial(_drop_leaking, near=False),
    "near_duplicates_across_splits": partial(_drop_leaking, near=True),
    "exact_duplicates_within_splits": partial(_drop_repeats, level="exact"),
    "normalized_duplicates_within_splits": partial(_drop_repeats, level="normalized"),
    "near_duplicates_within_splits": partial(_drop_repeats, level="near"),
    "giveaways": _remove_giveaways,
}
"""Remedies by the kind of finding that they answer, in the order in which they act."""

FORMER_KINDS = {
    f"{former}_copies_{where}_splits": f"{now}_duplicates_{where}_splits"
    for former, now in (("exact", "exact"), ("folded", "normalized"), ("near", "near"))
    for where in ("across", "within")
}
"""What audits of ``--json`` version 1 called the kinds; ``--remedies`` takes these too."""

DEFAULT = tuple(
    kind for kind in REMEDIES if kind not in ("near_duplicates_within_splits", "giveaways")
)
