"""Measures of the benchmark, from its records: counts with Wilson intervals, and the table.

A record is one line of the journal. ``truth`` lines say of a case whether its fault takes
effect, or whether it is healthy; ``run`` lines what was said of one of its seeds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Line = Mapping[str, Any]

FAULT, HEALTHY, HARMLESS, EXCLUDED = "fault", "healthy", "harmless", "excluded"
"""What a case is; excluded: a healthy candidate that one change makes better."""

DOCTOR, QUIET = "doctor", "doctor without counterfactuals"
FOREST, RATE = "random forest", 'always "learning rate"'
RANDOM, TRIED = "random changes", "ten counterfactuals, no doctor"

SETTINGS = (
    "step_too_large",
    "step_too_small",
    "too_few_steps",
    "unstable",
    "dead_or_saturated",
    "long_last_state",
    "overfit",
    "over_regularised",
    "too_small_head",
    "loss_distorted",
    "imbalance",
)
"""Causes that a setting mends, so that a remedy can be applied and measured."""


@dataclass(frozen=True)
class Share:
    """So many of so many, with Wilson's 95 % interval."""

    hits: int
    total: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return the interval in [0, 1]; (0, 1) of nothing."""
        if not self.total:
            return 0.0, 1.0
        z, share, total = 1.959964, self.hits / self.total, self.total
        centre = (share + z * z / (2 * total)) / (1 + z * z / total)
        spread = share * (1 - share) / total + z * z / (4 * total * total)
        half = z * spread**0.5 / (1 + z * z / total)
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        if not self.total:
            return "-"
        low, high = self.interval
        return (
            f"{self.hits}/{self.total} = {self.hits / self.total:.0%} ({low:.0%} to {high:.0%})"
        )


def share(values: Iterable[bool]) -> Share:
    """Return how many are true."""
    kept = list(values)
    return Share(sum(kept), len(kept))


@dataclass(frozen=True)
class Judged:
    """Answers of one voice to all runs, beside the truth of their cases."""

    lines: tuple[Line, ...]
    truths: Mapping[str, Line]
    voice: str

    def kind(self, line: Line) -> str:
        """Return what the case of a run is."""
        return str(self.truths[line["case"]]["kind"])

    def causes(self, line: Line) -> list[list[str]]:
        """Return what was said: one list of possible causes for each statement, in order."""
        said: list[list[str]] = line["said"][self.voice]["causes"]
        return said

    def alarm(self, line: Line) -> bool:
        """Return whether anything was stated as a fault."""
        return bool(line["said"][self.voice]["alarm"])

    def silent(self, line: Line) -> bool:
        """Return whether nothing was stated, or only what is said to cost nothing."""
        harmless = line["said"][self.voice].get("harmless", ())
        return not self.alarm(line) or (bool(harmless) and all(harmless))

    def right(self, line: Line, among: int) -> bool:
        """Return whether one of the first statements names a right cause."""
        right = set(self.truths[line["case"]]["right"])
        return any(right & set(one) for one in self.causes(line)[:among])

    def of(self, *kinds: str) -> list[Line]:
        """Return the runs of cases of some kinds."""
        return [line for line in self.lines if self.kind(line) in kinds]


def judge(records: Iterable[Line], voice: str) -> Judged:
    """Return the last answers of one voice; runs that it did not answer are left out."""
    kept = list(records)
    truths = {line["case"]: line for line in kept if line["record"] == "truth"}
    runs = {
        (line["case"], line["seed"]): line
        for line in kept
        if line["record"] == "run" and line["case"] in truths and voice in line["said"]
    }
    return Judged(tuple(runs.values()), truths, voice)


def voices(records: Iterable[Line]) -> list[str]:
    """Return the names of all that answered, the doctor first."""
    found = dict.fromkeys(
        name for line in records if line["record"] == "run" for name in line["said"]
    )
    return sorted(found, key=lambda name: (not name.startswith("doctor"), name))


def by_cause(judged: Judged, among: int) -> dict[str, Share]:
    """Return for each seeded cause how often one of the first statements is right."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for line in judged.of(FAULT):
        for cause in judged.truths[line["case"]]["seeded"]:
            groups[cause].append(judged.right(line, among))
    return {cause: share(values) for cause, values in sorted(groups.items())}


