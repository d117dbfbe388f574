"""What ends a run on the terminal: the score, one thing worth knowing, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.command_line import as_typed
from pipeline.console import one_line
from pipeline.evaluation.baselines import MAJORITY, TFIDF
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.repeats import RepeatedScore
from pipeline.evaluation.result import BlendResult, ExperimentResult, Scores

REPORT = "report.txt"
"""The file of a run folder with everything that the verdict leaves out."""

RIVALS = {
    MAJORITY: "always answering the most frequent label",
    TFIDF: "TF-IDF + logistic regression on the words",
}
"""Baselines by name, as a sentence names them."""


def verdict_text(result: Scores) -> str:
    """Return the verdict on a run: at most 12 lines."""
    known = [f"Worth knowing: {one_line(result.advice[0])}"] if result.advice else []
    end = [f"Next: {as_typed(result.command)}"] if result.command else []
    end.append(f"Report: {result.run / REPORT}; beside it confusion.png, calibration.png")
    blocks = [score_lines(result), known, end]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def score_lines(result: Scores) -> list[str]:
    """Return the score in words, and how it stands against what it must beat."""
    test = result.test
    if not test.enough:
        return [f"Too few test texts ({test.texts}) for a score."]
    lines = [*_score(result), *_kept(result)]
    if isinstance(result, BlendResult):
        lines.append(blend_line(result))
    lines += [
        _against(RIVALS[name], score, result.against.get(name))
        for name, score in result.baselines.items()
        if name in RIVALS
    ]
    return lines


def _score(result: Scores) -> Iterator[str]:
    """The score that is quoted: over seeds the mean, else that of the head."""
    told = result.over_seeds.accuracy.mean if result.over_seeds else result.test.accuracy
    how = f", on average over {result.seeds} seeds" if result.over_seeds else ""
    if result.folds:
        how += f", each by a head that did not learn from it ({result.folds} folds)"
    texts = f"{result.test.texts:,} {'texts' if result.folds else 'test texts'}"
    yield f"{result.head} labels {told:.1%} of {texts} rightly{how}."
    spread = result.over_seeds or result.over_folds
    if spread is None:
        low, high = result.test.accuracy_interval
        yield f"Other texts of this kind would give {low:.1%} to {high:.1%} (95 % interval)."
    else:
        yield _spread(spread, "seeds" if result.over_seeds else "folds")


def _spread(spread: RepeatedScore, others: str) -> str:
    low, high = spread.accuracy.interval
    least, most = spread.texts_interval
    return (
        f"Other {others} would give {low:.1%} to {high:.1%}, other texts of this kind "
        f"{least:.1%} to {most:.1%} (95 % intervals)."
    )


def _kept(result: Scores) -> Iterator[str]:
    """Which head the run holds, where there are several; it is what the baselines are for."""
    if not isinstance(result, ExperimentResult) or not result.over_seeds or result.folds:
        return
    seed = next((trial.seed for trial in result.trainings if trial.best), None)
    own = f"{result.test.accuracy:.1%}"
    yield f"The head in the run, of seed {seed}, is the best on validation: {own}."


def blend_line(result: BlendResult) -> str:
    """Return how a blend stands against the best of its runs, on test."""
    best = result.parts[result.best_part]
    rival = f"the run that is best on validation, {one_line(best.run)}"
    gain = result.gain_test
    low, high = gain.interval
    return _against(rival, best.test, Comparison(gain.mean, gain.interval, low > 0 or high < 0))


def _against(rival: str, score: Score, found: Comparison | None) -> str:
    """How the test answers stand against others of the same texts."""
    shown = f"{rival} ({score.accuracy:.1%})"
    if found is None:
        return f"For comparison, {shown}."
    if found.better:
        return f"Better than {shown}, beyond noise."
    if found.worse:
        return f"Worse than {shown}, beyond noise."
    if not found.difference:
        return f"No difference from {shown}."
    points = f"{100 * found.difference:+.1f} points"
    return f"No clear difference from {shown}: {points} are within noise."
