"""What is known of one training: groups of plain numbers, None where nothing was measured.

M1 to M16 are the names of the measurements in docs/doctor.md. Shares and accuracies lie in
[0, 1], losses and entropies are in nats, everything about held-out texts is about validation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


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

    @property
    def gain(self) -> float:
        """Return 1 - loss / H(labels); 0.02 or less: it knows nothing about the text."""
        return 1 - self.loss / self.label_entropy if self.label_entropy > 0 else 0.0

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
        unchanged: whether all weights equal the initial ones (rtol 1e-5) after 3 steps.
        loss_rise: smoothed training loss at the end over its minimum, less 1; 0 at the minimum.
    """

    count: int
    per_epoch: int
    update_ratio: float
    update_ratios: tuple[tuple[str, float], ...] = ()
    gradient_norm: float | None = None
    first_gradient: float | None = None
    last_gradient: float | None = None
    clipped_share: float | None = None
    unchanged: bool = False
    loss_rise: float = 0.0


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
class Reference:
    """Another classifier on the same sides.

    Attributes:
        name: ``logistic``, ``tfidf_logistic`` or ``knn``.
        accuracy: on validation.
        ahead: its accuracy less that of the head, on the same texts.
        interval: 95 % paired bootstrap of ``ahead``.
        macro_f1: on validation.
    """

    name: str
    accuracy: float
    ahead: float
    interval: tuple[float, float]
    macro_f1: float = 0.0


@dataclass(frozen=True)
class References:
    """M7 and M9: what other classifiers reach, and what more texts would give.

    Attributes:
        references: each once.
        half, whole: accuracy of ``logistic`` on half and on all training texts.
        doubling_interval: 95 % paired bootstrap of whole - half.
    """

    references: tuple[Reference, ...] = ()
    half: float | None = None
    whole: float | None = None
    doubling_interval: tuple[float, float] | None = None

    def named(self, name: str) -> Reference | None:
        """Return the reference of a name."""
        return next((each for each in self.references if each.name == name), None)

    @property
    def best(self) -> Reference | None:
        """Return the better of ``logistic`` and TF-IDF: "Ref" of the rules."""
        usual = [each for each in self.references if each.name != "knn"]
        return max(usual, key=lambda each: each.accuracy, default=None)

    @property
    def points_per_doubling(self) -> float | None:
        """Return accuracy gained by twice the texts."""
        if self.half is None or self.whole is None:
            return None
        return self.whole - self.half


@dataclass(frozen=True)
class Neighbours:
    """M8: label agreement of the 10 nearest training texts, in all and by file position.

    Attributes:
        agreement: mean share of neighbours with the label of the text.
        expected: the same under permuted labels, mean of 20 permutations.
        z: (agreement - expected) / deviation of the permutations.
        break_row: data row from which agreement falls to chance; None without a break.
        z_before, z_after: of the parts before and after it.
    """

    agreement: float
    expected: float
    z: float
    break_row: int | None = None
    z_before: float | None = None
    z_after: float | None = None


@dataclass(frozen=True)
class Sides:
    """M10: whether the sides are alike. Test texts and labels are compared, never predictions.

    Attributes:
        auc_validation, auc_test: of a classifier that tells training texts from that side.
        apart_validation, apart_test: total variation of the label shares from training's.
        runs_z: Wald and Wolfowitz's z of equal labels in file order; far below 0: sorted.
        missing_in_training: labels of validation that no training text has.
        official: whether a split column decides the sides.
        copied: validation texts with a near-copy in training, of ``compared``.
        copied_accuracy, uncopied_accuracy: of the head on those with and without.
        uncopied_interval: 95 % interval of the latter.
        examples: data rows of up to three pairs (held out, training).
    """

    auc_validation: float | None = None
    auc_test: float | None = None
    apart_validation: float = 0.0
    apart_test: float = 0.0
    runs_z: float | None = None
    missing_in_training: tuple[str, ...] = ()
    official: bool = False
    copied: int = 0
    compared: int = 0
    copied_accuracy: float | None = None
    uncopied_accuracy: float | None = None
    uncopied_interval: tuple[float, float] | None = None
    examples: tuple[tuple[int, int], ...] = ()

    @property
    def copied_share(self) -> float:
        """Return the share of validation texts with a near-copy in training."""
        return self.copied / self.compared if self.compared else 0.0


@dataclass(frozen=True)
class Audit:
    """M11: what the texts and labels show, of training and validation.

    Attributes:
        suspects_share: training texts with a suspected label.
        suspects_pairs: share of the suspects in their two most frequent pairs of classes.
        giveaway_share: largest share of a class's texts that one giveaway token is in.
        giveaways: up to three such tokens with their class.
        variants: groups of labels that differ in spelling alone, such as ``Joy`` and ``joy``.
        conflicts: equal texts with unequal labels.
        truncated_share: of the texts.
        tokens_cut_share: of all tokens.
        whole_accuracy, truncated_accuracy: of the head on validation texts of each kind.
        truncation_matters: whether these differ at 1 %.
        unknown_pieces: share of unknown or single-letter pieces of the tokens.
        accuracy_by_length: (median tokens, texts, accuracy) of quarters of the texts.
    """

    suspects_share: float | None = None
    suspects_pairs: float | None = None
    giveaway_share: float = 0.0
    giveaways: tuple[tuple[str, str], ...] = ()
    variants: tuple[tuple[str, ...], ...] = ()
    conflicts: int = 0
    truncated_share: float = 0.0
    tokens_cut_share: float = 0.0
    whole_accuracy: float | None = None
    truncated_accuracy: float | None = None
    truncation_matters: bool = False
    unknown_pieces: float | None = None
    accuracy_by_length: tuple[tuple[float, int, float], ...] = ()


