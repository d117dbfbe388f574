"""Findings on texts: non-answers, outliers, other scripts, tiny texts, truncation."""

from __future__ import annotations

import unicodedata
from collections import Counter

import numpy as np

from features.duplicates.shingles import words
from features.messages import many
from features.text.languages import language_of
from features.vectors.neighbors import nearest, unit
from pipeline.audit.finding import Evidence, Example, Finding, corpus_row, evenly_spaced
from pipeline.audit.rows import invisible_rows
from pipeline.encoding.vectors import tokens_to_see

REPEATED = 3
"""Rows with the same short text from which it may be a non-answer."""

SHORT_WORDS = 8
LIKE_NON_ANSWER, LIKE_IN_BRACKETS = 0.8, 0.7
"""Cosine from which a short text says the same as a non-answer; and where both stand whole in
brackets, which coders put around what is not the answer itself."""

EMPTY_WORDS = frozenset(
    """na;n a;none;null;nil;nan;nothing;blank;empty;unknown;test;asdf;xxx;tbd;todo;removed
    deleted;no answer;no response;no comment;no comments;not applicable;not available
    no idea;i don t know;dont know;don t know""".replace("\n    ", ";").split(";")
)
"""What people and exports write where there is no text, as ``words`` gives it."""

TINY_LETTERS = 3
OUTLIER_SPREAD = 3.0
"""Interquartile ranges below the first quartile of nearest cosines: Tukey's far-out fence."""

FOREIGN_SHARE = 0.5

MAX_READ = 2000
"""Texts, evenly spaced, whose language is looked at one by one."""


def text_findings(evidence: Evidence) -> list[Finding]:
    """All findings on texts."""
    answers = non_answers(evidence)
    found = [
        _non_answers(evidence, answers),
        _outliers(evidence, answers),
        _foreign(evidence),
        _foreign_language(evidence),
        _truncation(evidence),
    ]
    return [finding for finding in found if finding.count]


def non_answers(evidence: Evidence) -> np.ndarray:
    """(n,) int64 rows with texts that answer nothing, found without being told which.

    A short text that many rows repeat under labels as mixed as the corpus's own says nothing
    about its label. Short texts that mean the same, and what exports write for an empty cell,
    go with it.
    """
    spaced = [words(text) for text in evidence.texts]
    short = np.array([text.count(" ") < SHORT_WORDS for text in spaced])
    overall = Counter(evidence.labels)
    repeated = _repeated(evidence, short)
    seeds = [rows[0] for rows in repeated if _mixed(evidence, rows, overall)]
    hidden = invisible_rows(evidence)
    empty = [i for i, text in enumerate(spaced) if text in EMPTY_WORDS or not _says(text)]
    found = np.isin(evidence.copies.normalized, evidence.copies.normalized[seeds])
    found[empty] = True
    if seeds:
        others = np.flatnonzero(short & ~found)
        found[_alike(evidence, np.array(seeds), others, LIKE_NON_ANSWER)] = True
        brackets = np.array([_bracketed(text) for text in evidence.texts])
        inside = [row for row in seeds if brackets[row]]
        others = np.flatnonzero(brackets & ~found)
        if inside and len(others):
            found[_alike(evidence, np.array(inside), others, LIKE_IN_BRACKETS)] = True
    found[hidden] = False  # a finding of their own
    return np.flatnonzero(found)


def _alike(
    evidence: Evidence, seeds: np.ndarray, others: np.ndarray, threshold: float
) -> np.ndarray:
    """Those of the other rows whose vector is near one of the seeds'."""
    base = unit(evidence.vectors[seeds])
    similarity, _ = nearest(unit(evidence.vectors[others]), base, 1)
    alike: np.ndarray = others[similarity[:, 0] >= threshold]
    return alike


def _bracketed(text: str) -> bool:
    bare = text.strip()
    return bare[:1] + bare[-1:] in ("[]", "()", "{}", "<>")


def _says(text: str) -> bool:
    """Whether a text has letters enough to say anything; a character of Han script has."""
    letters = sum(char.isalpha() for char in text)
    return letters >= TINY_LETTERS or any(char >= "\u2e80" for char in text)


def _repeated(evidence: Evidence, short: np.ndarray) -> list[np.ndarray]:
    """The rows of each short text that is repeated, copies by letter taken together."""
    folded = evidence.copies.normalized
    counts = np.bincount(folded)
    rows = np.flatnonzero((counts[folded] >= REPEATED) & short)
    order = rows[np.argsort(folded[rows], kind="stable")]
    _, begins = np.unique(folded[order], return_index=True)
    return [part for part in np.split(order, begins[1:]) if len(part)]


def _mixed(evidence: Evidence, rows: np.ndarray, overall: Counter[str]) -> bool:
    """Whether the labels of a repeated text are so mixed that it says nothing about them.

    Args:
        rows: of the text.
        overall: how many rows of the corpus have each label.
    """
    counts = Counter(evidence.labels[row] for row in rows.tolist())
    largest = max(counts.values()) / len(rows)
    usual = max(overall.values()) / len(evidence.labels)
    enough = len(rows) >= 2 * REPEATED or len(overall) > 2
    return enough and len(counts) >= min(3, len(overall)) and largest <= max(0.5, usual)


