"""Results of runs that were never made, to be told to people."""

from __future__ import annotations

from pathlib import Path

from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.evaluation import Difference, Score
from pipeline.evaluation.mistakes import Mistake
from pipeline.evaluation.repeats import Estimate, RepeatedScore
from pipeline.evaluation.result import (
    BlendPart,
    BlendResult,
    Calibration,
    ExperimentResult,
    TrainingScore,
    Weighting,
)

SCORE = Score(0.6, 0.602, (0.527, 0.669), 180)
MAJORITY, TFIDF = Score(0.144, 0.036, (0.101, 0.203), 180), Score(0.4, 0.4, (0.331, 0.473), 180)
FEW = Score(1.0, 1.0, (0.646, 1.0), 7)
BETTER = Comparison(0.2, (0.11, 0.29), True)
WORSE = Comparison(-0.2, (-0.29, -0.11), True)
TIE = Comparison(-0.022, (-0.06, 0.02), False)
CALIBRATION = Calibration(0.77, 0.11, 0.13, 0.087, 15)

PLAIN = ExperimentResult(
    run=Path("runs/20261127-190559-logistic-7384dc"),
    head="logistic",
    layout="pooled",
    encoded=1198,
    truncated=0,
    validation=Score(0.588, 0.592, (0.52, 0.654), 204),
    test=SCORE,
    baselines={"majority": MAJORITY, "tfidf_logistic": TFIDF},
    against={"majority": BETTER, "tfidf_logistic": BETTER},
    epochs=8,
    best_epoch=5,
    chosen="C = 3 (5th of 8)",
    parameters=2695,
    seconds={"encoding": 27.0, "training": 2.6},
    notes=(),
    calibration=CALIBRATION,
    mistake=Mistake("anger", "shame", 6, 26),
    advice=("The most frequent mistake: 6 of 26.", "And another thing."),
    command="manyheads train --head attention",
)

BLEND = BlendResult(
    run=Path("runs/blend"),
    head="blend",
    validation=SCORE,
    test=SCORE,
    baselines=PLAIN.baselines,
    notes=(),
    calibration=CALIBRATION,
    parts=(
        BlendPart("one", "cnn", "tokens", SCORE, SCORE),
        BlendPart("two", "logistic", "pooled", SCORE, TFIDF),
    ),
    weights=(0.5, 0.5),
    weighting=Weighting("equal"),
    best_part=1,
    gain_validation=Difference(0.2, (0.1, 0.3)),
    gain_test=Difference(0.2, (0.1, 0.3)),
    command="manyheads predict --text 'a text of yours'",
)


def trial(seed: int, collapsed: bool = False) -> TrainingScore:
    """One of several trainings; the first is kept."""
    return TrainingScore(1, seed, seed == 0, SCORE, SCORE, 1.0, 3, 2, collapsed, 1.0)


def spread(mean: float) -> RepeatedScore:
    """Scores over repeats."""
    values = Estimate((mean, mean), mean, 0.01, (mean - 0.01, mean + 0.01))
    return RepeatedScore(values, values, (mean - 0.07, mean + 0.07))