def macro(shares: Mapping[str, Share]) -> float:
    """Return the mean of the shares of the causes, each counted once."""
    values = [each.hits / each.total for each in shares.values() if each.total]
    return float(np.mean(values)) if values else float("nan")


def proven(judged: Judged) -> tuple[Share, Share]:
    """Return how many statements marked proven are right, and how many right are proven."""
    marked, right_ones = [], []
    for line in judged.of(FAULT, HEALTHY, HARMLESS):
        if judged.kind(line) == HARMLESS and judged.silent(line):
            continue
        right = set(judged.truths[line["case"]]["right"])
        said = line["said"][judged.voice]
        for causes, how in zip(said["causes"], said.get("certain", ()), strict=False):
            hit = bool(right & set(causes))
            if how in ("proven", "measured"):
                marked.append(hit)
            if hit:
                right_ones.append(how in ("proven", "measured"))
    return share(marked), share(right_ones)


def repair(judged: Judged) -> tuple[Share, float]:
    """Return how often the remedy regains 80 % of what was lost, and the mean regained.

    Only runs count whose fault a setting mends, a remedy that was not given regains nothing.
    """
    regained = []
    for line in judged.of(FAULT):
        truth = judged.truths[line["case"]]
        if set(truth["seeded"]) <= set(SETTINGS):
            value = line["said"][judged.voice].get("regained")
            regained.append(0.0 if value is None else float(value))
    mean = float(np.mean(np.clip(regained, -1, 1))) if regained else float("nan")
    return share(value >= 0.8 for value in regained), mean


def truth_told(judged: Judged) -> Share:
    """Return how often the true score of a leak or a shift is stated.

    That is within 5 points, or within the noise of the texts that it rests on.
    """
    found = []
    for line in judged.of(FAULT):
        if judged.truths[line["case"]]["effect"] == "untruth":
            said = line["said"][judged.voice]
            told, texts = said.get("told"), said.get("texts", 0)
            noise = 0.0 if not texts or told is None else (told * (100 - told) / texts) ** 0.5
            found.append(told is not None and abs(told - line["fresh"]) <= max(5, 1.96 * noise))
    return share(found)


def cost(judged: Judged) -> tuple[float, float]:
    """Return the median time, and that of 95 %, in trainings of the run's own."""
    ratios = [
        line["said"][judged.voice]["seconds"] / max(line["seconds"], 1e-3)
        for line in judged.lines
        if line["said"][judged.voice].get("seconds") is not None
    ]
    if not ratios:
        return float("nan"), float("nan")
    return float(np.median(ratios)), float(np.quantile(ratios, 0.95))


def steady(judged: Judged) -> Share:
    """Return for how many cases with all three seeds answered the verdict is the same."""
    verdicts: dict[str, list[Any]] = defaultdict(list)
    for line in judged.lines:
        first = judged.causes(line)[:1] if judged.alarm(line) else []
        verdicts[line["case"]].append(tuple(first[0]) if first else judged.alarm(line))
    return share(len(set(each)) == 1 for each in verdicts.values() if len(each) >= 3)


