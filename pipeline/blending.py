"""``manyheads blend``: several finished runs -> one more run, the mean of what they say.

find the runs -> what they held out -> blend -> scores -> run folder
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.errors import CacheError, SettingError
from heads.calibration import BINS, error_by_chance, reliability
from pipeline.blend import Blended, blend
from pipeline.blend_folder import BLEND, copy_parts, write_blend_file
from pipeline.breakdown import CLASSES, ClassScore, class_scores, write_classes
from pipeline.evaluation import Difference, Evaluation, Score, difference, pooled
from pipeline.held_out import HeldOut, read_held_out, write_held_out
from pipeline.record import draw_test
from pipeline.report import (
    BASELINE_NAMES,
    SCORE_HEADER,
    calibration_line,
    class_lines,
    score_row,
    spread_lines,
)
from pipeline.results import Calibration
from pipeline.runs import (
    CONFIG,
    ENVIRONMENT,
    METRICS,
    environment,
    find_run,
    new_run,
    read_json,
    run_name,
    write_json,
)
from pipeline.spread import Spread

NAME = "blend"


@dataclass(frozen=True)
class Part:
    """A run that is blended, and what it scores by itself.

    Attributes:
        run: its name.
        head, layout: what was trained on what.
        validation, test: its scores.
    """

    run: str
    head: str
    layout: str
    validation: Score
    test: Score


@dataclass(frozen=True)
class BlendResult:
    """What a blend gave.

    Attributes:
        run: its folder.
        parts: the runs, in the order given.
        best: the place among them of the one that validates best.
        validation, test: scores of the blend; with folds, of all of them pooled.
        gain_validation, gain_test: by how much it is more often right than the best part.
        baselines: test scores of what it must beat, by name.
        seeds, folds: how many blends over_seeds has, and how many folds; 0 without.
        over_seeds: test scores over the seeds, each blended with its like; None of one.
        over_folds: test scores over the folds; None without folds.
        classes: the test scores of each class.
        calibration: of the test probabilities; before is the mean as it is.
        copied: test texts with a near-copy among the training texts of the first part.
    """

    run: Path
    parts: tuple[Part, ...]
    best: int
    validation: Score
    test: Score
    gain_validation: Difference
    gain_test: Difference
    baselines: Mapping[str, Score]
    seeds: int
    folds: int
    over_seeds: Spread | None
    over_folds: Spread | None
    classes: tuple[ClassScore, ...]
    calibration: Calibration
    copied: int
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values: what ``--json`` prints and ``metrics.json`` holds."""
        values = {**asdict(self), "run": str(self.run), "head": NAME}
        del values["exit_code"]
        return values

    def to_text(self) -> str:
        """For people: the blend beside its parts, and whether it is better than the best."""
        blocks = [_scores(self), list(_gains(self)), _spreads(self), class_lines(self.classes)]
        blocks.append([*_copied(self), calibration_line(self.calibration), f"run: {self.run}"])
        return "\n\n".join("\n".join(block) for block in blocks if block)


def run(parsed: argparse.Namespace) -> BlendResult:
    """``manyheads blend``."""
    return run_blend(parsed.parts, parsed.runs)


def run_blend(names: Sequence[str], runs: Path) -> BlendResult:
    """Blend finished runs and write the run folder of the blend.

    Args:
        names: of 2 or more runs, as ``find_run`` takes them.
        runs: the folder of runs.

    Raises:
        SettingError: too few runs, one twice, or runs that are of other texts or sides.
        CacheError: there is no such run, or it is damaged.
    """
    folders = _folders(names, runs)
    held_out = [read_held_out(folder) for folder in folders]
    blended = blend(held_out, [folder.name for folder in folders])
    described = {NAME: [folder.name for folder in folders]}
    metrics = [read_json(folder / METRICS) for folder in folders]
    try:
        result = _result(runs, folders, metrics, held_out, blended)
    except (KeyError, TypeError) as error:
        raise CacheError(
            f"a {METRICS} of the runs is damaged ({error}): train them again"
        ) from error
    with new_run(runs, run_name(NAME, described, datetime.now(UTC))) as opened:
        result = replace(result, run=opened.final)
        _write(opened.folder, folders, described, blended, result)
    return replace(result, run=opened.final)


def _folders(names: Sequence[str], runs: Path) -> list[Path]:
    if len(names) < 2:
        raise SettingError(f"a blend takes two runs or more; got {len(names)}")
    folders = [find_run(name, runs) for name in names]
    places = [folder.resolve() for folder in folders]
    for place, folder in enumerate(folders):
        if places[place] in places[:place]:
            raise SettingError(f"the run {folder.name} is named twice: it would count twice")
        if (folder / BLEND).is_file():
            raise SettingError(
                f"the run {folder.name} is a blend itself: name the runs that it is made of"
            )
    return folders


