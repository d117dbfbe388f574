"""Measure what would help a head: train it with one thing changed, on the same texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from features.encoders.description.model import find_model
from features.errors import ManyheadsError
from features.store.inventory import open_all
from features.store.space import Space
from features.tables import FeatureTables
from features.text.keys import text_keys
from features.words.counting import count_words
from heads.evaluation.calibration import softmax
from heads.evaluation.metrics import mean_interval
from heads.settings import TrainingSettings
from heads.trained import TrainedHead
from pipeline.audit.label_errors import find_label_errors, out_of_fold
from pipeline.command_line import train_command
from pipeline.console import print_note
from pipeline.doctor.case import Case
from pipeline.doctor.commands import AUDIT, changed_config, with_data
from pipeline.doctor.gains.curve import SHARES, extrapolate, part_of
from pipeline.doctor.gains.gain import Gain, Gains, by_gain
from pipeline.doctor.measuring.pooled import pooled_of, with_vectors
from pipeline.encoding.vectors import open_spaces
from pipeline.progress import Progress

TRAININGS = 3
"""Of each thing that is trained; those of the head as it is count as its noise."""

MOST_SPACES = 6
"""Other vectors in the cache that are tried."""


@dataclass(frozen=True, eq=False)
class Trained:
    """Trainings of one thing, one per seed.

    Attributes:
        rights: (k, m) bool, the validation texts that each labels rightly.
        logits: (k, m, C).
        seconds: of one.
    """

    rights: np.ndarray
    logits: np.ndarray
    seconds: float

    def against(self, other: Trained, chosen: np.ndarray | slice = slice(None)) -> Differs:
        """Return how much more often it is right than another, on some validation texts."""
        gaps = self.rights.mean(axis=0)[chosen] - other.rights.mean(axis=0)[chosen]
        return Differs(float(gaps.mean()), mean_interval(gaps))


@dataclass(frozen=True)
class Differs:
    """A difference of accuracies, and its 95 % bootstrap interval over the texts."""

    points: float
    interval: tuple[float, float]


def measure_gains(case: Case) -> Gains:
    """Return what would help the head of a case, best first."""
    started = time.perf_counter()
    others = list(_other_spaces(case))
    planned = TRAININGS * (len(SHARES) + 2 + len(others))
    with Progress("gains", planned, "trainings") as progress:
        trainer = Trainer(case, progress)
        points = [trainer.part(share) for share in SHARES]
        own = points[-1]
        texts = tuple(len(part_of(case.labels, case.train, each, _random())) for each in SHARES)
        curve = extrapolate(texts, [each.rights for each in points])
        gains = [_more_texts(case, curve.gain, curve.interval), *_together(case, own)]
        for measured in (_words, _clean_labels):
            gains += measured(trainer, own)
        for words, space, keys in others:
            gains += _other_vectors(trainer, own, words, space, keys)
    gains += _not_cached(case, bool(others))
    return Gains(
        by_gain(gains),
        float(own.rights.mean()),
        TRAININGS,
        own.rights.shape[1],
        curve,
        time.perf_counter() - started,
    )


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains a case with things changed, with several seeds."""

    case: Case
    progress: Progress

    def part(self, share: float) -> Trained:
        """Train on a share of the training texts, drawn anew for every seed."""
        case = self.case

        def train(seed: int) -> np.ndarray:
            rows = part_of(case.labels, case.train, share, np.random.default_rng(seed))
            return self._logits(case.train_again(train=rows, seed=seed), case.tables)

        return self._each(train)

    def tables(self, tables: FeatureTables) -> Trained:
        """Train on other tables."""
        case = self.case
        return self._each(
            lambda seed: self._logits(case.train_again(tables=tables, seed=seed), tables)
        )

    def rows(self, rows: np.ndarray) -> Trained:
        """Train on other rows."""
        case = self.case
        return self._each(
            lambda seed: self._logits(case.train_again(train=rows, seed=seed), case.tables)
        )

    def _logits(self, trained: TrainedHead, tables: FeatureTables) -> np.ndarray:
        return trained.logits(tables, self.case.validation, self.case.device)

    def _each(self, train: Callable[[int], np.ndarray]) -> Trained:
        started = time.perf_counter()
        found = []
        for seed in range(self.case.seed, self.case.seed + TRAININGS):
            found.append(train(seed))
            self.progress.advance(1)
        logits = np.stack(found)
        rights = logits.argmax(axis=2) == self.case.labels[self.case.validation]
        return Trained(rights, logits, (time.perf_counter() - started) / TRAININGS)


