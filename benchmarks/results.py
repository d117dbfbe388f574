"""The tables of docs/results.md: heads chosen by validation, then scored on test.

    python -m benchmarks.results --corpora FOLDER --out measured --encoder FOLDER_OR_NAME

Per corpus (FOLDER/NAME/NAME.csv) each candidate is trained with seeds 0 to 2 (``--tried``) and
scored on validation. The best mean accuracy there is chosen, of equal ones the lower loss; the
chosen one is trained with 5 seeds, learns from validation texts too, and is scored on test. No
other test score is computed. What is done stays in --out: the same command goes on, and prints
the table of everything that is there; --table only prints.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from features.duplicates.duplicates import cached_duplicates
from features.storage.location import parse_location
from features.tables import FeatureTables
from features.vectors.table import POOLED
from heads.evaluation.calibration import fit_temperature, softmax
from heads.evaluation.metrics import log_loss
from heads.presets import PRESETS, Preset
from heads.registry import layout_of, make_settings
from heads.settings import HeadSettings
from heads.trained import TrainedHead, fit, refit
from pipeline.config import DataConfig, VectorConfig
from pipeline.console import print_note
from pipeline.encoding.tables import make_tables
from pipeline.evaluation.baselines import cached_tfidf_logistic
from pipeline.evaluation.comparison import compare
from pipeline.training.partition import read_labelled, split_corpus
from pipeline.training.preparation import find_encoders
from pipeline.training.trainings import on_split

CANDIDATES = ("logistic", "attention", "cnn")
SEEDS = 5
"""Seeds of the chosen candidate."""

BLEND = "+"
"""Between the candidates of a blend, whose probabilities are averaged."""


@dataclass(frozen=True)
class Candidate:
    """A head in a layout, over layers of the encoder.

    Attributes:
        text: as it is given: HEAD[:LAYOUT[:LAYERS]], such as ``attention:tokens:2,4``, with
            a preset in place of the head if its own settings are meant: ``long:tokens,words``.
    """

    text: str

    @property
    def preset(self) -> Preset | None:
        return PRESETS.get(self.text.partition(":")[0].upper())

    @property
    def head(self) -> str:
        return self.preset.head if self.preset else self.text.partition(":")[0]

    @property
    def layout(self) -> str:
        return layout_of(self.head, (*self.text.split(":"), "")[1] or None)

    @property
    def layers(self) -> str | None:
        return (*self.text.split(":"), "", "")[2] or None

    @property
    def seeds(self) -> int:
        """How many seeds differ: the optimum of ``logistic`` is one."""
        return 1 if self.head in ("logistic", "knn") else SEEDS

    def settings(self, classes: int) -> HeadSettings:
        """Return those of the head, or of the preset for C ``classes``."""
        overrides = self.preset.overrides(classes) if self.preset else {}
        return make_settings(self.head, overrides)


class Corpus:
    """A corpus with its split and the tables of its layouts.

    The split is by the near-duplicates of the embedded encoder, so that all encoders have the
    same one.
    """

    def __init__(self, data: Path, vectors: VectorConfig, out: Path) -> None:
        config = DataConfig(data=data)
        self.texts = read_labelled(config)
        self.name, self.vectors, self.cache = data.stem, vectors, vectors.cache
        self.encoder = vectors.encoder
        _, (usual,) = self._tables(POOLED, replace(vectors, encoder=VectorConfig.encoder))
        pooled = usual.table(POOLED).values
        copies = cached_duplicates(self.cache, self.texts.texts, pooled)
        self.split = split_corpus(self.texts, config.as_read(self.texts), copies)
        self.ids = self.split.label_ids(self.texts.labels or ())
        self.learned = np.sort(np.concatenate([self.split.train, self.split.validation]))
        self.folder = out / self.name / self.encoder.replace("/", "_").strip("_")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._read: dict[tuple[str, str | None], FeatureTables] = {}
        self._trained: dict[tuple[str, int], tuple[TrainedHead, float]] = {}

    def _tables(self, layout: str, config: VectorConfig):
        return make_tables(self.texts.texts, layout, config, find_encoders(config))

    def tables(self, layout: str, layers: str | None) -> FeatureTables:
        key = layout, layers
        if key not in self._read:
            config = replace(self.vectors, layers=layers)
            self._read = {key: self._tables(layout, config)[0]}  # one at a time in memory
        return self._read[key]

    def logits(self, candidate: Candidate, seed: int, side: str) -> np.ndarray:
        """(n, C) logits of the validation or test texts, computed once and stored.

        Those of test are of the head that has learned from the validation texts too.
        """
        seed = min(seed, candidate.seeds - 1)
        path = self.folder / f"{candidate.text.replace(':', '_')}-{seed}-{side}.npy"
        if path.exists():
            return np.load(path)
        tables, split = self.tables(candidate.layout, candidate.layers), self.split
        key = candidate.text, seed
        if key not in self._trained:
            settings = on_split(candidate.settings(len(split.classes)), split)
            sides = split.train, split.validation, split.classes
            trained = fit(candidate.head, settings, tables, self.ids, *sides, seed)
            found = trained.logits(tables, split.validation)
            temperature = fit_temperature(self.ids[split.validation], found)
            validation = path.name.replace("-test", "-validation")
            np.save(path.with_name(validation), found / temperature)
            self._trained[key] = trained, temperature
        if side == "test":
            trained, temperature = self._trained.pop(key)
            again = refit(trained, tables, self.ids, self.learned, seed)
            np.save(path, again.logits(tables, split.test) / temperature)
        return np.load(path)

    def probabilities(self, text: str, seed: int, side: str) -> np.ndarray:
        """(n, C) of a candidate, or of a blend: the mean of several."""
        parts = [
            softmax(self.logits(Candidate(each), seed, side)) for each in text.split(BLEND)
        ]
        return np.mean(parts, axis=0)

    def validated(self, text: str, seeds: int) -> tuple[float, float]:
        """Return mean accuracy and negative log loss on validation over some seeds."""
        labels = self.ids[self.split.validation]
        scores = []
        for seed in range(seeds):
            found = self.probabilities(text, seed, "validation")
            right = float((found.argmax(axis=1) == labels).mean())
            scores.append((right, -log_loss(labels, np.log(np.maximum(found, 1e-12)))))
        accuracy, loss = np.mean(scores, axis=0)
        return round(float(accuracy), 6), float(loss)

    def tfidf(self) -> np.ndarray:
        """(n,) bool: the test texts that the baseline labels rightly."""
        texts, test = self.texts.texts, self.split.test
        found = cached_tfidf_logistic(self.cache, texts, self.ids, self.learned, test)
        return found == self.ids[test]


def measure(corpus: Corpus, candidates: Sequence[str], blends: bool, tried: int) -> None:
    """Choose a candidate, score it, and write the row of the corpus after every seed."""
    scores = {}
    for text in candidates:
        scores[text] = corpus.validated(text, tried)
        print_note(f"{corpus.name} {corpus.encoder} {text}: validation {scores[text][0]:.1%}")
    if blends and len(candidates) > 1:
        names = sorted(scores, key=scores.__getitem__, reverse=True)
        pairs = [BLEND.join(names[:2]), BLEND.join(names[:3])]
        scores |= {pair: corpus.validated(pair, tried) for pair in dict.fromkeys(pairs)}
    chosen = max(scores, key=scores.__getitem__)
    labels, baseline = corpus.ids[corpus.split.test], corpus.tfidf()
    seeds = max(Candidate(each).seeds for each in chosen.split(BLEND))
    test: list[float] = []
    for seed in range(seeds):
        right = corpus.probabilities(chosen, seed, "test").argmax(axis=1) == labels
        test.append(float(right.mean()))
        against = compare(right, baseline)
        row = {
            "data": corpus.name,
            "encoder": corpus.encoder,
            "candidates": {text: score[0] for text, score in scores.items()},
            "chosen": chosen,
            "test": test,
            "texts": len(labels),
            "tfidf": float(baseline.mean()),
            "against_tfidf": [against.difference, *against.interval],
            "below_tfidf": against.worse,
        }
        (corpus.folder / "row.json").write_text(json.dumps(row, indent=2) + "\n")
        print_note(f"{corpus.name} {corpus.encoder} {chosen}: seed {seed} test {test[-1]:.1%}")


def lines(out: Path) -> Iterator[str]:
    """The table of everything that is measured, and the rule for each row."""
    yield "| data | encoder | chosen by validation | validation | test | TF-IDF | rule |"
    yield "|---|---|---|---|---|---|---|"
    for path in sorted(out.glob("*/*/row.json")):
        row = json.loads(path.read_text())
        test, chosen = row["test"], row["chosen"]
        spread = f" ({min(test):.1%} to {max(test):.1%}, {len(test)} seeds)"
        difference, low, high = row["against_tfidf"]
        verdict = "below" if row["below_tfidf"] else "held"
        yield (
            f"| {row['data']} ({row['texts']:,}) | {Path(row['encoder']).name} | `{chosen}` "
            f"| {row['candidates'][chosen]:.1%} | {np.mean(test):.1%}"
            f"{spread if len(test) > 1 else ''} | {row['tfidf']:.1%} "
            f"| {verdict}: {difference:+.1%} ({low:+.1%} to {high:+.1%}) |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("--corpora", type=Path, required=True, help="FOLDER/NAME/NAME.csv")
    parser.add_argument("--data", nargs="+", default=[], help="names (default: all)")
    parser.add_argument("--encoder", default=VectorConfig.encoder)
    parser.add_argument("--candidates", nargs="+", default=[*CANDIDATES])
    parser.add_argument("--blends", action="store_true", help="try the best 2 and 3 as blends")
    parser.add_argument("--tried", type=int, default=3, help="seeds to compare by (default: 3)")
    parser.add_argument("--max-tokens", type=int, help="of a text, in overlapping windows")
    parser.add_argument("--cache", default=str(VectorConfig.cache))
    parser.add_argument("--out", type=Path, default=Path("measured"))
    parser.add_argument("--table", action="store_true", help="only print what is measured")
    options = parser.parse_args()
    names = options.data or sorted(path.name for path in options.corpora.iterdir())
    for name in () if options.table else names:
        data = options.corpora / name / f"{name}.csv"
        vectors = VectorConfig(
            encoder=options.encoder,
            max_tokens=options.max_tokens,
            cache=parse_location(options.cache),
        )
        corpus = Corpus(data, vectors, options.out)
        measure(corpus, options.candidates, options.blends, options.tried)
    print("\n".join(lines(options.out)))


if __name__ == "__main__":
    main()
