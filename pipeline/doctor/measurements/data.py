"""What the texts, labels, sides and vectors are like: M7 to M12."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULTS = "defaults"
"""Name of the reference that is the same head with its default settings."""


@dataclass(frozen=True)
class Reference:
    """Another classifier on the same sides.

    Attributes:
        name: ``logistic``, ``tfidf_logistic``, ``knn`` or ``defaults``, the same head with its
            default settings.
        accuracy: on validation.
        ahead: its accuracy less that of the head, on the same texts.
        interval: 95 % paired bootstrap of ``ahead``.
        macro_f1: on validation.
        likelier: 95 % paired bootstrap of how far the log probability of the right class is
            ahead, each calibrated; None: not measured.
    """

    name: str
    accuracy: float
    ahead: float
    interval: tuple[float, float]
    macro_f1: float = 0.0
    likelier: tuple[float, float] | None = None


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
        """Return the best but for ``knn``: "Ref" of the rules."""
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
        expected: the same under permuted labels, mean of 20 to 200 permutations.
        z: (agreement - expected) / deviation of the permutations.
        balanced_z: the same of the mean over the classes of each one's agreement, which shows
            rare classes that a large one hides; None: not measured.
        means_z: the same of how far the mean vectors of the classes lie apart, which shows
            what is too weak for neighbours; None: not measured.
        closest: the two classes whose means lie closest together; None: not measured, or fewer
            than three classes with enough texts.
        closest_z: ``means_z`` of these two alone.
        usual_z: the same of a pair in the middle of all pairs.
        closest_confused: errors of the head between the closest two, and validation texts of
            either that it answers with one of them.
        closest_left_out: texts of the closest two that a linear classifier of all others takes
            for the other one, and all their texts; None: not measured.
        confused_z: the same of the two classes with most errors of the head between them; None:
            not measured, or no errors.
        break_row: data row from which agreement falls to chance; None without a break.
        rises: whether agreement is at chance before that row instead, and not from it on.
        z_before, z_after: of the parts before and after it.
        agreement_before, agreement_after: of these parts.
        offset: by how many rows the labels are moved, from the break or in all, for neighbours
            to agree again; None where no move helps.
        offset_agreement: agreement there once they are moved.
        by_position: of up to 40 stretches of the file: data row in the middle, agreement, and
            agreement once the labels are moved, or None; () where labels have not slipped.
    """

    agreement: float
    expected: float
    z: float
    break_row: int | None = None
    z_before: float | None = None
    z_after: float | None = None
    agreement_before: float | None = None
    agreement_after: float | None = None
    offset: int | None = None
    offset_agreement: float | None = None
    balanced_z: float | None = None
    means_z: float | None = None
    closest: tuple[int, int] | None = None
    closest_z: float | None = None
    usual_z: float | None = None
    confused_z: float | None = None
    closest_confused: tuple[int, int] | None = None
    closest_left_out: tuple[int, int] | None = None
    by_position: tuple[tuple[int, float, float | None], ...] = ()
    rises: bool = False

    @property
    def strongest(self) -> float:
        """Return the largest z: what speaks most for labels that belong to their texts."""
        known = (self.z, self.balanced_z, self.means_z)
        return max(each for each in known if each is not None)


@dataclass(frozen=True)
class Sides:
    """M10: whether the sides are alike. Test texts and labels are compared, never predictions.

    Attributes:
        auc_validation, auc_test: of a classifier that tells training texts from that side.
        apart_validation, apart_test: total variation of the label shares from training's.
        runs_z: Wald and Wolfowitz's z of equal labels in file order; far below 0: sorted.
        missing_in_training: labels of validation that no training text has.
        official: whether a split column decides the sides.
        given: whether the sides came with arrays, without a file.
        copied: validation texts with a near-copy in training, of ``compared``; of arrays, those
            with nearly the same vector.
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
    given: bool = False
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
class WrongLabels:
    """How many labels no classifier of the other texts can explain.

    Attributes:
        share: of the labels, those that are wrong, as is most likely.
        least, most: where the share lies, 5 % left out on either side.
        ratio: twice the log-likelihood that the share gains over none wrong; above 4 in 4 of
            100 subsets of sound corpora.
    """

    share: float
    least: float
    most: float
    ratio: float


@dataclass(frozen=True)
class Audit:
    """M11: what the texts and labels show, of training and validation.

    Attributes:
        wrong: how many labels of training are wrong; None: not measured.
        giveaway_share: largest share of a class's texts that one giveaway token is in.
        giveaways: up to three such tokens with their class.
        variants: groups of labels that differ in spelling alone, such as ``Joy`` and ``joy``.
        conflicts: texts that stand there with another label as well.
        conflicts_share: of the training texts.
        truncated_share: of the texts.
        tokens_cut_share: of all tokens.
        whole_accuracy, truncated_accuracy: of the head on validation texts of each kind.
        truncation_matters: whether these differ at 1 %.
        tokens_wanted: tokens that 99 of 100 texts do not exceed; 0: not known.
        accuracy_by_length: (median tokens, texts, accuracy) of quarters of the texts.
    """

    wrong: WrongLabels | None = None
    giveaway_share: float = 0.0
    giveaways: tuple[tuple[str, str], ...] = ()
    variants: tuple[tuple[str, ...], ...] = ()
    conflicts: int = 0
    conflicts_share: float = 0.0
    truncated_share: float = 0.0
    tokens_cut_share: float = 0.0
    whole_accuracy: float | None = None
    truncated_accuracy: float | None = None
    truncation_matters: bool = False
    tokens_wanted: int = 0
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
        scaled_rank: the same of features scaled to deviation 1, of which none hides the others;
            None: not measured.
        equal_share: of the texts, those with the vector of an unequal text.
        equal_unlike: of the texts, those with the vector of a text of another label; copies of
            a text have one label.
    """

    width: int
    constant_share: float
    deviation_ratio: float
    mean_cosine: float
    effective_rank: float
    equal_share: float
    equal_unlike: float = 0.0
    scaled_rank: float | None = None


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