def _random() -> np.random.Generator:
    return np.random.default_rng(0)


def _more_texts(case: Case, gain: float, interval: tuple[float, float]) -> Gain:
    vectors = case.tables.vectors
    share = len(case.train) / max(1, len(case.labels))
    size = 0 if vectors is None else int(vectors.values.nbytes * share)
    return Gain(
        "texts",
        "twice as many training texts",
        "extrapolated",
        gain,
        interval,
        seconds=round(2 * case.seconds, 1),
        more_bytes=size,
        labour=f"label {len(case.train):,} texts",
    )


def _together(case: Case, own: Trained) -> list[Gain]:
    """Return what the averaged probabilities of several trainings gain; they are there."""
    if not isinstance(case.settings, TrainingSettings):
        return []
    mean = np.mean([softmax(each) for each in own.logits], axis=0)
    right = mean.argmax(axis=1) == case.labels[case.validation]
    gaps = right.astype(np.float64) - own.rights.mean(axis=0)
    members = case.settings.members * TRAININGS
    parameters = case.trained.parameters if case.trained is not None else 0
    return [
        Gain(
            "members",
            f"{TRAININGS} heads in place of one, averaged",
            "measured",
            float(gaps.mean()),
            mean_interval(gaps),
            seconds=round(TRAININGS * own.seconds, 1),
            more_bytes=4 * parameters * (TRAININGS - 1),
            command=_command(case, (("members", members),)),
        )
    ]


def _words(trainer: Trainer, own: Trained) -> list[Gain]:
    """Return what words beside the vectors gain."""
    case = trainer.case
    if case.texts is None or case.tables.words is not None or case.tables.vectors is None:
        return []
    tables = FeatureTables((*case.tables.tables, count_words(case.texts)))
    try:
        found = trainer.tables(tables)
    except ManyheadsError:
        return []
    differs = found.against(own)
    return [
        Gain(
            "words",
            "words beside the vectors",
            "measured",
            differs.points,
            differs.interval,
            seconds=round(found.seconds, 1),
            command=_command(case, layout=tables.layout),
        )
    ]


def _clean_labels(trainer: Trainer, own: Trained) -> list[Gain]:
    """Return what suspected labels cost: left out of training, and at most in validation."""
    case = trainer.case
    both = np.concatenate([case.train, case.validation])
    doubtful = np.isin(case.validation, suspected_rows(case, both))
    # Judged without validation texts: who leaves out what contradicts these is right about them
    # more often, whether labels are wrong or not.
    kept = case.train[~np.isin(case.train, suspected_rows(case, case.train))]
    gains = []
    if len(kept) < len(case.train) and len(np.unique(case.labels[kept])) > 1:
        found = trainer.rows(kept)
        differs = found.against(own, ~doubtful)
        gains.append(
            Gain(
                "suspected labels",
                "training without suspected labels",
                "measured",
                differs.points,
                differs.interval,
                seconds=round(found.seconds, 1),
                labour=f"read {len(case.train) - len(kept):,} labels",
                command=_audit(case),
            )
        )
    if doubtful.any():
        # At most: each suspected validation text that is wrong now would be right then.
        bound = float((~own.rights[:, doubtful]).mean(axis=0).sum() / len(doubtful))
        gains.append(
            Gain(
                "validation labels",
                "suspected validation labels put right",
                "bounded",
                bound,
                (0.0, bound),
                labour=f"read {int(doubtful.sum()):,} labels",
                command=_audit(case),
            )
        )
    return gains


