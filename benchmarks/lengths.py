"""Texts of three lengths: what encoders gain depends on it more than on anything else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.corpus.columns import Columns
from features.corpus.corpus import read_corpus

VOCABULARY = 5_000


@dataclass(frozen=True)
class Profile:
    """Texts of one kind.

    Attributes:
        name: for people.
        corpus: the data set in a folder of corpora.
        words: mean number of words where texts are made up.
        spread: standard deviation of the logarithm of that number.
        texts: how many are encoded; some seconds of work for every side.
    """

    name: str
    corpus: str
    words: int
    spread: float
    texts: int


PROFILES = (
    Profile("short intents", "banking77", 12, 0.4, 2_400),
    Profile("isear", "isear", 22, 0.6, 1_600),
    Profile("long documents", "ng20_body", 300, 0.7, 200),
)


def texts_of(profile: Profile, corpora: Path | None, scale: float) -> tuple[str, list[str]]:
    """Distinct texts of a profile, and in words where they come from.

    Args:
        corpora: a folder with ``banking77/banking77.csv`` and so on; None makes texts up.
        scale: of the number of texts.
    """
    count = max(8, round(profile.texts * scale))
    path = corpora / profile.corpus / f"{profile.corpus}.csv" if corpora else None
    if path is None or not path.exists():
        return "made up", made_up(profile, count)
    columns = Columns(label=None, split=None)
    texts = read_corpus(path, columns, labels=False, skip_empty=True).texts
    known = list(dict.fromkeys(texts))
    chosen = np.random.default_rng(0).permutation(len(known))[:count]
    return profile.corpus, [known[i] for i in np.sort(chosen).tolist()]


def made_up(profile: Profile, count: int) -> list[str]:
    """Texts of words drawn by Zipf's law, their numbers of words log-normal."""
    rng = np.random.default_rng(0)
    words = np.array(_words(rng))
    lengths = np.exp(rng.normal(np.log(profile.words), profile.spread, count)).astype(int) + 1
    drawn = np.minimum(rng.zipf(1.3, int(lengths.sum())), VOCABULARY) - 1
    parts = np.split(words[drawn], np.cumsum(lengths)[:-1])
    return [f"{number} {' '.join(part)}" for number, part in enumerate(parts)]


def _words(rng: np.random.Generator) -> list[str]:
    syllables = [a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "an", "er")]
    sizes = rng.integers(1, 4, VOCABULARY)
    return ["".join(rng.choice(syllables, size)) for size in sizes.tolist()]
