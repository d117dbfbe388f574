"""Giveaways: a token or a beginning that alone predicts the label.

The rule, over texts of which copies count once: it stands in at least ``MIN_TEXTS`` texts,
at least ``CERTAIN`` of them have one label, that label is not so frequent anyway, and it
stands in a large enough share of that label's texts: ``COVERED`` for a word anywhere,
``COVERED_ODD`` for one that is no plain word (digits, underscores, addresses) or that stands
only at the beginning or only at the end, as headers, ids and signatures do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.messages import many
from features.text.keys import normalize_text
from pipeline.audit.finding import Evidence, Example, Finding, corpus_row

SAMPLE = 20_000
MIN_TEXTS = 10
CERTAIN = 0.98
SURPRISE = 0.2
COVERED, COVERED_ODD = 0.35, 0.15
FIXED_PLACE = 0.95

SPACED = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+$")
DIGITS = re.compile(r"\d+")
EDGES = "\"'`.,;:!?()[]{}<>*-"
LONGEST = 40
STARTS = 3
"""Words of the longest beginning looked at."""

WORD, START, END = "word", "start", "end"


@dataclass(frozen=True)
class Giveaway:
    """A token or beginning that predicts a label.

    Attributes:
        where: ``word``, ``start`` or ``end``.
        token: folded, digits written as 0; as it is where its digits alone tell labels apart.
        label: what it predicts.
        texts: how many have it.
        precision: share of them that have the label.
        coverage: share of the label's texts that have it.
        last: whether it stands at the end only, as ids and signatures do.
    """

    where: str
    token: str
    label: str
    texts: int
    precision: float
    coverage: float
    last: bool = False


def giveaway_findings(evidence: Evidence) -> list[Finding]:
    """One finding with all giveaways, if there is any."""
    found = giveaways(evidence)
    if not found:
        return []
    tokens: dict[tuple[str, str], Giveaway] = {(g.where, g.token): g for g in found}
    rows = [i for i, text in enumerate(evidence.texts) if tokens.keys() & marks(text)]
    examples = []
    for one in found[: evidence.examples]:
        shown = next(
            i
            for i in rows
            if evidence.labels[i] == one.label
            and (one.where, one.token) in marks(evidence.texts[i])
        )
        note = (
            f"{_described(one)} predicts {one.label}: right in {one.precision:.1%} of "
            f"{many(one.texts, 'text')}, in {one.coverage:.0%} of the label's"
        )
        examples.append(Example(corpus_row(evidence, shown), note=note))
    return [
        Finding(
            kind="giveaways",
            count=len(found),
            share=len(rows) / len(evidence.texts),
            message=(
                f"{many(len(found), 'token or beginning', 'tokens or beginnings')} that alone "
                f"predict a label, in {many(len(rows), 'text')}"
            ),
            remedy=(
                "if a token would not be there where the classifier is used (ids, headers, "
                "templates), take it out: --write-clean FILE --remedies giveaways,... does; a "
                "plain word that belongs to its class is no fault"
            ),
            examples=tuple(examples),
            positions=tuple(rows),
        )
    ]


def giveaways(evidence: Evidence) -> list[Giveaway]:
    """All giveaways, those that cover most of their label's texts first."""
    _, distinct = np.unique(evidence.copies.normalized, return_index=True)
    rows = distinct[:: max(1, len(distinct) // SAMPLE)].tolist()
    labels = Counter(evidence.labels[row] for row in rows)
    by_mark: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        for mark in marks(evidence.texts[row]):
            by_mark.setdefault(mark, Counter())[evidence.labels[row]] += 1
    found = [
        giveaway
        for mark, counts in by_mark.items()
        if counts.total() >= MIN_TEXTS
        for giveaway in _judged(mark, counts, labels, by_mark)
    ]
    found.sort(key=lambda g: (-g.coverage * g.texts, g.where, g.token))
    return list(_shortest(found))


def marks(text: str) -> set[tuple[str, str]]:
    """What may give a text's label away: its words, its beginnings and its last word."""
    pairs = [_forms(token) for token in normalize_text(text).split()]
    words = [folded for folded, _ in pairs]
    found = {(WORD, word) for word in words}
    found |= {(START, " ".join(words[:n])) for n in range(1, min(STARTS, len(words)) + 1)}
    found |= {(WORD, exact) for _, exact in pairs if is_odd(exact)}
    return found | {(END, word) for pair in pairs[-1:] for word in (pair[0], *_odd(pair[1]))}


def _forms(token: str) -> tuple[str, str]:
    """A token without marks around it: with digits as 0, and as it is."""
    exact = token[:LONGEST]
    folded = DIGITS.sub("0", token)[:LONGEST]
    return folded.strip(EDGES) or folded, exact.strip(EDGES) or exact


def _odd(token: str) -> tuple[str, ...]:
    return (token,) if is_odd(token) else ()


def without(text: str, found: Sequence[Giveaway]) -> tuple[str, list[str]]:
    """A text without its giveaways, spacing elsewhere kept; and what was taken out."""
    pieces = SPACED.findall(text)
    forms = [_forms(normalize_text(piece.strip())) for piece in pieces]
    plain = [folded for folded, _ in forms]
    gone: set[int] = set()
    for one in found:
        size = one.token.count(" ") + 1
        spans = {
            WORD: [range(i, i + 1) for i, form in enumerate(forms) if one.token in form],
            START: [range(size)] if " ".join(plain[:size]) == one.token else [],
            END: [range(len(plain) - 1, len(plain))]
            if any(one.token in form for form in forms[-1:])
            else [],
        }[one.where]
        gone |= {i for span in spans for i in span}
    kept = "".join(piece for i, piece in enumerate(pieces) if i not in gone)
    return kept.strip() if gone else text, [pieces[i].strip() for i in sorted(gone)]


def _judged(
    mark: tuple[str, str],
    counts: Counter[str],
    labels: Counter[str],
    by_mark: dict[tuple[str, str], Counter[str]],
) -> Iterator[Giveaway]:
    """The mark as a giveaway, if the rule holds."""
    where, token = mark
    (label, hits), total = counts.most_common(1)[0], counts.total()
    precision, coverage = hits / total, hits / labels[label]
    usual = labels[label] / labels.total()
    if precision < CERTAIN or 1 - precision > SURPRISE * (1 - usual):
        return
    if where == WORD:
        needed = COVERED_ODD if is_odd(token) else COVERED
    else:
        everywhere = by_mark[WORD, token].total() if " " not in token else total
        if total < FIXED_PLACE * everywhere:
            return
        needed = COVERED_ODD
    if coverage >= needed:
        yield Giveaway(where, token, label, total, precision, coverage)


def is_odd(token: str) -> bool:
    """Whether a token is no plain word or number: an id, an address, a tag."""
    plain = token.replace("'", "").replace("’", "").replace("-", "")
    return not plain.isalpha() and any(char.isalpha() for char in token)


def _shortest(found: list[Giveaway]) -> Iterator[Giveaway]:
    """Each token once: a word before a beginning that holds it, and digits as 0 before 17."""
    words = {(g.token, g.label) for g in found if g.where == WORD}
    starts = {(g.token, g.label) for g in found if g.where == START}
    ends = {(g.token, g.label) for g in found if g.where == END}
    for one in found:
        folded = DIGITS.sub("0", one.token), one.label
        if folded[0] != one.token and folded in words | starts | ends:
            continue
        parts = one.token.split(" ")
        shorter = {(" ".join(parts[:n]), one.label) for n in range(1, len(parts))}
        held = {(part, one.label) for part in parts} & words
        if one.where == WORD or not (held or (shorter & starts)):
            yield replace(one, last=(one.token, one.label) in ends)


def _described(one: Giveaway) -> str:
    kind = {WORD: "the token", START: "the beginning", END: "the last word"}[one.where]
    return f"{kind} {one.token!r}"
