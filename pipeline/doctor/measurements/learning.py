"""What a head has learned, and how its training went: M1 to M6, M15 and M16."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One epoch (``logistic``, ``knn``: one value tried); see ``heads.problem.EpochRecord``."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float
    value: float
    gradient_norm: float


@dataclass(frozen=True)
class Learning:
    """M1 and M2: what the kept head knows, before its refit, in evaluation mode.

    Attributes:
        texts: validation texts.
        accuracy, macro_f1, loss: on them; ``loss`` is the ordinary cross-entropy without
            temperature, over texts whose label training knows.
        majority: accuracy of the most frequent training label.
        label_entropy: H of the label shares of validation: the loss of the best constant.
        effective_classes: exp(H of the shares of the predicted classes).
        effective_labels: exp(H(label shares)).
        recalls: share of each class's texts that are found, in the order of ``Labels.names``;
            None without texts.
        predicted_shares: share of the predictions, by class.
        probability_entropy: mean entropy of the predicted probabilities.
        logit_spread: deviation of a logit over the texts, mean over the classes.
        train_texts: training texts that were scored for the next two; a sample may do.
        train_accuracy, train_loss: on training texts, kept weights, evaluation mode (M2).
        epochs: the history.
        best_epoch: its best record, from 1.
        stopped_early: whether patience ended it.
        calibrated_loss: ``loss`` at the best temperature, so that a head that is too sure of
            itself is not taken for one that knows nothing; None: not measured.
        confused: up to three pairs of classes with most errors between them: both ids, these
            errors, and the texts of either that are answered with one of them.
    """

    texts: int
    accuracy: float
    macro_f1: float
    loss: float
    majority: float
    label_entropy: float
    effective_classes: float
    effective_labels: float
    recalls: tuple[float | None, ...]
    predicted_shares: tuple[float, ...]
    probability_entropy: float
    logit_spread: float
    train_texts: int = 0
    train_accuracy: float | None = None
    train_loss: float | None = None
    epochs: tuple[Epoch, ...] = ()
    best_epoch: int = 0
    stopped_early: bool = False
    calibrated_loss: float | None = None
    confused: tuple[tuple[int, int, int, int], ...] = ()

    @property
    def gain(self) -> float:
        """Return 1 - loss / H(labels); 0.02 or less: it knows nothing about the text."""
        loss = self.loss if self.calibrated_loss is None else self.calibrated_loss
        return 1 - loss / self.label_entropy if self.label_entropy > 0 else 0.0

    @property
    def gap(self) -> float | None:
        """Return training less validation accuracy, both in evaluation mode."""
        return None if self.train_accuracy is None else self.train_accuracy - self.accuracy

    @property
    def accuracy_gain(self) -> float:
        """Return (accuracy - majority) / (1 - majority)."""
        return (self.accuracy - self.majority) / max(1 - self.majority, 1e-9)

    @property
    def class_use(self) -> float:
        """Return effective classes over effective labels: below 0.5 a partial collapse."""
        return self.effective_classes / self.effective_labels

    @property
    def noise(self) -> float:
        """Return 95 % half-width of an accuracy over these texts: 1.96 sqrt(p q / n)."""
        p = min(max(self.accuracy, 1 / (self.texts + 2)), 1 - 1 / (self.texts + 2))
        return 1.96 * math.sqrt(p * (1 - p) / max(self.texts, 1))


@dataclass(frozen=True)
class Steps:
    """M3 and M4: the steps of the training; None for heads that take none.

    Attributes:
        count, per_epoch: steps taken, and steps of an epoch.
        update_ratio: log10 of (norm of a change / norm of the weights), median over the
            tensors of 2 or more dimensions and the sampled steps; -inf is written as -99.
        update_ratios: the same by tensor, in the order of the layers.
        gradient_norm: median over the steps, before clipping.
        first_gradient, last_gradient: median norms of the first and last such tensor.
        clipped_share: of the steps.
        loss_rise: smoothed training loss at the end over its minimum, less 1; 0 at the minimum.
        early_ratio: ``update_ratio`` over the first quarter of the steps.
        far_clipped_share: of the steps, those with a gradient 10 times as long as ``clip``.
    """

    count: int
    per_epoch: int
    update_ratio: float
    update_ratios: tuple[tuple[str, float], ...] = ()
    gradient_norm: float | None = None
    first_gradient: float | None = None
    last_gradient: float | None = None
    clipped_share: float | None = None
    loss_rise: float = 0.0
    early_ratio: float | None = None
    far_clipped_share: float | None = None


@dataclass(frozen=True)
class Layer:
    """Units of one layer on 512 texts: shares of dead and of saturated ones.

    ``*_at_start`` are those of the initial weights, None where not measured.
    """

    name: str
    kind: str
    units: int
    dead: float
    saturated: float
    dead_at_start: float | None = None
    saturated_at_start: float | None = None


@dataclass(frozen=True)
class Units:
    """M5 and M6: layers, and how far back the head sees in a sequence.

    Attributes:
        layers: dense and recurrent layers, inputs first.
        median_length: T, median vectors of a text as the head reads it.
        reach: norm of d loss / d x_t at distances 0, 10, 100 from the end that is read, each
            over that at 0; None beyond the texts. () where the head reads no sequence.
        smallest_layer: units of the smallest layer before the output; None without layers.
    """

    layers: tuple[Layer, ...] = ()
    median_length: float = 1.0
    reach: tuple[float | None, ...] = ()
    smallest_layer: int | None = None


@dataclass(frozen=True)
class Noise:
    """M15: the same training under other seeds.

    Attributes:
        accuracies: validation accuracy by seed, the run's own first.
    """

    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class RateRange:
    """M16: range test. ``diverged_at`` is None where the loss did not diverge."""

    suggestion: float
    lowest_loss_at: float
    diverged_at: float | None = None
