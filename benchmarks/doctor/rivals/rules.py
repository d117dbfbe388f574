"""The rules of five published tools on the records of a run.

A rule names a symptom; the causes that it could mean are those that its tool's own advice
would mend, taken generously. Thresholds are those of the tools' code (table "Rules" of
docs/doctor-benchmark.md). A symptom that hints at no cause counts as an alarm alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from benchmarks.doctor.rivals.records import Records

Symptom = tuple[str, tuple[str, ...]]
"""What a rule says, and the causes that it could mean."""

LARGE, SMALL = ("step_too_large", "unstable"), ("step_too_small", "too_few_steps")
DEAD, OVERFIT = ("dead_or_saturated", "long_last_state"), ("overfit",)
STUCK = ("step_too_small", "step_too_large", "dead_or_saturated")
LEAK, DATA = ("copies_across", "giveaway", "split_by_order"), ("vectors_broken",)


def autotrainer(seen: Records) -> list[Symptom]:
    """AutoTrainer: judged from 30 % of the epochs on."""
    start = round(0.3 * len(seen.accuracy))
    found: list[Symptom] = []
    if not seen.finite or max([*seen.train_loss, 0]) > 1000 or _ratio(seen) > 70:
        found.append(("exploding", LARGE))
    if seen.first and seen.first[-1] < 1e-4 and _ratio(seen) < 1e-3:
        found.append(("vanishing", DEAD))
    if seen.zeros and max(seen.zeros[start:], default=0) >= 0.7:
        found.append(("dying ReLU", DEAD))
    swings = np.abs(np.diff(seen.accuracy))
    if len(swings) and np.mean(swings >= 0.03) >= 0.2:
        found.append(("oscillation", LARGE))
    if len(swings) and np.diff(seen.accuracy).max() < 0.01:
        found.append(("slow", SMALL))
    if seen.accuracy and max(seen.accuracy) < 0.6:
        found.append(("bad accuracy", ()))
    if seen.magnitude >= 10:
        found.append(("data", DATA))
    return found


def umlaut(seen: Records) -> list[Symptom]:
    """UMLAUT."""
    found: list[Symptom] = []
    if not seen.finite:
        found.append(("not finite", LARGE))
    if seen.rate > 0.01:
        found.append(("rate high", LARGE))
    if 0 < seen.rate < 1e-7:
        found.append(("rate low", SMALL))
    if seen.dropout > 0.5:
        found.append(("dropout high", ("over_regularised",)))
    losses = zip(np.diff(seen.loss), np.diff(seen.train_loss), strict=True)
    if any(held > 0 and own <= 0 for held, own in losses):
        found.append(("overfitting", OVERFIT))
    if seen.accuracy and (max(seen.accuracy) > 0.95 or _ahead(seen) > 0.05):
        found.append(("suspiciously good", LEAK))
    if seen.outside > 0:
        found.append(("data", DATA))
    return found


def deepdiagnosis(seen: Records) -> list[Symptom]:
    """DeepDiagnosis."""
    found: list[Symptom] = []
    if not seen.finite:
        found.append(("not finite", LARGE))
    if seen.rate and not 1e-5 <= seen.rate <= 0.1:
        found.append(("rate", LARGE if seen.rate > 0.1 else SMALL))
    if seen.mean and min(seen.mean) < 1e-7:
        found.append(("vanishing", DEAD))
    if seen.dead >= 0.7:
        found.append(("dead", DEAD))
    if seen.large > 0.5:
        found.append(("saturated", DEAD))
    if len(seen.train_loss) > 1 and np.abs(np.diff(seen.train_loss)).min() < 1e-3:
        found.append(("no change", STUCK))
    if seen.outside > 0:
        found.append(("data", DATA))
    return found


def sagemaker(seen: Records) -> list[Symptom]:
    """SageMaker Debugger."""
    found: list[Symptom] = []
    if not seen.finite:
        found.append(("not finite", LARGE))
    if seen.mean and min(seen.mean) < 1e-7:
        found.append(("vanishing", DEAD))
    if seen.dead >= 0.5:
        found.append(("dead", DEAD))
    if seen.saturated >= 0.5:
        found.append(("saturated", DEAD))
    if seen.updates and not -8 <= float(np.median(seen.updates)) <= 1:
        found.append(("update ratio", STUCK))
    steps = [each for each in seen.steps if math.isfinite(each)]
    if any(b > a * 0.999 for a, b in zip(steps, steps[10:], strict=False)):
        found.append(("loss not falling", STUCK))
    if seen.loss and seen.loss[-1] > 1.1 * seen.train_loss[-1]:
        found.append(("overfitting", OVERFIT))
    if max(seen.counts) >= 10 * max(1, min(seen.counts)):
        found.append(("imbalance", ("imbalance",)))
    return found


def thedeepchecker(seen: Records) -> list[Symptom]:
    """TheDeepChecker."""
    found: list[Symptom] = []
    update = float(np.median(seen.updates)) if seen.updates else -2.0
    if not seen.finite or update > -1:
        found.append(("updates large", LARGE))
    if update < -4:
        found.append(("updates small", SMALL))
    if seen.mean and min(seen.mean) < 1e-6:
        found.append(("vanishing", DEAD))
    if seen.mean and max(seen.mean) > 1e6:
        found.append(("exploding", LARGE))
    if seen.dead >= 0.5 or seen.saturated >= 0.5:
        found.append(("dead or saturated", DEAD))
    slopes = np.sign(np.diff(seen.train_loss))
    if len(slopes) > 2 and np.mean(slopes[1:] != slopes[:-1]) >= 0.5:
        found.append(("oscillation", LARGE))
    windows = [seen.train_loss[i] for i in range(0, len(seen.train_loss), 5)]
    if any(b > 0.95 * a for a, b in pairwise(windows)):
        found.append(("loss not falling", STUCK))
    if seen.train_loss and seen.train_loss[-1] < 1e-5:
        found.append(("overfitting", OVERFIT))
    shares = np.array(seen.counts) / max(1, sum(seen.counts))
    shares = shares[shares > 0]
    if math.exp(-float(shares @ np.log(shares))) / max(1, len(seen.counts)) < 0.5:
        found.append(("label perplexity", ("imbalance",)))
    if seen.zeroed < 1.05:
        found.append(("inputs do not matter", ("labels_unrelated", "vectors_broken")))
    return found


def _ratio(seen: Records) -> float:
    return seen.first[-1] / max(seen.last[-1], 1e-30) if seen.first else 1.0


def _ahead(seen: Records) -> float:
    return max(a - b for a, b in zip(seen.accuracy, seen.train_accuracy, strict=True))


TOOLS: Mapping[str, Callable[[Records], list[Symptom]]] = {
    "AutoTrainer": autotrainer,
    "UMLAUT": umlaut,
    "DeepDiagnosis": deepdiagnosis,
    "SageMaker": sagemaker,
    "TheDeepChecker": thedeepchecker,
}


def without_inputs(found: list[Symptom]) -> list[Symptom]:
    """Return what is left without the rules on inputs, which vectors of an encoder break."""
    return [each for each in found if each[0] != "data"]
