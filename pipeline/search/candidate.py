"""Candidates: what one trial trains, and what came of it. Plain values, for the journal."""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

import numpy as np

from features.errors import CacheError
from features.messages import listed
from heads.ranges import Plain
from heads.registry import as_text, head_type, make_settings
from heads.settings import TrainingSettings

MAJORITY, TFIDF = "majority", "tfidf_logistic"
BASELINES = (MAJORITY, TFIDF)
"""Names that stand where others have that of a head."""


SHOWN = 11
"""Settings of a candidate that are shown; a preset has more, and trials.csv has all."""


@dataclass(frozen=True)
class Candidate:
    """A head with its settings and its vectors, or a baseline.

    Attributes:
        head: its name.
        settings: those that differ from the head's defaults, as numbers and text.
        layout: of the vectors; '' for a baseline, as the next two.
        encoder: name of the encoder.
        layers: of the encoder, as ``--layers`` takes them; None: its usual one.
    """

    head: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    layout: str = ""
    encoder: str = ""
    layers: str | None = None

    @property
    def key(self) -> str:
        """Return text that tells this candidate from every other; defaults do not count."""
        usual = {} if self.head in BASELINES else usual_settings(self.head)
        settings = {name: v for name, v in self.settings.items() if v != usual.get(name)}
        return json.dumps({**asdict(self), "settings": settings}, sort_keys=True)

    def words(self, encoders: bool = False) -> str:
        """Return it for people.

        Args:
            encoders: whether there are several, so that each must be named.
        """
        where = [self.layout, f"layers {self.layers}" if self.layers else ""]
        where += [self.encoder] if encoders else []
        own = [f"{name}={_short(value)}" for name, value in self.settings.items()]
        if len(own) > SHOWN:  # what is drawn stands last
            own = ["...", *own[-SHOWN:]]
        named = f" ({listed([each for each in where if each])})" if self.layout else ""
        return " ".join([f"{self.head}{named}", *own])


@cache
def usual_settings(head: str) -> dict[str, Plain]:
    """Return the defaults of a head's settings, as a candidate has them: plain values."""
    return {name: plain(v) for name, v in make_settings(head, {}).model_dump().items()}


def deterministic(candidate: Candidate) -> bool:
    """Return whether every seed gives the same head."""
    if candidate.head in BASELINES:
        return True
    return not issubclass(head_type(candidate.head).settings, TrainingSettings)


def plain(value: object) -> Plain:
    """Return a setting's value as a number or text."""
    return value if isinstance(value, Plain) else as_text(value)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value) or "none"


@dataclass(frozen=True)
class Job:
    """What is trained at once: a candidate with some seeds."""

    candidate: Candidate
    seeds: tuple[int, ...]

    @property
    def key(self) -> str:
        """Return text that tells this job from every other."""
        return f"{self.candidate.key} {list(self.seeds)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self.candidate), "seeds": list(self.seeds)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Job:
        """Return the job of plain values."""
        own = dict(values)
        seeds = tuple(own.pop("seeds"))
        return cls(Candidate(**own), seeds)


@dataclass(frozen=True)
class Outcome:
    """What a job came to, on the validation texts.

    Attributes:
        accuracy, loss: means over the seeds; the loss is infinite for a baseline.
        seconds: that it took.
        ended: seconds since 1970.
        epochs: of the first seed; 0 for a baseline.
        parameters: learned numbers of the head.
        curve: accuracy after each epoch of the first seed.
        right: for each seed, which validation texts are labelled rightly, as packed bits in
            base64; () if it was stopped early.
        stopped: whether it was stopped before its last epoch, since others did better.
        failed: why there is no result; '' if there is one.
    """

    accuracy: float = 0.0
    loss: float = math.inf
    seconds: float = 0.0
    ended: float = 0.0
    epochs: int = 0
    parameters: int = 0
    curve: tuple[float, ...] = ()
    right: tuple[str, ...] = ()
    stopped: bool = False
    failed: str = ""

    @property
    def whole(self) -> bool:
        """Return whether it was trained to the end."""
        return not (self.stopped or self.failed)

    def answers(self, texts: int) -> np.ndarray:
        """Return (seeds, texts) bool: which validation texts each seed labels rightly."""
        rows = [np.frombuffer(base64.b64decode(each), np.uint8) for each in self.right]
        return np.array([np.unpackbits(row, count=texts) for row in rows], dtype=bool)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; an infinite loss is None."""
        values = asdict(self)
        return {**values, "loss": self.loss if math.isfinite(self.loss) else None}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Outcome:
        """Return the outcome of plain values."""
        own = dict(values)
        own["loss"] = math.inf if own["loss"] is None else own["loss"]
        return cls(**{**own, "curve": tuple(own["curve"]), "right": tuple(own["right"])})


def packed(right: np.ndarray) -> str:
    """Return (n,) bool as packed bits in base64."""
    return base64.b64encode(np.packbits(right).tobytes()).decode("ascii")


@dataclass(frozen=True)
class Trial:
    """A finished job.

    Attributes:
        number: of its kind, from 0, in the order in which the jobs began.
        job, outcome: what was trained, and what came of it.
    """

    number: int
    job: Job
    outcome: Outcome

    @property
    def candidate(self) -> Candidate:
        """Return what was trained."""
        return self.job.candidate


ACCURACY, LOSS = "accuracy", "loss"
GOALS = (ACCURACY, LOSS)
"""What the trial that wins has the best of, on validation."""


def rank(trial: Trial, goal: str) -> tuple[float, float, float]:
    """Return what trials are ordered by: higher is better, the earlier of equal ones first."""
    outcome = trial.outcome
    best = outcome.accuracy, -outcome.loss
    return (*(best if goal == ACCURACY else best[::-1]), -outcome.parameters)


def ordered(trials: Sequence[Trial], goal: str) -> list[Trial]:
    """Return the trials that were trained to the end, the best first."""
    whole = [trial for trial in trials if trial.outcome.whole]
    return sorted(whole, key=lambda trial: rank(trial, goal), reverse=True)


def seconds_used(trials: Sequence[Trial], begun: Iterable[float] = ()) -> float:
    """Return for how long at least one of them was being trained.

    Args:
        begun: when further ones began, in seconds since 1970, that are still being trained.
    """
    now = time.time()
    spans = [(t.outcome.ended - t.outcome.seconds, t.outcome.ended) for t in trials]
    spans += [(start, now) for start in begun]
    used, until = 0.0, -math.inf
    for start, end in sorted(spans):
        used += max(0.0, end - max(start, until))
        until = max(until, end)
    return used


def damaged(reason: object, place: object) -> CacheError:
    """Return the error of a journal that cannot be read."""
    return CacheError(
        f"{place} is damaged ({reason}): remove the folder of the study, or begin another with "
        "--name"
    )
