"""``manyheads blend``: several finished runs -> the run of their blend.

find the runs -> read what they held out -> read their heads -> blend -> scores -> run folder

What reads heads imports torch, and so comes after the checks that can do without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from features.errors import SettingError
from pipeline.blending.blend import Blended, best_of, blend, check_alike
from pipeline.blending.config import BlendConfig
from pipeline.blending.report import blend_advice, blend_text
from pipeline.command_line import predict_command
from pipeline.config import VectorConfig
from pipeline.console import print_note
from pipeline.evaluation.breakdown import CLASSES, class_scores, write_classes
from pipeline.evaluation.evaluation import Score, difference
from pipeline.evaluation.result import BLEND_NAME, BlendPart, BlendResult, calibration_of
from pipeline.reports.figures import draw, test_pictures
from pipeline.reports.report import write_report
from pipeline.runs.environment import environment
from pipeline.runs.files.held_out import HeldOutPredictions
from pipeline.runs.files.json_format import Values, write_json
from pipeline.runs.folder import (
    ENVIRONMENT,
    PARTS,
    PROBABILITIES,
    find_run,
    new_run,
    run_label,
    run_name,
    writing,
)
from pipeline.runs.reader import read_held_out, read_metrics
from pipeline.runs.writer import write_config, write_held_out, write_metrics


def run_blend(
    names: Sequence[str], runs: Path, config: BlendConfig | None = None
) -> BlendResult:
    """Blend finished runs and write the run folder of the blend.

    Args:
        names: 2 or more runs, as ``find_run`` takes them.
        runs: the folder of runs.
        config: how they are weighted; None takes the defaults.

    Raises:
        SettingError: too few runs, one of them twice, different texts or sides, or weights
            that cannot be found.
        CacheError: a run does not exist or is damaged.
    """
    folders = _folders(names, runs)
    named = [run_label(folder, runs) for folder in folders]
    held_out = [read_held_out(folder) for folder in folders]
    check_alike(held_out, named)
    parts = [_read_part(*each) for each in zip(folders, named, held_out, strict=True)]
    _refuse_twice(folders, runs)
    config = config or BlendConfig()
    blended = blend([part.held_out for part in parts], named, config.kind)
    described: Values = {BLEND_NAME: named, **asdict(config)}
    folders = [folders[i] for i in blended.chosen]
    parts = [parts[i] for i in blended.chosen]
    result = _result(runs, parts, blended)
    for note in result.notes:
        print_note(f"note: {note}")
    with new_run(runs, run_name(BLEND_NAME, described, datetime.now(UTC))) as opened:
        command = predict_command(opened.final, VectorConfig().cache)
        result = replace(result, run=opened.final, command=command)
        with writing(opened):
            _write(opened.folder, folders, parts[0].labels, described, blended, result)
    return replace(result, run=opened.final)


def _folders(names: Sequence[str], runs: Path) -> list[Path]:
    if len(names) < 2:
        raise SettingError(f"a blend takes two runs or more; got {len(names)}: name more")
    folders = [find_run(name, runs).resolve() for name in names]
    for folder in folders:
        if (folder / PARTS).is_dir():
            own = run_label(folder, runs)
            raise SettingError(
                f"the run {folder.name} is a blend itself: name the runs that it is made of, "
                f"or its copies of them, {own}/{PARTS}/1 and so on"
            )
    for place, folder in enumerate(folders):
        if folder in folders[:place]:
            raise _twice(run_label(folder, runs), run_label(folder, runs))
    return folders


def _refuse_twice(folders: Sequence[Path], runs: Path) -> None:
    """Refuse a run that is named twice, or together with its copy in a blend."""
    from heads.persistence.checkpoint import WEIGHTS
    from pipeline.models.blend_folder import file_digest

    once: dict[tuple[str, ...], str] = {}
    for folder in folders:
        # Equal weights are not enough: two seeds of logistic have one optimum.
        files = tuple(file_digest(folder / name) for name in (WEIGHTS, PROBABILITIES))
        label = run_label(folder, runs)
        if files in once:
            raise _twice(once[files], label)
        once[files] = label


def _twice(one: str, other: str) -> SettingError:
    return SettingError(f"{one} and {other} are the same training; name each training once")


@dataclass(frozen=True, eq=False)
class _PartRun:
    """A run to blend. All of it is read, so that a damaged run is refused."""

    name: str
    labels: tuple[str, ...]
    held_out: HeldOutPredictions
    head: str
    layout: str
    baselines: Mapping[str, Score]
    leaked: int
    notes: tuple[str, ...]


def _read_part(folder: Path, name: str, held_out: HeldOutPredictions) -> _PartRun:
    """Read a run. Raises ``CacheError`` if it is damaged."""
    from pipeline.models.model import read_run

    model = read_run(folder)
    metrics = read_metrics(folder)
    return _PartRun(
        name,
        model.head.classes,
        held_out,
        model.head.head,
        model.head.layout,
        metrics.baselines,
        metrics.leaked,
        metrics.notes,
    )


def _result(run: Path, parts: Sequence[_PartRun], blended: Blended) -> BlendResult:
    """Return the result; its run folder is set later."""
    sides = [
        (
            part.held_out.validation,
            part.held_out.test,
        )
        for part in parts
    ]
    scored = tuple(
        BlendPart(part.name, part.head, part.layout, validation.score(), test.score())
        for part, (validation, test) in zip(parts, sides, strict=True)
    )
    best = best_of([validation for validation, _ in sides])
    test = blended.held_out.test
    first = parts[0]
    gain = difference(blended.held_out.validation, sides[best][0])
    return BlendResult(
        run=run,
        head=BLEND_NAME,
        parts=scored,
        best_part=best,
        validation=blended.held_out.validation.score(),
        test=test.score(),
        gain_validation=gain,
        gain_test=difference(test, sides[best][1]),
        weights=blended.weights[0],
        weighting=blended.weighting,
        baselines=first.baselines,
        seeds=blended.seeds,
        folds=blended.held_out.fold_count,
        over_seeds=blended.over_seeds,
        over_folds=blended.over_folds,
        classes=class_scores(test, blended.held_out.names.all),
        calibration=calibration_of(test, blended.temperatures[0]),
        leaked=first.leaked,
        notes=first.notes,
        advice=blend_advice(parts[best].name, gain),
    )


def _write(
    folder: Path,
    runs: Sequence[Path],
    labels: Sequence[str],
    described: Values,
    blended: Blended,
    result: BlendResult,
) -> None:
    """Fill the run folder. ``metrics.json`` comes last: where it is, the rest is."""
    from pipeline.models.blend_folder import copy_parts, write_blend_file

    held_out = blended.held_out
    copy_parts(runs, folder)
    write_blend_file(folder, labels, blended.temperatures[0], blended.weights[0])
    write_config(folder, described)
    write_json(folder / ENVIRONMENT, environment())
    write_held_out(folder, held_out)
    write_classes(folder / CLASSES, result.classes)
    what = f"accuracy over {result.folds} folds" if result.folds else "test accuracy"
    title = f"blend of {len(result.parts)} runs: {what} {result.test.told}"
    draw(folder, test_pictures(held_out.test, held_out.names, blended.temperatures, title))
    write_report(folder, blend_text(result))
    write_metrics(folder, result)