def suspected_rows(case: Case, rows: np.ndarray) -> np.ndarray:
    """Return (k,) int64 those of the rows whose label is suspected, from these rows alone.

    The model that suspects a label has not seen the text or its copies.
    """
    pooled = pooled_of(case)
    rows = rows[case.labels[rows] < len(case.classes)]
    ids = case.labels[rows]
    if pooled is None or len(np.unique(ids)) < 2:
        return np.empty(0, np.int64)
    own = np.unique(ids, return_inverse=True)[1]
    groups = rows if case.duplicates is None else case.duplicates.clusters[rows]
    _, groups = np.unique(groups, return_inverse=True)
    found = find_label_errors(out_of_fold(pooled[rows], own, groups), own)
    suspected: np.ndarray = rows[found.rows]
    return suspected


def _other_vectors(
    trainer: Trainer, own: Trained, words: str, space: Space, keys: np.ndarray
) -> list[Gain]:
    """Return what other vectors gain that the cache holds."""
    table = space.table(keys)
    tables = with_vectors(trainer.case.tables, table)
    try:
        found = trainer.tables(tables)
    except ManyheadsError as error:
        print_note(f"note: {words} could not be tried: {error}")
        return []
    differs = found.against(own)
    return [
        Gain(
            "vectors",
            words,
            "measured",
            differs.points,
            differs.interval,
            seconds=round(found.seconds, 1),
            command=_space_command(trainer.case, space),
        )
    ]


def _other_spaces(case: Case) -> Iterator[tuple[str, Space, np.ndarray]]:
    """Yield other vectors of all texts that the cache holds in the head's layout.

    Yields:
        words for people, the space, (N,) keys.
    """
    vectors, config = case.tables.vectors, case.config
    if vectors is None or config is None or case.texts is None:
        return
    model = find_model(config.vectors.encoder, config.vectors.trust_remote_code)
    (own,) = open_spaces(config.vectors, (vectors.layout,), model)
    keys = text_keys(case.texts)
    found = [
        space
        for space in open_all(config.vectors.cache)
        if space.spec.layout == vectors.layout
        and space.spec != own.spec
        and not space.missing(keys).any()
    ]
    if len(found) > MOST_SPACES:
        print_note(f"note: {len(found)} other vectors are cached; {MOST_SPACES} are tried")
    for space in found[:MOST_SPACES]:
        yield _name_of(space), space, keys


def _name_of(space: Space) -> str:
    layers = ", ".join(map(str, space.spec.layers))
    named = space.model.rstrip("/").rpartition("/")[2] or "encoder"
    return f"{named}, layer {layers}" if layers else named


def _not_cached(case: Case, found: bool) -> list[Gain]:
    """Return other vectors whose gain is not known, with the command that measures it."""
    if case.config is None or case.tables.vectors is None or found:
        return []
    command = f"manyheads layers{_data(case)}"
    return [
        Gain(
            "layer",
            "another layer or encoder: none is cached",
            "not measured",
            labour=command,
            command=command,
        )
    ]


def _data(case: Case) -> str:
    """Return the options that name data and vectors, with a space before them, or ''."""
    assert case.config is not None
    found = with_data(case.config, "{data}").strip()
    return f" {found}" if found else ""


def _command(
    case: Case, settings: tuple[tuple[str, object], ...] = (), layout: str = ""
) -> str:
    if case.config is None:
        return ""
    return train_command(changed_config(case.config, settings, layout=layout))


def _space_command(case: Case, space: Space) -> str:
    if case.config is None or not space.model:
        return ""
    layers = ",".join(map(str, space.spec.layers))
    own = replace(case.config.vectors, encoder=space.model, layers=layers)
    return train_command(replace(case.config, vectors=own))


def _audit(case: Case) -> str:
    return "" if case.config is None else f"{AUDIT}{_data(case)}"
