"""What a training measures: how far its steps went, and what the head knows in the end.

Plain frozen values, without torch; ``training.monitor`` and ``evaluation.gain`` fill them.
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

LEAST = 1e-12
"""Ratios below it count as this, so that their logarithm is a number."""


class Measured(BaseModel):
    """Values that are written as JSON: frozen, without unknown names, finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TensorMeasurements(Measured):
    """One weight tensor of two or more dimensions, over the steps that were measured.

    Attributes:
        name: its name in the head; of several members that of the first.
        size: number of weights.
        update_ratio: median of the norm of its change in a step / its norm before the step.
        early_ratio, late_ratio: the same over the first and the last quarter of these steps.
        gradient_norm: median, before clipping.
    """

    name: str
    size: int
    update_ratio: float
    early_ratio: float
    late_ratio: float
    gradient_norm: float

    @property
    def log_ratio(self) -> float:
        """log10 of ``update_ratio``; about -3 is usual."""
        return math.log10(max(self.update_ratio, LEAST))


class StepMeasurements(Measured):
    """The steps of a training up to its last epoch.

    Attributes:
        steps: how many were taken.
        measured: on how many of them weights were measured.
        clipped_share: share of the steps whose gradient was longer than ``clip``.
        far_clipped_share: share of the steps whose gradient was 10 times longer than ``clip``.
        gradient_norm: median over all steps, before clipping.
        tensors: in the order of the head, the first layer first.
    """

    steps: int
    measured: int
    clipped_share: float
    far_clipped_share: float
    gradient_norm: float
    tensors: tuple[TensorMeasurements, ...]

    @property
    def log_ratio(self) -> float:
        """Median over the tensors of log10 of the update-to-weight ratio."""
        ratios = sorted(tensor.log_ratio for tensor in self.tensors)
        return ratios[len(ratios) // 2] if ratios else 0.0

    @property
    def early_log_ratio(self) -> float:
        """The same over the first quarter of the steps."""
        early = sorted(math.log10(max(each.early_ratio, LEAST)) for each in self.tensors)
        return early[len(early) // 2] if early else 0.0


class Gain(Measured):
    """What a head knows beyond the best constant answer, on n texts of C classes.

    Attributes:
        texts: n, those whose class training knows.
        accuracy: in [0, 1].
        majority: accuracy of the best constant answer.
        loss: mean cross-entropy in nats.
        calibrated_loss: the same at the best temperature, so that a head that is too sure of
            itself is not taken for one that knows nothing.
        constant_loss: loss of the best constant answer: the entropy of the label shares.
        effective_classes: exp(entropy of predicted shares) / exp(entropy of label shares).
        logit_spread: deviation of the logits over the texts, mean over classes.
        mean_entropy: of the probabilities, as a share of ln C.
        label_counts, predicted_counts, hits: (C,) texts of each class, texts predicted as it,
            texts of it predicted rightly.
    """

    texts: int
    accuracy: float
    majority: float
    loss: float
    calibrated_loss: float
    constant_loss: float
    effective_classes: float
    logit_spread: float
    mean_entropy: float
    label_counts: tuple[int, ...]
    predicted_counts: tuple[int, ...]
    hits: tuple[int, ...]

    @property
    def loss_gain(self) -> float:
        """1 - calibrated loss / loss of the best constant; 0.02 or less: it knows nothing."""
        return 1.0 - self.calibrated_loss / self.constant_loss if self.constant_loss else 0.0

    @property
    def accuracy_gain(self) -> float:
        """(accuracy - majority) / (1 - majority): the share of what a constant gets wrong."""
        rest = 1.0 - self.majority
        return (self.accuracy - self.majority) / rest if rest else 0.0

    @property
    def recalls(self) -> tuple[float, ...]:
        """(C,) recall of each class; NaN for one without texts."""
        return tuple(
            hits / count if count else math.nan
            for hits, count in zip(self.hits, self.label_counts, strict=True)
        )


class TrainingScore(Measured):
    """The best weights on training texts, in evaluation mode, before a refit.

    Attributes:
        texts: how many were scored.
        accuracy, loss: of the weights that were kept, without dropout.
    """

    texts: int
    accuracy: float
    loss: float


class Diagnostics(Measured):
    """What was measured of one training, of the head before its refit.

    Attributes:
        gain: on validation; None if training knows none of its classes.
        training: on training texts; None of ``knn``, which finds each of its own texts.
        steps: None of a head that takes none.
    """

    gain: Gain | None = None
    training: TrainingScore | None = None
    steps: StepMeasurements | None = None