def table(records: Sequence[Line]) -> str:
    """Return the comparison as a Markdown table, one row for each voice."""
    head = (
        "| who | false alarms (healthy) | silent on harmless | detected | first right | "
        "macro | among three | proven right | repaired | mean regained | cost, median |"
    )
    rows = [head, "|" + "---|" * 11]
    for voice in voices(records):
        judged = judge(records, voice)
        faults, first = judged.of(FAULT), by_cause(judged, 1)
        marked, _ = proven(judged)
        repaired, mean = repair(judged)
        has_remedy = any("regained" in line["said"][voice] for line in faults)
        cells = (
            voice,
            share(judged.alarm(line) for line in judged.of(HEALTHY)),
            share(judged.silent(line) for line in judged.of(HARMLESS)),
            share(judged.alarm(line) for line in faults),
            share(judged.right(line, 1) for line in faults),
            f"{macro(first):.0%}" if first else "-",
            share(judged.right(line, 3) for line in faults),
            marked,
            repaired if has_remedy else "-",
            f"{mean:.0%}" if has_remedy and mean == mean else "-",
            _number(cost(judged)[0]),
        )
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1f}"


def causes_table(records: Sequence[Line], voice: str = DOCTOR) -> str:
    """Return for one voice the right first statements by seeded cause, and what it said."""
    judged = judge(records, voice)
    rows = ["| seeded | first right | among three | said first |", "|---|---|---|---|"]
    three = by_cause(judged, 3)
    for cause, first in by_cause(judged, 1).items():
        said = Counter(
            "/".join(judged.causes(line)[0]) if judged.causes(line) else "nothing"
            for line in judged.of(FAULT)
            if cause in judged.truths[line["case"]]["seeded"]
        )
        words = ", ".join(f"{name} {count}" for name, count in said.most_common(4))
        rows.append(f"| {cause} | {first} | {three[cause]} | {words} |")
    return "\n".join(rows)


def false_table(records: Sequence[Line], voice: str = DOCTOR) -> str:
    """Return the false alarms and the wrong proofs, one row each: every one is published."""
    judged = judge(records, voice)
    rows = ["| case | seed | said | certainty |", "|---|---|---|---|"]
    for line in judged.of(HEALTHY, HARMLESS, FAULT):
        if judged.kind(line) == HARMLESS and judged.silent(line):
            continue
        said = line["said"][voice]
        right = set(judged.truths[line["case"]]["right"])
        certain = said.get("certain", ())
        for causes, how in zip(said["causes"], certain, strict=False):
            sure = how in ("proven", "measured")
            if not right & set(causes) and (sure or judged.kind(line) == HEALTHY):
                rows.append(f"| {line['case']} | {line['seed']} | {'/'.join(causes)} | {how} |")
    return "\n".join(rows)


def report(records: Sequence[Line], half: str) -> str:
    """Return the whole report as Markdown."""
    truths = [line for line in records if line["record"] == "truth"]
    kinds = Counter(line["kind"] for line in truths)
    failed = [line for line in records if line["record"] == "error"]
    judged = judge(records, DOCTOR)
    lines = [
        f"## The {half} half",
        "",
        f"{len(truths)} cases: "
        + ", ".join(f"{kinds[name]} {name}" for name in (FAULT, HARMLESS, HEALTHY, EXCLUDED))
        + f"; {len(failed)} failed. Intervals are Wilson's, 95 %; the three seeds of a case "
        "are not independent, so they are somewhat too narrow.",
        "",
        table(records),
    ]
    if judged.lines:
        marked, right = proven(judged)
        unknown = share(line["said"][DOCTOR]["state"] == "unknown" for line in judged.lines)
        median, most = cost(judged)
        seconds = float(np.median([line["said"][DOCTOR]["seconds"] for line in judged.lines]))
        lines += [
            "",
            f"Statements marked proven or measured that are right: {marked}. Right ones that "
            f"are so marked: {right}. Unknown: {unknown}. Cost: median {median:.1f}, 95 % "
            f"{most:.1f} trainings; median {seconds:.0f} s. True score of a leak or shift "
            f"told: {truth_told(judged)}. Same verdict over three seeds: {steady(judged)}.",
            "",
            causes_table(records),
            "",
            "Wrong and sure, and every false alarm:",
            "",
            false_table(records),
        ]
    return "\n".join(lines) + "\n"