@dataclass(frozen=True)
class Vectors:
    """M12: pooled vectors of the training texts.

    Attributes:
        width: D.
        constant_share: of the features, those with a deviation below 1e-4.
        deviation_ratio: largest over median deviation.
        mean_cosine: of 1,000 random pairs.
        effective_rank: exp(H(shares of the eigenvalues of the covariance)).
        equal_share: of the texts, those with the vector of an unequal text.
    """

    width: int
    constant_share: float
    deviation_ratio: float
    mean_cosine: float
    effective_rank: float
    equal_share: float


@dataclass(frozen=True)
class Invariances:
    """M13 and M14: of a head that a user brings. None: not measured.

    Attributes:
        alone, padded, reversed, twice: largest relative difference of the logits of a text
            alone and in a batch, behind 20 more padded positions, in the batch reversed, asked
            twice in evaluation mode; above 1e-3 it fails.
        bounded, sums_to_one: whether all outputs lie in [0, 1], and rows sum to 1.
        first_loss: before the first step; about ln C is usual.
        final_train_loss: where the training loss rests.
        by_heart: share of one batch of 16 that is wrong after ``by_heart_steps`` steps.
        gradients_double: whether asking twice for the gradients of a batch adds them up.
        unchanged: names of weights that equal the initial ones (rtol 1e-5) after 3 steps.
        mode_difference: of training and evaluation mode, over the deviation of the logits.
        best_assignment: accuracy under the best assignment of predicted to true classes.
        claimed_score, measured_score: what the user's code says, and what we measure.
    """

    alone: float | None = None
    padded: float | None = None
    reversed: float | None = None
    twice: float | None = None
    bounded: bool = False
    sums_to_one: bool = False
    first_loss: float | None = None
    final_train_loss: float | None = None
    by_heart: float | None = None
    by_heart_steps: int = 0
    gradients_double: bool = False
    unchanged: tuple[str, ...] = ()
    mode_difference: float | None = None
    best_assignment: float | None = None
    claimed_score: float | None = None
    measured_score: float | None = None


@dataclass(frozen=True)
class Noise:
    """M15: the same training under other seeds.

    Attributes:
        accuracies: validation accuracy by seed, the run's own first.
    """

    accuracies: tuple[float, ...]

    @property
    def floor(self) -> float:
        """Return the largest difference of two seeds: what nothing looks like."""
        return max(self.accuracies) - min(self.accuracies)


@dataclass(frozen=True)
class RateRange:
    """M16: range test. ``diverged_at`` is None where the loss did not diverge."""

    suggestion: float
    lowest_loss_at: float
    diverged_at: float | None = None


@dataclass(frozen=True)
class Labels:
    """The labels.

    Attributes:
        names: C classes of training, in the order of their ids.
        train_counts, validation_counts: texts by class.
        train_texts, validation_texts, test_texts: sizes of the sides.
    """

    names: tuple[str, ...]
    train_counts: tuple[int, ...]
    validation_counts: tuple[int, ...]
    train_texts: int
    validation_texts: int
    test_texts: int = 0

    @property
    def imbalance(self) -> float:
        """Return largest over smallest class of training."""
        return max(self.train_counts) / max(1, min(self.train_counts))

    @property
    def median_count(self) -> float:
        """Return the median of the training texts of a class."""
        ordered, middle = sorted(self.train_counts), len(self.train_counts) // 2
        if len(ordered) % 2:
            return float(ordered[middle])
        return (ordered[middle - 1] + ordered[middle]) / 2


@dataclass(frozen=True)
class Settings:
    """What was asked for.

    Attributes:
        head: name in the registry; '' of a head that a user brings.
        layout: of the tables, such as ``tokens`` or ``pooled,words``.
        values: settings of the head, defaults included.
        parameters: learned numbers.
        encoder: its name; '' of arrays.
        train_seconds: of the training.
    """

    head: str
    layout: str
    values: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0
    encoder: str = ""
    train_seconds: float = 0.0

    @property
    def takes_steps(self) -> bool:
        """Return whether it learns by gradient steps."""
        return "learning_rate" in self.values

    def number(self, name: str, otherwise: float = 0.0) -> float:
        """Return a setting that is a number; ``otherwise`` of a head that lacks it."""
        return float(self.values.get(name, otherwise))


@dataclass(frozen=True)
class Measurements:
    """All that is known of a training. Rules read this and nothing else."""

    settings: Settings
    labels: Labels
    learning: Learning | None = None
    steps: Steps | None = None
    units: Units | None = None
    references: References | None = None
    neighbours: Neighbours | None = None
    sides: Sides | None = None
    audit: Audit | None = None
    vectors: Vectors | None = None
    invariances: Invariances | None = None
    noise: Noise | None = None
    rates: RateRange | None = None

    @property
    def missing_points(self) -> float:
        """Return what the best reference is ahead of the head by; 0 where it is not."""
        best = None if self.references is None else self.references.best
        return max(0.0, best.ahead) if best else 0.0

    @property
    def behind(self) -> bool:
        """Return whether the best reference is better than the head beyond noise."""
        best = None if self.references is None else self.references.best
        return best is not None and best.interval[0] > 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN and infinities become None."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
