"""What the trainings of the benchmark learn from: labelled texts and their vectors.

E  the example corpus
T  texts of a small grammar: neutral words and cue words of their class
S  made-up vectors without texts: a vector of the class is added at some positions
P  public corpora, NAME/NAME.csv under a folder; they are for measuring only

Vectors of texts come from the embedded encoder, once per cache.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from features.vectors.table import POOLED, TOKENS, FeatureTable

TUNE_CORPORA = ("E", "trec6", "T", "S")
REPORT_CORPORA = ("isear", "banking77", "sst2", "cnews10_long", "glassdoor_industry", "S2")

SIZES = {"cnews10_long": 500, "glassdoor_industry": 500}
SIZE = 800
MOST_CLASSES = 20
"""Of a corpus with more classes the most frequent ones are taken, so that each has texts."""

MOST_VECTORS = {"cnews10_long": 96, "glassdoor_industry": 96}
"""First vectors of each text that are kept, so that a training takes seconds."""

NEUTRAL, CUES = 200, 30
WIDTH = 64


@dataclass(frozen=True, eq=False)
class Material:
    """Labelled texts with their vectors.

    Attributes:
        name: of the corpus.
        labels: (N,) int64 class ids.
        classes: the C labels.
        tables: layout -> vectors of the N texts.
        texts: the N texts; None if only vectors exist.
        tokens: (N,) tokens of each whole text; None without texts.
        truncated: (N,) bool, whose vectors are not of the whole text; None without texts.
    """

    name: str
    labels: np.ndarray
    classes: tuple[str, ...]
    tables: Mapping[str, FeatureTable]
    texts: tuple[str, ...] | None = None
    tokens: np.ndarray | None = None
    truncated: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: np.ndarray) -> Material:
        """Return the material of some texts, in that order."""
        tables = {layout: table[chosen] for layout, table in self.tables.items()}
        texts = None if self.texts is None else tuple(self.texts[i] for i in chosen.tolist())
        tokens, truncated = (
            None if each is None else each[chosen] for each in (self.tokens, self.truncated)
        )
        labels = self.labels[chosen]
        return Material(self.name, labels, self.classes, tables, texts, tokens, truncated)

    def with_values(self, change: Mapping[str, np.ndarray]) -> Material:
        """Return the material with other values in some layouts, text by text as before."""
        tables = {
            layout: FeatureTable(change.get(layout, table.values), table.offsets, layout)
            for layout, table in self.tables.items()
        }
        return replace(self, tables=tables)


@dataclass
class Ingredients:
    """Gives material by name, each made once.

    Attributes:
        cache: folder of the encoded texts.
        data: folder with the public corpora; None: they are absent.
        seed: which texts of a corpus are drawn, and of all that is made up.
    """

    cache: Path
    data: Path | None = None
    seed: int = 0
    made: dict[str, Material] = field(default_factory=dict)

    def material(self, name: str) -> Material:
        """Return a corpus, at most some texts of it, drawn by the seed."""
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def _make(self, name: str) -> Material:
        seed = self.seed
        if name == "S":
            return synthetic(seed=seed)
        if name == "S2":
            made = synthetic(classes=4, width=48, length=16, strength=3.2, spots=3, seed=seed)
            return replace(made, name="S2")
        if name == "T":
            return self.encoded(name, *grammar(SIZE, seed=seed))
        rng = np.random.default_rng(seed)
        return self.encoded(name, *_drawn(*self._read(name), SIZES.get(name, SIZE), rng))

    def _read(self, name: str) -> tuple[list[str], list[str]]:
        """Return texts and labels of the example corpus, or of a public one."""
        if name == "E":
            from pipeline.config import EXAMPLE

            path = EXAMPLE
        elif self.data is not None:
            path = self.data / name / f"{name}.csv"
        else:
            raise FileNotFoundError(
                f"{name} is a public corpus: name its folder, --data-folder"
            )
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        return [row["text"] for row in rows], [row["label"] for row in rows]

    def encoded(
        self, name: str, texts: Sequence[str], labels: Sequence[str], max_vectors: int = 0
    ) -> Material:
        """Return texts with their vectors, from the cache or encoded now."""
        from pipeline.config import VectorConfig
        from pipeline.encoding.vectors import ensure_vectors

        config = VectorConfig(cache=self.cache, devices="cpu")
        vectors = ensure_vectors(list(texts), config, (POOLED, TOKENS))
        tokens = vectors.table(TOKENS)
        most = max_vectors or MOST_VECTORS.get(name, 0)
        tables = {POOLED: vectors.table(POOLED), TOKENS: first_vectors(tokens, most)}
        classes = tuple(sorted(set(labels)))
        ids = np.array([classes.index(label) for label in labels], np.int64)
        seen = vectors.truncated | (tables[TOKENS].lengths < tokens.lengths)
        return Material(name, ids, classes, tables, tuple(texts), vectors.tokens, seen)


def first_vectors(table: FeatureTable, most: int) -> FeatureTable:
    """Return the table with at most some vectors of each text, the first ones; 0: all."""
    if not most:
        return table
    lengths = np.minimum(table.lengths, most)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    shifts = np.repeat(table.offsets[:-1] - offsets[:-1], lengths)
    return FeatureTable(
        table.values.take(np.arange(offsets[-1]) + shifts, axis=0), offsets, table.layout
    )


def _drawn(
    texts: Sequence[str], labels: Sequence[str], size: int, rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Return at most ``size`` texts of the large classes, all distinct."""
    kept = {name for name, _ in Counter(labels).most_common(MOST_CLASSES)}
    seen: dict[str, int] = {}
    for i, text in enumerate(texts):
        key = " ".join(text.lower().split())
        if key and labels[i] in kept:
            seen.setdefault(key, i)
    chosen = rng.permutation(list(seen.values()))[:size].tolist()
    return [texts[i] for i in chosen], [labels[i] for i in chosen]


