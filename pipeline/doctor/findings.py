"""What is said: a suspicion by a rule, a finding after proof, the verdict as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pipeline.doctor.counterfactual import Counterfactual
    from pipeline.doctor.measurements import Measurements

Certainty = Literal["proven", "measured", "likely", "not told apart"]
"""Proven by a counterfactual; measured: a copy or an invariance was counted, no guess is left;
likely: signals alone; not told apart: two causes explain the same and nothing decided."""


@dataclass(frozen=True)
class Evidence:
    """One number with what it is compared with.

    Attributes:
        what: in words, such as ``change of the weights in one step``.
        value: as shown, such as ``8 %``.
        comparison: what is usual or should be, such as ``about 0.1 % is usual``.
    """

    what: str
    value: str
    comparison: str

    @property
    def sentence(self) -> str:
        """Return it as ``what: value (comparison)``."""
        return f"{self.what}: {self.value} ({self.comparison})"


@dataclass(frozen=True)
class Remedy:
    """The one change that mends it.

    Attributes:
        words: what to do, as an imperative without a full stop.
        settings: settings to change, as text; the command is made of them.
        head: another head, '' the same.
        layout: of its vectors; '' that of the run, or of another head its own.
        command: given where it is not a training with changed settings, such as
            ``manyheads audit``; ``{data}`` stands for the options that name the data.
        options: options of ``train`` to change, such as ``(("split_column", "none"),)``, by the
            names of ``features.options.to_values``.
        stops: whether no setting can help; then no training is offered.
        also: a second command, such as one that lists rows; ``{data}`` as above.
    """

    words: str
    settings: tuple[tuple[str, str], ...] = ()
    head: str = ""
    layout: str = ""
    command: str = ""
    options: tuple[tuple[str, str], ...] = ()
    stops: bool = False
    also: str = ""


@dataclass(frozen=True)
class Suspicion:
    """What a rule says of measurements.

    Attributes:
        strength: how well the signals fit, in [0, 1]; below 0.3 is not worth a counterfactual.
        headline: the symptom in the user's words, with its numbers, one sentence.
        explanation: the cause, one sentence without "Cause:", such as ``the step size is too
            large``.
        evidence: at most three.
        counterfactuals: that would confirm it, the cheapest first.
        remedy: what mends it.
        measured: whether the measurements alone leave no doubt (a counted copy, an invariance).
        excludes: names of causes that these measurements speak against.
    """

    strength: float
    headline: str
    explanation: str
    evidence: tuple[Evidence, ...]
    remedy: Remedy
    counterfactuals: tuple[Counterfactual, ...] = ()
    measured: bool = False
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CounterfactualResult:
    """One change that was tried.

    Attributes:
        change: in words, ``learning_rate 0.1 -> 0.0023``.
        measure: what ``before`` and ``after`` are, ``accuracy``.
        before, after: on the same validation texts.
        interval: of after - before, at the level that the number of tries asks for.
        verdict: what it says of the cause.
        seconds: it took.
        command: repeats it; '' where none does.
        texts: how many were compared.
        curve: validation accuracy by epoch of the changed training; () where none was made.
        paired: whether before and after are of the same texts.
        parts: of the texts that were held out in turn: the validation side, and parts of the
            training texts where that one left it open.
    """

    change: str
    measure: str
    before: float
    after: float
    interval: tuple[float, float]
    verdict: Literal["confirmed", "refuted", "open"]
    seconds: float
    command: str = ""
    texts: int = 0
    curve: tuple[float, ...] = ()
    paired: bool = True
    parts: int = 1


@dataclass(frozen=True)
class RuledOut:
    """A cause that it is not, with the number that says so."""

    cause: str
    why: str


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        cause: its name.
        certainty: see ``Certainty``.
        headline, explanation, evidence: of the suspicion.
        tried: counterfactuals, the deciding one first.
        remedy: what mends it.
        command: as it is to be typed; '' where no command helps.
        also: a second command, or ''.
        seconds: that the command will take, roughly; None where unknown.
        apart_from: with ``not told apart``: the other cause.
    """

    cause: str
    certainty: Certainty
    headline: str
    explanation: str
    evidence: tuple[Evidence, ...]
    remedy: Remedy
    tried: tuple[CounterfactualResult, ...] = ()
    command: str = ""
    also: str = ""
    seconds: float | None = None
    apart_from: str = ""


@dataclass(frozen=True)
class Unseen:
    """One thing that was not looked at.

    Attributes:
        words: one sentence.
        late: whether time was short, so that a larger budget helps: that is always told.
    """

    words: str
    late: bool = False


@dataclass(frozen=True)
class Afterwards:
    """What is found with the leading remedy in place.

    Attributes:
        state: as of a verdict.
        summary: one sentence.
        accuracy: of the head then, on validation; None where it could not be measured.
        findings: the leading one first; its command has both remedies.
    """

    state: Literal["ill", "healthy", "unknown"]
    summary: str
    accuracy: float | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The answer of the doctor.

    Attributes:
        state: ``ill`` with findings; ``healthy``; ``unknown``: something is wrong, and no cause
            could be named.
        summary: one sentence, for ``healthy`` and ``unknown``.
        findings: the leading one first.
        ruled_out: what it is not.
        not_looked_at: what was left out.
        measurements: that all this rests on.
        seconds: the examination took.
        then: with the leading remedy in place; None where that could not be looked at.
    """

    state: Literal["ill", "healthy", "unknown"]
    summary: str
    findings: tuple[Finding, ...]
    ruled_out: tuple[RuledOut, ...]
    not_looked_at: tuple[Unseen, ...]
    measurements: Measurements
    seconds: float = 0.0
    then: Afterwards | None = None

    @property
    def leading(self) -> Finding | None:
        """Return the finding that is told first."""
        return self.findings[0] if self.findings else None
