"""Results for people: the table that ends a training run."""

from __future__ import annotations

from heads.registry import head_type
from pipeline.progress import duration
from pipeline.results import ExperimentResult, Score

BASELINE_NAMES = {"majority": "majority class", "tfidf_logistic": "TF-IDF + logistic"}


def result_text(result: ExperimentResult) -> str:
    """The table of one experiment and what it cost."""
    step = head_type(result.head).step
    rest = result.test_without_copies
    rows = [
        ("validation", result.head, result.validation),
        ("test", result.head, result.test),
        *([("uncopied", result.head, rest)] if rest else []),
        *(("test", BASELINE_NAMES[name], each) for name, each in result.baselines.items()),
    ]
    lines = [
        *_copies_first(result),
        f"{'':<11}{'':<20}{'accuracy':>9}{'macro-F1':>10}   95 % interval of accuracy",
        *(_row(side, name, each) for side, name, each in rows),
        "",
        _copies_line(result),
        f"{result.encoded:,} texts encoded in {duration(result.seconds['encoding'])}; "
        f"{result.parameters:,} parameters trained in {duration(result.seconds['training'])}, "
        f"best {step}: {result.best_epoch} of {result.epochs}",
    ]
    if result.truncated:
        lines.append(
            f"{result.truncated:,} texts are longer than the encoder sees: "
            f"{result.tokens_cut_share:.1%} of all tokens are cut off"
        )
    lines.append(f"run: {result.run}")
    return "\n".join(lines)


def _row(side: str, name: str, score: Score) -> str:
    low, high = score.accuracy_interval
    return (
        f"{side:<11}{name:<20}{score.accuracy:>9.1%}{score.macro_f1:>10.1%}"
        f"   {low:.1%} to {high:.1%}"
    )


def _copies_first(result: ExperimentResult) -> list[str]:
    """What must be said before any score: copies in training change it beyond noise."""
    rest = result.test_without_copies
    if not result.flattered or rest is None:
        return []
    low, high = rest.accuracy_interval
    verb = "flatter" if rest.accuracy < result.test.accuracy else "harm"
    return [
        f"Copies {verb} this test: {result.copied:,} of {result.test.texts:,} test texts have "
        f"a near-copy in training. Without them the accuracy is {rest.accuracy:.1%} "
        f"({low:.1%} to {high:.1%}), not {result.test.accuracy:.1%}; see manyheads audit.",
        "",
    ]


def _copies_line(result: ExperimentResult) -> str:
    if not result.copied:
        return "no test text has a near-copy in training"
    left = result.test.texts - result.copied
    return (
        f"{result.copied:,} of {result.test.texts:,} test texts have a near-copy in training; "
        f"uncopied: the other {left:,}"
    )
