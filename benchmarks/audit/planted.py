"""The audit against planted truth: precision and recall of every kind.

    python -m benchmarks.audit.planted --data FOLDER [--cache FOLDER] [NAME ...]

FOLDER holds NAME/NAME.csv. Of each corpus at most ``MOST`` texts are taken. Into them are
planted: copies of training texts as held-out texts, flipped labels, tokens that give a label
away, and texts that answer nothing. What the audit says of the untouched corpus is counted
apart: nobody planted it, so whether it is right has to be looked at (docs/audit.md).
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.audit.planting import Copy, flip_labels, plant_copies, plant_token
from features.corpus.corpus import Corpus, read_corpus
from features.duplicates.duplicates import find_duplicates
from features.splits.split import official_sides
from features.vectors.table import POOLED
from pipeline.audit.audit import audit
from pipeline.audit.duplicates import across
from pipeline.audit.finding import Evidence
from pipeline.audit.giveaways import giveaways
from pipeline.audit.labels import label_findings
from pipeline.audit.texts import non_answers
from pipeline.config import VectorConfig
from pipeline.encoding.vectors import ensure_vectors

NAMES = ("isear", "banking77", "trec6", "ng20_body")
MOST = {"ng20_body": 2500}
EACH = 60
FLIPPED = (0.02, 0.05)
SILENT = ("[ no answer given ]", "-", "n/a", "(left blank by respondent)")
SILENT_ROWS = 10
TOKENS = (("end", "zqx7", 0.6), ("anywhere", "brindlewick", 0.4), ("start", "Ref-#:", 0.3))


@dataclass(frozen=True, eq=False)
class Planted:
    """A corpus with planted truth: copies, rows of non-answers, and tokens given away."""

    corpus: Corpus
    copies: tuple[Copy, ...]
    silent: set[int]


def untouched(path: Path, most: int, rng: np.random.Generator) -> Corpus:
    """At most ``most`` texts of a corpus; split 4 to 1 where it has no split column."""
    corpus = read_corpus(path)
    rows = np.sort(rng.permutation(len(corpus))[:most]).tolist()
    made = np.where(rng.random(len(rows)) < 0.8, "train", "test")
    return Corpus(
        texts=tuple(corpus.texts[i] for i in rows),
        labels=tuple((corpus.labels or ())[i] for i in rows),
        splits=tuple(corpus.splits[i] for i in rows) if corpus.splits else tuple(made.tolist()),
    )


def plant(corpus: Corpus, rng: np.random.Generator) -> Planted:
    """The corpus with tokens put into texts, and copies and non-answers added at its end."""
    texts, labels = list(corpus.texts), list(corpus.labels or ())
    splits = list(corpus.splits or ())
    classes = [label for label, _ in Counter(labels).most_common(len(TOKENS))]
    touched: set[int] = set()
    for label, (where, token, share) in zip(classes, TOKENS, strict=True):
        rows = [i for i, each in enumerate(labels) if each == label]
        chosen = rng.permutation(rows)[: round(share * len(rows))].tolist()
        texts = plant_token(texts, chosen, where, token, rng)
        touched |= set(chosen)
    sources = [i for i, side in enumerate(splits) if side == "train" and i not in touched]
    copies = []
    for source, kind, text in plant_copies(texts, np.array(sources), EACH, rng):
        copies.append(Copy(len(texts), source, kind))
        texts.append(text)
        labels.append(labels[source])
        splits.append("test")
    silent = range(len(texts), len(texts) + SILENT_ROWS * len(SILENT))
    texts += [text for text in SILENT for _ in range(SILENT_ROWS)]
    labels += rng.permutation(corpus.labels or ())[: len(silent)].tolist()
    splits += ["train" if rng.random() < 0.8 else "test" for _ in silent]
    whole = Corpus(tuple(texts), tuple(labels), tuple(splits))
    return Planted(whole, tuple(copies), set(silent))


def evidence_of(corpus: Corpus, cache: Path) -> Evidence:
    """The evidence of a corpus, encoding what is missing."""
    vectors = ensure_vectors(corpus.texts, VectorConfig(cache=cache), (POOLED,))
    pooled = vectors.table(POOLED).values
    return Evidence(
        corpus=corpus,
        sides=official_sides(corpus.splits, corpus.rows)[0],
        copies=find_duplicates(corpus.texts, pooled),
        vectors=pooled,
        tokens=vectors.tokens,
        max_length=vectors.space(POOLED).spec.max_length,
    )


def score_copies(planted: Planted, evidence: Evidence, natural: Evidence) -> None:
    """Precision: whether a planted copy was paired with its source, or a copy of that."""
    count = len(natural.corpus)
    partner = {}
    for pairing in across(evidence):
        for row, other in zip(pairing.rows.tolist(), pairing.partners.tolist(), strict=True):
            partner[row] = (pairing.level, other)
    clusters = natural.copies.clusters
    totals: Counter[tuple[str, str]] = Counter()
    for copy in planted.copies:
        group = copy.kind if copy.kind in ("exact", "normalized") else "edited"
        level, other = partner.get(copy.row, ("", -1))
        right = 0 <= other < count and clusters[other] == clusters[copy.source]
        for name in {copy.kind, group}:
            totals[name, "planted"] += 1
            totals[name, "found"] += bool(level)
            totals[name, "right"] += bool(level) and right
            totals[name, "level"] += level == (group if group != "edited" else "near")
    for name in ("exact", "normalized", "edited", *sorted({c.kind for c in planted.copies})):
        if name in ("exact", "normalized", "edited") or name not in ("exact", "normalized"):
            planted_rows, found, right = (
                totals[name, what] for what in ("planted", "found", "right")
            )
            line(f"copies: {name}", right / max(1, found), right / planted_rows, planted_rows)


def score_texts(planted: Planted, evidence: Evidence, natural: Evidence) -> None:
    """Non-answers and giveaways; what the untouched corpus has too is not counted against."""
    before = {natural.texts[row] for row in non_answers(natural).tolist()}
    found = set(non_answers(evidence).tolist())
    fresh = {row for row in found if evidence.texts[row] not in before or row in planted.silent}
    hits = len(fresh & planted.silent)
    line(
        "non-answers",
        hits / max(1, len(fresh)),
        hits / len(planted.silent),
        len(planted.silent),
    )
    known = {(g.where, g.token) for g in giveaways(natural)}
    tokens = [g for g in giveaways(evidence) if (g.where, g.token) not in known]
    wanted = {"zqx0", "brindlewick", "ref-0"}
    right = [g for g in tokens if g.token.split(" ")[0] in wanted]
    caught = {g.token.split(" ")[0] for g in right}
    line("giveaways", len(right) / max(1, len(tokens)), len(caught) / len(wanted), len(wanted))


def score_flips(corpus: Corpus, evidence: Evidence, rng: np.random.Generator) -> None:
    """Precision among as many suspects as 2 % of the texts, and among all; recall of all."""
    for share in FLIPPED:
        labels, flipped = flip_labels(corpus.labels or (), share, rng)
        changed = Corpus(corpus.texts, tuple(labels), corpus.splits)
        found = label_findings(
            Evidence(
                changed,
                evidence.sides,
                evidence.copies,
                evidence.vectors,
                evidence.tokens,
                evidence.max_length,
            )
        )
        suspects = next(f.positions for f in found if f.kind == "label_errors")
        first = suspects[: round(0.02 * len(labels))]
        hits = len(flipped & set(suspects))
        line(f"flips {share:.0%}: all", hits / len(suspects), hits / len(flipped), len(flipped))
        top = len(flipped & set(first))
        line(
            f"flips {share:.0%}: first 2 %", top / len(first), top / len(flipped), len(flipped)
        )


def line(name: str, precision: float, recall: float, planted: int) -> None:
    """One row of the table."""
    print(f"  {name:<26} precision {precision:6.1%}  recall {recall:6.1%}  of {planted}")


def main() -> None:
    """Score every corpus named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in options.names:
        rng = np.random.default_rng(options.seed)
        path = options.data / name / f"{name}.csv"
        corpus = untouched(path, MOST.get(name, 20_000), rng)
        planted = plant(corpus, rng)
        natural = evidence_of(corpus, options.cache)
        evidence = evidence_of(planted.corpus, options.cache)
        print(f"{name}: {len(corpus):,} texts, {len(planted.copies)} copies planted")
        score_copies(planted, evidence, natural)
        score_texts(planted, evidence, natural)
        score_flips(corpus, natural, rng)
        print("  untouched:", ", ".join(f"{f.kind} {f.count:,}" for f in audit(natural)))


if __name__ == "__main__":
    main()
