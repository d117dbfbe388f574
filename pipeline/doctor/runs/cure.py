"""``manyheads doctor --cure``: train with the proven remedies; keep the best that helps.

The leading remedy comes first, then it together with what is still wrong with it in place,
then those of the other findings. Each is compared with the run on the validation texts, text
by text, all of them together as the changes of an examination are; test scores decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from pipeline.command_line import as_typed, train_command
from pipeline.config import ExperimentConfig
from pipeline.console import table
from pipeline.doctor.case import Case
from pipeline.doctor.commands import remedy_config
from pipeline.doctor.counterfactual import Trial
from pipeline.doctor.findings import Finding, Remedy, Verdict
from pipeline.doctor.proving.judgement import judge
from pipeline.evaluation.evaluation import Score, score
from pipeline.runs.reader import read_held_out

CERTAIN = ("proven", "measured")
"""Of a finding whose remedy is applied without asking."""

MOST = 3
"""Remedies that are tried; each is a whole training."""

MACRO_F1 = "macro-F1"


@dataclass(frozen=True)
class Cure:
    """A remedy that was trained, beside the run.

    Attributes:
        run: folder of the new one.
        command: that trains it.
        before, after: scores on validation.
        words: what was changed.
        measure: that it is judged by: accuracy, or macro-F1 where that proved the cause.
        difference: of the measure, after - before, over the same texts; None where the remedy
            deals the texts anew, so that these are other texts.
        interval: of the difference, at the level that the number of remedies asks for.
        proven_on: texts that the proof of its cause rests on; 0: it was not proven by training.
    """

    run: Path
    command: str
    before: Score
    after: Score
    words: str = ""
    measure: str = "accuracy"
    difference: float | None = None
    interval: tuple[float, float] | None = None
    proven_on: int = 0

    @property
    def helps(self) -> bool:
        """Return whether it gains beyond noise, or its score is the one to believe."""
        return self.interval is None or self.interval[0] > 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run": str(self.run),
            "command": self.command,
            "words": self.words,
            "before": _values(self.before),
            "after": _values(self.after),
            "measure": self.measure,
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "helps": self.helps,
        }

    @property
    def told(self) -> str:
        """Return the difference in words."""
        if self.difference is None or self.interval is None:
            return "other texts"
        low, high = (100 * end for end in self.interval)
        named = "" if self.measure == "accuracy" else f" of {self.measure}"
        return f"{100 * self.difference:+.1f} points{named} ({low:+.1f} to {high:+.1f})"


@dataclass(frozen=True)
class Cures:
    """All remedies that were trained.

    Attributes:
        tried: in the order in which they were trained; () where none could be.
        why_not: sentence on why nothing was trained; '' otherwise.
    """

    tried: tuple[Cure, ...] = ()
    why_not: str = ""

    @property
    def best(self) -> Cure | None:
        """Return the one to keep: what helps most; None where none does."""
        helping = [each for each in self.tried if each.helps]
        return max(helping, key=lambda each: each.difference or 0.0, default=None)

    def to_text(self) -> str:
        """Return the run and all remedies as a table, and which one is kept."""
        if not self.tried:
            return f"Nothing was trained: {self.why_not}"
        named = [("before", self.tried[0].before)]
        single = len(self.tried) == 1
        named += [
            ("after" if single else f"remedy {number}", each.after)
            for number, each in enumerate(self.tried, 1)
        ]
        rows = [(name, *each.cells, f"{each.texts:,}") for name, each in named]
        header = ("", "accuracy", "macro-F1", "95 % interval", "validation texts")
        lines = [table(header, rows, "<>>>>")]
        if not single:
            lines += [
                f"Remedy {number}, {each.words}: {each.told}."
                for number, each in enumerate(self.tried, 1)
            ]
        return "\n".join([*lines, self._sentence(), *self._runs()])

    def _sentence(self) -> str:
        best = self.best
        if best is None:
            return self._none_helps()
        if best.difference is None:
            return (
                "The remedy deals the texts anew, so these are other texts: the second score "
                "is the one to believe."
            )
        return f"Cured, on the same validation texts: {best.told}."

    def _none_helps(self) -> str:
        first, single = self.tried[0], len(self.tried) == 1
        found = first.told if single else "no remedy helps"
        told = f"Not cured, on the same validation texts: {found}. That is not beyond noise"
        if (first.difference or 0.0) > 0 and first.proven_on > first.before.texts:
            return (
                f"{told}, of {first.before.texts:,} texts. The change was proven on "
                f"{first.proven_on:,}, so the new run is likely the better one all the same."
            )
        return f"{told}, so keep the run as it is."

    def _runs(self) -> Iterator[str]:
        best = self.best
        for each in self.tried:
            kept = "New run, the one to keep" if each is best else "New run"
            yield f"{kept if len(self.tried) > 1 else 'New run'}: {each.run}"


def cure(
    verdict: Verdict,
    case: Case,
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> Cures:
    """Train with the remedies that are proven or measured and are a training.

    Args:
        verdict: of the case.
        case: of a run.
        load: as ``run_experiment`` takes it.

    Raises:
        InputError, FaultError: as ``run_experiment``.
    """
    why_not = _why_not(verdict, case)
    if why_not or case.config is None:
        return Cures(why_not=why_not)
    tried: list[Cure] = []
    trials: list[Trial | None] = []
    for remedy, measure, proven_on in _remedies(verdict):
        changed = remedy_config(case.config, remedy)
        if changed is None or len(tried) == MOST:
            continue
        made, trial = _train(case, changed, remedy, measure, load)
        tried.append(replace(made, proven_on=proven_on))
        trials.append(trial)
        if trial is None:
            break  # other texts: nothing else can be compared with them
    return Cures(_judged(tried, trials))


def _why_not(verdict: Verdict, case: Case) -> str:
    """Return why nothing can be trained; '' where it can."""
    leading = verdict.leading
    if case.config is None:
        return "these are arrays, of which no command can be made."
    if leading is None:
        known = verdict.state == "healthy"
        return "nothing is to be mended." if known else "no cause is known to be at fault."
    if leading.certainty not in CERTAIN:
        return f"that {leading.explanation} is {leading.certainty}, and nothing is proven."
    if remedy_config(case.config, leading.remedy) is None:
        return f"the remedy is no training: {leading.remedy.words}."
    return ""


def _remedies(verdict: Verdict) -> Iterator[tuple[Remedy, str, int]]:
    """Yield the remedies in the order in which they are tried, with the measure that judges,
    and on how many texts its cause was proven.
    """
    leading, *others = (each for each in verdict.findings if each.certainty in CERTAIN)
    yield leading.remedy, _measure(leading), _proven_on(leading)
    behind = () if verdict.then is None else verdict.then.findings
    for each in behind:
        if each.certainty in CERTAIN and not (each.remedy.stops or each.remedy.command):
            yield both(leading.remedy, each.remedy), _measure(leading), _proven_on(leading)
    for each in others:
        yield each.remedy, _measure(each), _proven_on(each)


def both(first: Remedy, second: Remedy) -> Remedy:
    """Return two remedies as one: what the second one sets counts."""
    settings = {**dict(first.settings), **dict(second.settings)}
    return replace(
        second,
        words=f"{first.words}, and {second.words}",
        settings=tuple(settings.items()),
        head=second.head or first.head,
        options=(*first.options, *second.options),
    )


def _proven_on(finding: Finding) -> int:
    """Return on how many texts a change of settings proved a cause."""
    proven = bool(finding.tried) and finding.tried[0].verdict == "confirmed"
    return finding.tried[0].texts if proven else 0


def _measure(finding: Finding) -> str:
    """Return what a remedy is judged by: macro-F1 where that proved the cause."""
    by_f1 = bool(finding.tried) and finding.tried[0].measure == MACRO_F1
    return MACRO_F1 if by_f1 else "accuracy"


def _train(
    case: Case,
    changed: ExperimentConfig,
    remedy: Remedy,
    measure: str,
    load: Callable[[EncoderModel], Encoder] | None,
) -> tuple[Cure, Trial | None]:
    """Train one remedy; the trial is None where it is of other texts."""
    from pipeline.training.experiment import run_experiment  # imports torch

    result = run_experiment(changed, load)
    held_out = read_held_out(result.run)
    kept = held_out.folds[0].validation
    rows, truth = case.validation, case.labels[case.validation]
    before, command = score(truth, case.predicted), as_typed(train_command(changed))
    made = Cure(result.run, command, before, kept.score(), remedy.words, measure)
    if not np.array_equal(kept.rows, rows):
        return made, None
    if measure == "accuracy":
        return made, Trial(case.right, kept.right)
    predicted = kept.probabilities[:, held_out.names.ids(case.classes)].argmax(axis=1)
    return made, Trial(case.predicted, predicted, MACRO_F1, "macro_f1", truth)


def _judged(tried: Sequence[Cure], trials: Sequence[Trial | None]) -> tuple[Cure, ...]:
    """Return the remedies with their differences, judged together."""
    known = [trial for trial in trials if trial is not None]
    found = iter(judge([(trial, "rises") for trial in known]))
    judged = []
    for each, trial in zip(tried, trials, strict=True):
        if trial is None:
            judged.append(each)
            continue
        one = next(found)
        judged.append(replace(each, difference=one.gain, interval=one.interval))
    return tuple(judged)


def _values(found: Score) -> dict[str, Any]:
    return {
        "accuracy": found.accuracy,
        "macro_f1": found.macro_f1,
        "accuracy_interval": list(found.accuracy_interval),
        "texts": found.texts,
    }