def _non_answers(evidence: Evidence, rows: np.ndarray) -> Finding:
    texts = Counter(evidence.texts[row] for row in rows.tolist())
    labels_of: dict[str, set[str]] = {}
    first: dict[str, int] = {}
    for row in rows.tolist():
        text = evidence.texts[row]
        first.setdefault(text, row)
        labels_of.setdefault(text, set()).add(evidence.labels[row])
    return Finding(
        kind="non_answers",
        count=len(rows),
        share=len(rows) / len(evidence.corpus),
        message=(
            f"{many(len(rows), 'row')} with {many(len(texts), 'text')} that answer nothing: "
            "empty-like, tiny, or repeated under labels of every kind"
        ),
        remedy="drop them (--write-clean does): they teach noise and cannot be scored",
        examples=tuple(
            Example(
                corpus_row(evidence, first[text]),
                note=f"{many(count, 'row')} under {many(len(labels_of[text]), 'label')}",
            )
            for text, count in texts.most_common(evidence.examples)
        ),
        positions=tuple(rows.tolist()),
    )


def _outliers(evidence: Evidence, answers: np.ndarray) -> Finding:
    closest = evidence.copies.nearest
    low, high = np.quantile(closest, [0.25, 0.75])
    fence = float(low - OUTLIER_SPREAD * max(float(high - low), 0.01))
    far = closest < fence
    far[answers] = False
    rows = np.flatnonzero(far)
    rows = rows[np.argsort(closest[rows], kind="stable")]
    return Finding(
        kind="outliers",
        count=len(rows),
        share=len(rows) / len(closest),
        message=(
            f"{many(len(rows), 'text is', 'texts are')} far from every other: the nearest has "
            f"a cosine below {fence:.2f}, while half of all texts have one above "
            f"{float(np.median(closest)):.2f}"
        ),
        remedy="read them: other languages, garbage and wrong fields show up here; drop those",
        examples=tuple(
            Example(corpus_row(evidence, row), note=f"nearest text: cosine {closest[row]:.2f}")
            for row in rows[: evidence.examples].tolist()
        ),
        positions=tuple(rows.tolist()),
    )


def _foreign(evidence: Evidence) -> Finding:
    scripts = [_script(text) for text in evidence.texts]
    counts = Counter(script for script in scripts if script)
    usual = counts.most_common(1)[0][0] if counts else ""
    rows = [i for i, script in enumerate(scripts) if script and script != usual]
    # Two scripts in common use are a bilingual corpus, not a mistake.
    rows = rows if len(rows) <= FOREIGN_SHARE * 0.1 * len(scripts) else []
    return Finding(
        kind="foreign_scripts",
        count=len(rows),
        share=len(rows) / len(scripts),
        message=(
            f"{many(len(rows), 'text is', 'texts are')} mostly in another script than {usual}, "
            "which the others are written in"
        ),
        remedy="check that the encoder knows the language, or drop them",
        examples=tuple(
            Example(corpus_row(evidence, rows[i]), note=scripts[rows[i]])
            for i in evenly_spaced(len(rows), evidence.examples)
        ),
        positions=tuple(rows),
    )


def _foreign_language(evidence: Evidence) -> Finding:
    foreign, count = evidence.foreign, len(evidence.texts)
    rows: list[int] = []
    if foreign:
        step = max(1, count // MAX_READ)
        rows = [
            row
            for row in range(0, count, step)
            if language_of(evidence.texts[row]) == foreign.language
        ]
    return Finding(
        kind="foreign_language",
        count=round(foreign.share * count) if foreign else 0,
        share=foreign.share if foreign else 0.0,
        message=foreign.text.partition(":")[0] if foreign else "",
        remedy=foreign.text.partition(": ")[2] if foreign else "",
        examples=tuple(
            Example(corpus_row(evidence, rows[i]))
            for i in evenly_spaced(len(rows), evidence.examples)
        ),
        positions=tuple(rows),
    )


def _script(text: str) -> str:
    """The script that most of the first letters of a text belong to; "" without letters."""
    if text.isascii():
        return "Latin" if any(char.isalpha() for char in text) else ""
    names = Counter(
        unicodedata.name(char, "").split(" ")[0].split("-")[0].capitalize()
        for char in text[:200]
        if char.isalpha()
    )
    return names.most_common(1)[0][0] if names else ""


def _truncation(evidence: Evidence) -> Finding:
    tokens, most = evidence.tokens.astype(np.int64), evidence.max_length
    rows = np.flatnonzero(tokens > most)
    rows = rows[np.argsort(-tokens[rows], kind="stable")]
    unseen = int(np.sum(np.maximum(tokens - most, 0))) / max(1, int(tokens.sum()))
    return Finding(
        kind="truncation",
        count=len(rows),
        share=len(rows) / len(tokens),
        message=(
            f"{many(len(rows), 'text is', 'texts are')} longer than the {most} tokens "
            f"that are seen; {unseen:.1%} of all tokens are never seen"
        ),
        remedy=f"--max-tokens {tokens_to_see(tokens, most)} sees more of them, and --layout "
        "sentences everything; or put what matters first",
        examples=tuple(
            Example(corpus_row(evidence, row), note=f"{tokens[row]:,} tokens")
            for row in rows[: evidence.examples].tolist()
        ),
        positions=tuple(rows.tolist()),
    )
