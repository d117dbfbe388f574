"""The verdict for people: at most nine lines, one cause, one command; and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pipeline.command_line import as_typed
from pipeline.console import one_line
from pipeline.doctor.findings import Afterwards, CounterfactualResult, Finding, Verdict
from pipeline.doctor.proving.judgement import LIKELIHOOD

VERSION = 1
"""Of the object that ``--json`` prints."""

DO, SEE, BOTH = "Do this:  ", "See also: ", "Do both:  "
COMMANDS = (DO, SEE, BOTH)
"""Begin lines with a command."""

SCORES = ("accuracy", "macro-F1", LIKELIHOOD)
"""Measures of a head on the validation texts."""

SHARES = ("accuracy", "macro-F1")
"""Measures that are told in per cent; others that lie in [0, 1] are, too."""


def verdict_text(verdict: Verdict, every: bool = False) -> str:
    """Return the verdict: the leading finding, or that there is none.

    Args:
        verdict: of an examination.
        every: tell all findings, and everything that was measured, tried and ruled out.
    """
    leading = verdict.leading
    if leading is None:
        lines = [verdict.summary]
        if verdict.state == "unknown" or every:
            lines += [*_ruled_out(verdict), *_end(verdict, every)]
        else:
            late = [one.words for one in verdict.not_looked_at if one.late]
            lines = [" ".join([verdict.summary, *late])]
        return "\n".join(map(_cleaned, lines))
    lines = [*finding_lines(leading), *_then_lines(verdict.then, leading)]
    if every:
        for other in verdict.findings[1:]:
            lines += ["", *finding_lines(other)]
        lines.append("")
    lines += [*_ruled_out(verdict), *_end(verdict, every)]
    return "\n".join(map(_cleaned, lines))


def _cleaned(line: str) -> str:
    """Return a line without what breaks it; a command stays as it is to be typed."""
    return line if line.startswith(COMMANDS) else one_line(line)


def finding_lines(finding: Finding) -> Iterator[str]:
    """Yield the lines of one finding: symptom, cause, proof, what to do."""
    yield finding.headline
    deciding = finding.tried[0] if finding.tried else None
    proven = deciding is not None and deciding.verdict == "confirmed"
    shown = finding.evidence[: 1 if proven else 3]
    numbers = " ".join(f"{_capital(each.sentence)}." for each in shown)
    word = finding.certainty[:1].upper() + finding.certainty[1:]
    explained = finding.explanation.rstrip(".")
    if finding.certainty == "not told apart":
        explained += f"; or: {finding.apart_from.rstrip('.')}"
        yield f"Cause, not told apart: {explained}. {numbers}".rstrip()
    elif finding.certainty == "measured":
        yield f"{word}: {explained}. {numbers}".rstrip()
    else:
        yield f"Cause, {finding.certainty}: {explained}. {numbers}".rstrip()
    if deciding is not None and (finding.certainty != "measured" or deciding.verdict != "open"):
        yield _trial_line(deciding)
    if finding.command:
        seconds = "" if finding.seconds is None else f"  (about {finding.seconds:.0f} s)"
        yield f"{DO}{as_typed(finding.command)}{seconds}"
    else:
        yield f"{DO}{finding.remedy.words}."
    if finding.also:
        yield f"{SEE}{as_typed(finding.also)}"
    if finding.remedy.stops and "no setting" not in finding.remedy.words:
        yield "No setting of the head can help."


def _then_lines(then: Afterwards | None, leading: Finding) -> Iterator[str]:
    """Yield what is found with the leading remedy in place: one line, and what to do.

    A remedy without a command of its own, such as labels moved back, is in no command.
    """
    if then is None:
        return
    if not then.findings:
        told = then.summary[:1].lower() + then.summary[1:]
        yield f"With it in place: {told.replace('nothing to mend', 'nothing more to mend', 1)}"
        return
    finding = then.findings[0]
    reached = "" if then.accuracy is None else f" (accuracy {then.accuracy:.1%})"
    explained = f"{finding.explanation.rstrip('.')}, {finding.certainty}"
    if finding.tried and finding.certainty == "proven":
        deciding = finding.tried[0]
        ends = f"{_value(deciding, deciding.before)} -> {_value(deciding, deciding.after)}"
        explained += f" ({deciding.change}: {deciding.measure} {ends})"
    yield f"With it in place{reached}, then still: {explained}."
    settings = leading.command and not (leading.remedy.command or leading.remedy.stops)
    if settings and finding.command and not finding.remedy.command:
        yield f"{BOTH}{as_typed(finding.command)}"
        return
    yield f"Then also: {finding.remedy.words}."
    if finding.command:
        yield f"{SEE}{as_typed(finding.command)}"


def _trial_line(tried: CounterfactualResult) -> str:
    same = ""
    if tried.paired and tried.measure in SCORES:
        same = ", same validation texts"
        if tried.parts > 1:
            same = f", same {tried.texts:,} texts, held out in {tried.parts} parts"
    doubt = {"confirmed": "", "open": ": not enough to tell", "refuted": ": no help"}
    told = f"Only that changed ({tried.change}){same}: "
    return f"{told}{difference_words(tried)}{doubt[tried.verdict]}."


def difference_words(tried: CounterfactualResult) -> str:
    """Return what a change made: ``accuracy 51.0% -> 60.8% (+4 to +15 points)``."""
    numbers = f"{tried.measure} {_value(tried, tried.before)} -> {_value(tried, tried.after)}"
    low, high = tried.interval
    if _is_share(tried):
        return f"{numbers} ({100 * low:+.0f} to {100 * high:+.0f} points)"
    return f"{numbers} ({low:+.2f} to {high:+.2f})"


def _is_share(tried: CounterfactualResult) -> bool:
    ends = (tried.before, tried.after)
    return tried.measure in SHARES or all(0 <= each <= 1 for each in ends)


def _value(tried: CounterfactualResult, value: float) -> str:
    return f"{value:.1%}" if _is_share(tried) else f"{value:.2f}"


def _ruled_out(verdict: Verdict) -> list[str]:
    if not verdict.ruled_out:
        return []
    return [f"Ruled out: {', '.join(one.why for one in verdict.ruled_out)}."]


def _end(verdict: Verdict, every: bool) -> list[str]:
    more = len(verdict.findings) - 1
    others = f" {more} more: --all." if more > 0 and not every else ""
    unseen = verdict.not_looked_at
    told = [one.words for n, one in enumerate(unseen) if every or n == 0 or one.late]
    return [f"{verdict.seconds:.0f} s. {' '.join(told)}{others}"]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def verdict_values(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as plain values for JSON."""
    ruled_out = [asdict(one) for one in verdict.ruled_out]
    return {
        "version": VERSION,
        "state": verdict.state,
        "summary": verdict.summary,
        "findings": [finding_values(one, ruled_out) for one in verdict.findings],
        "then": None if verdict.then is None else _then_values(verdict.then),
        "ruled_out": ruled_out,
        "not_looked_at": [one.words for one in verdict.not_looked_at],
        "measurements": verdict.measurements.to_dict(),
        "seconds": round(verdict.seconds, 3),
    }


def _then_values(then: Afterwards) -> dict[str, Any]:
    return {
        "state": then.state,
        "summary": then.summary,
        "accuracy": then.accuracy,
        "findings": [finding_values(one, []) for one in then.findings],
    }


def finding_values(finding: Finding, ruled_out: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one finding as plain values."""
    tried = [
        asdict(one) | {"interval": list(one.interval), "curve": list(one.curve)}
        for one in finding.tried
    ]
    return {
        "cause": finding.cause,
        "certainty": finding.certainty,
        "headline": finding.headline,
        "explanation": finding.explanation,
        "evidence": [asdict(one) for one in finding.evidence],
        "counterfactual": tried[0] if tried else None,
        "tried": tried,
        "remedy": {
            "words": finding.remedy.words,
            "command": finding.command,
            "also": finding.also,
            "seconds": finding.seconds,
            "stops": finding.remedy.stops,
        },
        "apart_from": finding.apart_from,
        "ruled_out": ruled_out,
    }
