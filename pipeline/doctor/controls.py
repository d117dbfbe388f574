"""Is the sequence real? The head against controls that lack order, separate vectors or room.

    in order    the head as it is
    shuffled    the same head, the vectors of every text in random order
    averaged    the same head, one vector per text: their mean
    mlp         as many parameters, on that mean
    logistic    on that mean

Each difference of two neighbours says what one thing is worth. Vectors of a text carry what the
encoder read around them, so the order that is tested is that which the head itself reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.errors import SettingError
from features.vectors.table import POOLED, FeatureTable
from heads.evaluation.paired import paired_seeds
from heads.registry import make_settings
from pipeline.console import table as text_table
from pipeline.doctor.case import Case
from pipeline.doctor.measuring.pooled import means, pooled_table, with_vectors
from pipeline.progress import Progress, duration

SEEDS = 3
"""Trainings of each control; their spread counts in the intervals."""

ORDER, SHUFFLED, AVERAGED, MLP, LOGISTIC = "in order", "shuffled", "averaged", "mlp", "logistic"

SINGLE = "single"
"""The better of mlp and logistic: as small as some heads, an mlp is no fair match."""

MOST_UNITS = 65_536

STEPS = (
    ("order", "the order of the vectors", ORDER, SHUFFLED),
    ("separate", "separate vectors, in any order", SHUFFLED, SINGLE),
    ("capacity", "room for more than a linear answer", MLP, LOGISTIC),
    ("averaging", "all vectors in place of their mean, same head", ORDER, AVERAGED),
)
"""Name, words, and the two controls whose difference it is."""


@dataclass(frozen=True)
class Control:
    """One control.

    Attributes:
        name: see the module.
        accuracy: on validation, mean of the seeds.
        parameters: learned numbers.
        seconds: of one training.
    """

    name: str
    accuracy: float
    parameters: int
    seconds: float


@dataclass(frozen=True)
class Share:
    """What one thing is worth.

    Attributes:
        name: ``order``, ``separate``, ``capacity`` or ``averaging``.
        words: for people.
        points: difference of two accuracies on the same validation texts, in [-1, 1].
        interval: its 95 % interval, over texts and seeds.
    """

    name: str
    words: str
    points: float
    interval: tuple[float, float]

    @property
    def beyond_noise(self) -> bool:
        """Return whether the interval leaves 0 out."""
        return not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class Controls:
    """A head against its controls.

    Attributes:
        head: its name.
        controls: in the order above.
        shares: what order, separate vectors and capacity are worth.
        texts: validation texts.
        majority: accuracy of the most frequent class of training.
        seconds: all of it took.
    """

    head: str
    controls: tuple[Control, ...]
    shares: tuple[Share, ...]
    texts: int
    majority: float
    seconds: float

    def share(self, name: str) -> Share:
        """Return one of the shares."""
        return next(each for each in self.shares if each.name == name)

    @property
    def conclusion(self) -> str:
        """Return in one sentence whether the sequence is real."""
        order, separate = self.share("order"), self.share("separate")
        if order.beyond_noise and order.points > 0:
            return f"The order counts: {_points(order)}."
        if separate.beyond_noise and separate.points > 0:
            return f"Separate vectors count, their order not beyond noise: {_points(separate)}."
        single = max(self.controls[-2:], key=lambda each: each.accuracy)
        return (
            f"The sequence is not shown to count: {single.name} on the averaged vector is as "
            f"good within noise, and takes {duration(single.seconds)} a training."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "head": self.head,
            "controls": [asdict(each) for each in self.controls],
            "shares": [
                asdict(each) | {"beyond_noise": each.beyond_noise} for each in self.shares
            ],
            "texts": self.texts,
            "seeds": SEEDS,
            "majority": self.majority,
            "conclusion": self.conclusion,
            "seconds": round(self.seconds, 3),
        }

    def to_text(self) -> str:
        """Return two tables and the conclusion, for people."""
        rows = [
            (
                each.name if each.name in (MLP, LOGISTIC) else f"{self.head}, {each.name}",
                f"{each.accuracy:.1%}",
                f"{each.parameters:,}",
                duration(each.seconds),
            )
            for each in self.controls
        ]
        first = text_table(("", "accuracy", "parameters", "a training"), rows, align="<>>>")
        shares = [
            (
                each.words,
                f"{100 * each.points:+.1f}",
                f"{100 * each.interval[0]:+.1f} to {100 * each.interval[1]:+.1f}",
                "" if each.beyond_noise else "within noise",
            )
            for each in self.shares
        ]
        second = text_table(("worth", "points", "95 %", ""), shares, align="<>><")
        return "\n".join(
            [
                "Is the sequence real?",
                first,
                "",
                second,
                f"{SEEDS} trainings of each, on {self.texts:,} validation texts; the majority "
                f"class has {self.majority:.1%}. {duration(self.seconds)}.",
                self.conclusion,
            ]
        )


def check_sequence(case: Case) -> FeatureTable:
    """Return the sequences that the head of a case reads.

    Raises:
        SettingError: it reads none.
    """
    vectors = case.tables.vectors
    if vectors is None or vectors.layout == POOLED:
        raise SettingError(
            f"--controls asks whether a sequence counts, and head {case.head} reads none; "
            "examine a run of cnn, lstm, attention or another head over token vectors"
        )
    return vectors


def run_controls(case: Case) -> Controls:
    """Train the controls of a case.

    Raises:
        SettingError: its head reads no sequence.
    """
    started = time.perf_counter()
    vectors = check_sequence(case)
    truth = case.labels[case.validation]
    rights: dict[str, list[np.ndarray]] = {}
    facts: dict[str, tuple[int, float]] = {}
    kinds = _kinds(case, vectors)
    with Progress("controls", len(kinds) * SEEDS, "trainings") as progress:
        for name, train in kinds.items():
            for seed in range(case.seed, case.seed + SEEDS):
                begun = time.perf_counter()
                logits, parameters = train(seed, facts)
                facts[name] = parameters, time.perf_counter() - begun
                rights.setdefault(name, []).append(logits.argmax(axis=1) == truth)
                progress.advance(1)
    stacked = {name: np.stack(each) for name, each in rights.items()}
    controls = tuple(
        Control(name, float(each.mean()), facts[name][0], round(facts[name][1], 3))
        for name, each in stacked.items()
    )
    single = max((MLP, LOGISTIC), key=lambda name: float(stacked[name].mean()))
    stacked[SINGLE] = stacked[single]
    shares = tuple(
        Share(name, words, *_difference(stacked[one], stacked[other]))
        for name, words, one, other in STEPS
    )
    counts = np.bincount(case.labels[case.train], minlength=len(case.classes))
    majority = float(np.mean(truth == counts.argmax()))
    seconds = time.perf_counter() - started
    return Controls(case.head, controls, shares, len(truth), majority, seconds)


Facts = dict[str, tuple[int, float]]
Train = Callable[[int, Facts], tuple[np.ndarray, int]]
"""(seed, parameters and seconds of the controls before it) -> (m, C) logits, parameters."""


def _kinds(case: Case, vectors: FeatureTable) -> dict[str, Train]:
    """Return how each control is trained."""
    mean = averaged(vectors)
    pooled = pooled_table(mean.values)

    def same(tables: Callable[[int], FeatureTable]) -> Train:
        def train(seed: int, facts: Facts) -> tuple[np.ndarray, int]:
            changed = with_vectors(case.tables, tables(seed))
            found = case.train_again(tables=changed, seed=seed)
            return found.logits(changed, case.validation, case.device), found.parameters

        return train

    def mlp(seed: int, facts: Facts) -> tuple[np.ndarray, int]:
        units = units_of(facts[ORDER][0], mean.width, len(case.classes))
        settings = make_settings(MLP, {"dense": str(units), **_as_long(case)})
        found = case.train_again(settings, head=MLP, tables=pooled, seed=seed)
        return found.logits(pooled, case.validation, case.device), found.parameters

    def logistic(seed: int, facts: Facts) -> tuple[np.ndarray, int]:
        found = case.train_again(make_settings(LOGISTIC, {}), head=LOGISTIC, tables=pooled)
        return found.logits(pooled, case.validation), found.parameters

    return {
        ORDER: same(lambda seed: vectors),
        SHUFFLED: same(lambda seed: shuffled(vectors, seed)),
        AVERAGED: same(lambda seed: mean),
        MLP: mlp,
        LOGISTIC: logistic,
    }


def _as_long(case: Case) -> dict[str, object]:
    """Return the settings of a case that say how long it was trained."""
    values = case.settings.model_dump()
    names = ("epochs", "patience", "min_steps", "batch_size")
    return {name: values[name] for name in names if name in values}


def _difference(one: np.ndarray, other: np.ndarray) -> tuple[float, tuple[float, float]]:
    found = paired_seeds(one, other)
    assert found is not None  # there are several seeds
    return found


def shuffled(table: FeatureTable, seed: int) -> FeatureTable:
    """Return a table with the vectors of every text in random order."""
    texts = np.repeat(np.arange(len(table)), table.lengths)
    keys = np.random.default_rng(seed).random(len(table.values))
    return FeatureTable(table.values[np.lexsort((keys, texts))], table.offsets, table.layout)


def averaged(table: FeatureTable) -> FeatureTable:
    """Return a table with one vector per text, the mean of its vectors, in the same layout."""
    values = means(table).astype(np.float32)
    return FeatureTable(values, np.arange(len(values) + 1, dtype=np.int64), table.layout)


def units_of(parameters: int, width: int, classes: int) -> int:
    """Return the units of one hidden layer with which an mlp has so many parameters."""
    return int(np.clip((parameters - classes) // (width + classes + 1), 1, MOST_UNITS))


def _points(share: Share) -> str:
    low, high = share.interval
    return f"{100 * share.points:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