def _result(
    run: Path,
    folders: Sequence[Path],
    metrics: Sequence[Mapping[str, Any]],
    held_out: Sequence[HeldOut],
    blended: Blended,
) -> BlendResult:
    """Everything that is measured; the run folder is filled in later."""
    sides = [
        (
            pooled([fold.validation for fold in part.folds]),
            pooled([fold.test for fold in part.folds]),
        )
        for part in held_out
    ]
    parts = tuple(
        Part(folder.name, each["head"], each["layout"], validation.score(), test.score())
        for folder, each, (validation, test) in zip(folders, metrics, sides, strict=True)
    )
    best = max(range(len(parts)), key=lambda place: parts[place].validation.accuracy)
    test = blended.test
    folds = len(blended.held_out.folds)
    return BlendResult(
        run=run,
        parts=parts,
        best=best,
        validation=blended.validation.score(),
        test=test.score(),
        gain_validation=difference(blended.validation, sides[best][0]),
        gain_test=difference(test, sides[best][1]),
        baselines={name: Score.of(each) for name, each in metrics[0]["baselines"].items()},
        seeds=blended.seeds,
        folds=folds if folds > 1 else 0,
        over_seeds=blended.over_seeds,
        over_folds=blended.over_folds,
        classes=class_scores(test, blended.held_out.names.all),
        calibration=_calibration(test, blended.temperatures[0]),
        copied=metrics[0]["copied"],
    )


def _calibration(test: Evaluation, temperature: float) -> Calibration:
    return Calibration(
        temperature=temperature,
        error_before=reliability(test.labels, test.plain).error,
        error_after=reliability(test.labels, test.probabilities).error,
        error_by_chance=error_by_chance(test.probabilities),
        bins=BINS,
    )


def _write(
    folder: Path,
    runs: Sequence[Path],
    described: Mapping[str, Any],
    blended: Blended,
    result: BlendResult,
) -> None:
    """Fill the run folder. ``metrics.json`` comes last: where it is, the rest is."""
    held_out = blended.held_out
    copy_parts(runs, folder)
    write_blend_file(folder, blended.held_out.names.classes, blended.temperatures[0])
    write_json(folder / CONFIG, described)
    write_json(folder / ENVIRONMENT, environment())
    write_held_out(folder, held_out)
    write_classes(folder / CLASSES, result.classes)
    low, high = result.test.accuracy_interval
    title = (
        f"blend of {len(result.parts)} runs: test accuracy {result.test.accuracy:.1%} "
        f"({low:.1%} to {high:.1%})"
    )
    draw_test(folder, blended.test, held_out.names, blended.temperatures, title)
    write_json(folder / METRICS, result.to_dict())


def _scores(result: BlendResult) -> list[str]:
    lines = [SCORE_HEADER, score_row("validation", NAME, result.validation)]
    named = [(f"{i}: {part.head}", part) for i, part in enumerate(result.parts, start=1)]
    lines += [score_row("", name, part.validation) for name, part in named]
    lines.append(score_row("test", NAME, result.test))
    lines += [score_row("", name, part.test) for name, part in named]
    lines += [
        score_row("", BASELINE_NAMES.get(name, name), each)
        for name, each in result.baselines.items()
    ]
    lines += ["", *(f"{name} over {part.layout}, run {part.run}" for name, part in named)]
    return lines


def _gains(result: BlendResult) -> Iterator[str]:
    """The blend against the run that one would take without it."""
    best = f"{result.best + 1}: {result.parts[result.best].head}"
    yield f"the blend against {best}, the run that validates best:"
    for side, gain in (("validation", result.gain_validation), ("test", result.gain_test)):
        low, high = gain.interval
        told = "" if low > 0 or high < 0 else "; 0 is within: no difference beyond chance"
        yield (
            f"  {side:<11}{100 * gain.mean:+.1f} points of accuracy, 95 % interval "
            f"{100 * low:+.1f} to {100 * high:+.1f}{told}"
        )


def _spreads(result: BlendResult) -> list[str]:
    lines = []
    if result.over_seeds:
        lines += spread_lines(f"over {result.seeds} seeds", "seeds", result.over_seeds)
    if result.over_folds:
        lines += spread_lines(f"over {result.folds} folds", "folds", result.over_folds)
    return lines


def _copied(result: BlendResult) -> Iterator[str]:
    if result.copied:
        yield (
            f"{result.copied:,} of {result.test.texts:,} test texts have a near-copy in "
            "training: see the scores of the runs without them"
        )