def synthetic(
    texts: int = 1000,
    classes: int = 6,
    length: int = 12,
    width: int = WIDTH,
    strength: float = 3.0,
    spots: int = 2,
    place: str = "anywhere",
    seed: int = 0,
) -> Material:
    """Return made-up vectors: normal(0, 1), with the vector of the class added at some places.

    Args:
        texts: N.
        classes: C.
        length: vectors per text.
        width: D.
        strength: length of what is added.
        spots: at how many positions of a text it is added.
        place: of these positions: ``anywhere``, ``first`` or ``last``.
        seed: of everything random.
    """
    rng = np.random.default_rng([seed, 7])
    labels = rng.permutation(np.arange(texts, dtype=np.int64) % classes)
    directions = rng.normal(size=(classes, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values = rng.normal(size=(texts, length, width)).astype(np.float32)
    if place == "anywhere":
        where = rng.random((texts, length)).argsort(axis=1)[:, :spots]
    else:
        start = 0 if place == "first" else length - spots
        where = np.broadcast_to(np.arange(start, start + spots), (texts, spots))
    added = (strength * directions[labels]).astype(np.float32)
    values[np.arange(texts)[:, None], where] += added[:, None, :]
    names = tuple(f"class {chr(97 + i)}" for i in range(classes))
    return from_array("S", values, labels, names)


def from_array(
    name: str, values: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]
) -> Material:
    """Return material of (N, T, D) vectors; the pooled vector is their mean."""
    count, length, width = values.shape
    offsets = np.arange(count + 1, dtype=np.int64)
    tables = {
        TOKENS: FeatureTable(values.reshape(-1, width), offsets * length, TOKENS),
        POOLED: FeatureTable(values.mean(axis=1), offsets, POOLED),
    }
    return Material(name, labels, classes, tables)


def grammar(
    count: int, classes: int = 6, certainty: float = 0.8, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Return texts of 6 to 14 neutral words in random order and 2 cue words, and their labels.

    Args:
        count: number of texts.
        classes: C; each has 30 cue words of its own.
        certainty: chance that a cue word is one of its class, not of another.
        seed: of everything random.
    """
    rng = np.random.default_rng([seed, 11])
    neutral, cues = _vocabulary(classes)
    texts, labels = [], []
    for i in range(count):
        label = i % classes
        words = [neutral[j] for j in rng.integers(len(neutral), size=rng.integers(6, 15))]
        for _ in range(2):
            own = rng.random() < certainty
            other = (label + 1 + int(rng.integers(classes - 1))) % classes
            cue = cues[label if own else other][int(rng.integers(CUES))]
            words.insert(int(rng.integers(len(words) + 1)), cue)
        texts.append(" ".join(words))
        labels.append(f"topic {label + 1}")
    return texts, labels


def _vocabulary(classes: int) -> tuple[list[str], list[list[str]]]:
    """Return neutral words and the cue words of each class, from the example corpus."""
    from pipeline.config import EXAMPLE

    with EXAMPLE.open(encoding="utf-8", newline="") as stream:
        words = [
            word.strip(".,!?;:\"'()").lower()
            for row in csv.DictReader(stream)
            for word in row["text"].split()
        ]
    counts = Counter(word for word in words if word.isascii() and word.isalpha())
    ranked = [word for word, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]
    rest = [word for word in ranked[NEUTRAL:] if len(word) > 4]
    cues = [rest[label : CUES * classes : classes] for label in range(classes)]
    return ranked[:NEUTRAL], cues


def stratified(
    labels: np.ndarray, shares: Sequence[float], rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the rows of several sides, each class dealt by the same shares, in row order."""
    sides: list[list[int]] = [[] for _ in shares]
    cuts = np.cumsum(shares) / np.sum(shares)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        for side, part in zip(
            sides, np.split(rows, np.rint(cuts[:-1] * len(rows)).astype(int)), strict=True
        ):
            side.extend(part.tolist())
    return [np.sort(np.array(side, np.int64)) for side in sides]
