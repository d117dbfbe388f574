"""``manyheads report RUN``: the page of one run.

the folder -> material -> facts, charts, data of the script -> template -> one HTML file
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.command_line import as_typed, audit_command, train_command
from pipeline.config import NEAR
from pipeline.console import one_line, short_label
from pipeline.evaluation.result import BlendResult, ExperimentResult, Scores
from pipeline.pages.audit_part import audit_part
from pipeline.pages.embedding import SCRIPTS, STYLES, as_script, asset, policy
from pipeline.pages.figures.charts import calibration_chart, coverage_chart, curves
from pipeline.pages.figures.confusion import (
    ConfusedPair,
    class_order,
    confused_pairs,
    counts_of,
)
from pipeline.pages.figures.coverage import coverage_table
from pipeline.pages.figures.diagnosis import diagnosis_chart
from pipeline.pages.material import Material
from pipeline.pages.payload import MAX_EXPLAINED, cut, payload
from pipeline.reports.report import (
    calibration_line,
    cost_lines,
    leaked_lines,
    part_lines,
)
from pipeline.reports.verdict import score_lines
from pipeline.templating import render

REPORT = "report.html"
"""Name of the page in a run folder."""

MOST_PAIRS, MOST_EXAMPLES = 10, 2
"""Confused pairs that are told with texts, and texts of each."""

LONGEST_EXAMPLE, LONGEST_NAME = 200, 60

NEXT = {
    "predict": "label a text",
    "export-model": "export the model",
    "train": "train another head on the same sides",
    "blend": "blend it with another run",
}
"""What the commands do that ``manyheads show`` names."""


@dataclass(frozen=True)
class PairRow:
    """A confused pair with some of its texts."""

    label: str
    predicted: str
    pair: ConfusedPair
    texts: tuple[str, ...]


def run_page(material: Material) -> str:
    """Return the page of a run."""
    tests, scores = material.tests, material.scores
    counts = counts_of(tests)
    places, meaning = material.places()
    data = payload(
        tests,
        material.listed,
        material.texts,
        counts,
        class_order(counts),
        material.errors,
        places,
    )
    lines = score_lines(scores)
    single = scores if isinstance(scores, ExperimentResult) else None
    return render_page(
        "report/run.html",
        data,
        title=f"{material.page.label}: {scores.head} on {material.page.facts.data_name}",
        headline=lines[0],
        lines=lines[1:],
        advice=[one_line(each) for each in scores.advice],
        notes=scores.notes,
        facts=list(facts_of(material)),
        scores=score_cells(scores),
        calibration=calibration_line(scores.calibration),
        breakdown=[*part_lines(single), *leaked_lines(single)] if single else [],
        cost=list(cost_lines(single)) if single else [],
        verdict=material.verdict,
        audit=audit_part(material.audit, material.corpus),
        diagnosis=diagnosis_chart(material.verdict) if material.verdict else None,
        curves=_curves(material),
        reliability=calibration_chart(tests),
        coverage=coverage_chart(tests),
        covered=coverage_table(tests.right, tests.confidence),
        pairs=_pairs(material, confused_pairs(counts, MOST_PAIRS)),
        classes=scores.classes,
        errors=len(data["errors"]),
        explained=min(MAX_EXPLAINED, len(data["errors"])) if material.errors else 0,
        texts=len(tests.labels),
        listed=len(material.listed.chosen),
        have_texts=material.corpus is not None,
        places=places,
        meaning=meaning,
        commands=_commands(material),
    )


def render_page(template: str, data: dict[str, Any], **values: Any) -> str:
    """Return a page with its style, script, data and policy."""
    style, script = asset(*STYLES), asset(*SCRIPTS)
    return render(
        template,
        style=style,
        script=script,
        policy=policy(style, script),
        data=as_script(data),
        **values,
    )


def facts_of(material: Material) -> Iterator[tuple[str, str]]:
    """Yield what was done to get the score of a run: what is told, and what it was."""
    page, asked = material.page, material.asked
    facts, resolved, scores = page.facts, page.config.resolved, material.scores
    rows = resolved.rows
    texts = rows.train + rows.validation + rows.test
    yield "data", f"{facts.data_name}: {texts:,} texts, {len(resolved.classes):,} classes"
    yield (
        "split",
        f"{rows.train:,} to train, {rows.validation:,} to validate, {rows.test:,} to test"
        + (f"; each text tested once in {scores.folds} folds" if scores.folds else ""),
    )
    if asked and asked.split_of:
        yield "sides", f"those of the run {Path(asked.split_of).name}"
    elif asked and asked.data.split == NEAR:
        yield "near-duplicates", "kept on one side, unless a split column decides"
    yield "encoder", facts.encoder
    if isinstance(scores, BlendResult):
        for i, (part, weight) in enumerate(zip(scores.parts, scores.weights, strict=True), 1):
            told = f"{part.run}: {part.head} on {part.layout} vectors, weight {weight:.2f}"
            yield f"part {i}", told
        return
    yield "head", f"{facts.head} on {facts.layout} vectors"
    changed = ", ".join(f"{name} = {value}" for name, value in page.changed.items())
    yield "settings that differ from the defaults", one_line(changed) or "none"
    if scores.seeds > 1:
        yield "seeds", f"{scores.seeds}"
    if resolved.device:
        yield "learned on", resolved.device


def score_cells(scores: Scores) -> list[dict[str, object]]:
    """Return the rows of the table of scores."""
    return [{"side": side, "name": name, "score": score} for side, name, score in scores.rows]


def _curves(material: Material) -> Sequence[object]:
    scores = material.scores
    if not isinstance(scores, ExperimentResult) or not material.history:
        return ()
    return curves(material.history, scores, material.page.config.resolved.seed)


def _pairs(material: Material, pairs: Sequence[ConfusedPair]) -> list[PairRow]:
    """Return the confused pairs with the surest texts of each that are known."""
    tests, names = material.tests, material.tests.names.all
    found = []
    for pair in pairs:
        chosen = (tests.labels == pair.label) & (tests.predicted == pair.predicted)
        at = chosen.nonzero()[0]
        surest = at[(-tests.confidence[at]).argsort(kind="stable")]
        texts = [material.texts.get(row) for row in tests.rows[surest].tolist()]
        known = [cut(text, LONGEST_EXAMPLE) or "" for text in texts if text is not None]
        label, predicted = names[pair.label], names[pair.predicted]
        found.append(
            PairRow(
                short_label(label, LONGEST_NAME),
                short_label(predicted, LONGEST_NAME),
                pair,
                tuple(known[:MOST_EXAMPLES]),
            )
        )
    return found


def _commands(material: Material) -> list[tuple[str, str]]:
    """Return what a command does, and the command."""
    page = material.page
    again = []
    if isinstance(material.scores, BlendResult):
        again = [("blend the same runs again", _blend_command(material.scores))]
    elif material.asked is not None:
        again = [("repeat this run", train_command(material.asked))]
    if material.asked is not None:
        audits = "write the page of the audit" if material.audit else "audit the texts"
        again.append((audits, audit_command(material.asked.data, material.asked.vectors)))
    for command in page.commands:
        what = NEXT.get(command.split()[1])
        if what:
            again.append((what, command))
    return [(what, as_typed(command)) for what, command in again]


def _blend_command(scores: BlendResult) -> str:
    """Return the command that blends the same runs in the same way."""
    runs = [part.run for part in scores.parts]
    if scores.weighting.kind == "selected":
        return shlex.join(["manyheads", "blend", *runs, *scores.weighting.left_out, "--select"])
    return shlex.join(["manyheads", "blend", *runs, "--weights", scores.weighting.kind])
