"""Causes of labels: what fires them, and the look-alikes that must not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.doctor.causes.labels.classes_overlap import CLASSES_OVERLAP
from pipeline.doctor.causes.labels.imbalance import IMBALANCE
from pipeline.doctor.causes.labels.label_noise import LABEL_NOISE
from pipeline.doctor.causes.labels.labels_unrelated import LABELS_UNRELATED
from pipeline.doctor.examination import LIKELY
from pipeline.doctor.measurements import (
    Audit,
    Labels,
    Measurements,
    Neighbours,
    References,
    WrongLabels,
)
from tests.support.doctor.cases import healthy, reference
from tests.support.doctor.measured import BEHIND, learning, settings

UNEVEN = Labels(("joy", "anger"), (540, 60), (180, 20), 600, 200)


def uneven(**changes: Any) -> Measurements:
    """Return a head that finds few texts of the rare class."""
    known = {
        "accuracy": 0.905,
        "macro_f1": 0.52,
        "majority": 0.9,
        "label_entropy": 0.325,
        "loss": 0.25,
        "recalls": (1.0, 0.05),
        "predicted_shares": (0.99, 0.01),
        **changes,
    }
    return healthy(
        learning=learning(**known), labels=UNEVEN, settings=settings(class_weights="none")
    )


def test_a_rare_class_that_is_lost_is_imbalance() -> None:
    found = IMBALANCE.suspect(uneven())
    assert found is not None
    assert found.measured
    assert "of anger it finds 5%" in found.headline
    assert found.counterfactuals[0].change == "class_weights none -> balanced"


@pytest.mark.parametrize(
    "measured",
    [
        uneven(recalls=(0.99, 0.8), macro_f1=0.9),  # the rare class is found
        uneven(loss=0.324),  # answers do not depend on the text: something else is wrong
        replace(uneven(), labels=healthy().labels),  # even classes
        replace(uneven(), settings=settings(class_weights="balanced")),
    ],
)
def test_look_alikes_of_imbalance(measured: Measurements) -> None:
    if measured.labels.imbalance < 3:
        measured = replace(measured, learning=learning())
    assert IMBALANCE.suspect(measured) is None


def test_of_a_class_that_is_never_predicted_few_texts_say_so() -> None:
    rare = Labels(("joy", "anger"), (388, 12), (97, 3), 400, 100)
    never = {"accuracy": 0.97, "majority": 0.97, "recalls": (1.0, 0.0), "label_entropy": 0.135}
    lost = replace(uneven(**never, loss=0.1, predicted_shares=(1.0, 0.0)), labels=rare)
    found = IMBALANCE.suspect(lost)
    assert found is not None
    assert found.measured
    assert found.counterfactuals == ()  # too few to try anything on
    seldom = replace(uneven(**never, loss=0.1, predicted_shares=(0.99, 0.01)), labels=rare)
    assert IMBALANCE.suspect(seldom) is None


def test_a_rare_class_is_lost_too_where_a_head_answers_the_frequent_one_alone() -> None:
    constant = uneven(loss=0.324, accuracy=0.9, recalls=(1.0, 0.0))
    hidden = Neighbours(0.82, 0.819, 1.2, balanced_z=4.0, means_z=6.0)
    told = replace(constant, neighbours=hidden)
    found = IMBALANCE.suspect(told)
    assert found is not None
    assert found.strength >= LIKELY
    weak = IMBALANCE.suspect(
        replace(constant, neighbours=replace(hidden, means_z=2.5, balanced_z=1.0))
    )
    assert weak is not None
    assert weak.strength < LIKELY  # weights have to prove it
    assert LABELS_UNRELATED.suspect(told) is None
    none = replace(constant, neighbours=Neighbours(0.82, 0.819, 1.2, balanced_z=0.5))
    assert IMBALANCE.suspect(none) is None


STRONG = Neighbours(0.6, 0.33, 40.0)


NOISY = WrongLabels(share=0.15, least=0.06, most=0.22, ratio=9.0)


def test_labels_that_no_classifier_explains_are_wrong() -> None:
    found = LABEL_NOISE.suspect(healthy(audit=Audit(wrong=NOISY), neighbours=STRONG))
    assert found is not None
    assert "15% of the training labels are wrong" in found.headline
    assert found.evidence[0].value == "15% (6% to 22%)"
    assert found.counterfactuals
    assert not found.measured


@pytest.mark.parametrize(
    ("wrong", "certain"),
    [
        (WrongLabels(0.25, 0.14, 0.33, 12.0), True),
        (WrongLabels(0.25, 0.05, 0.4, 4.5), False),  # as few as 5 % may be wrong
        (WrongLabels(0.16, 0.12, 0.2, 20.0), False),  # single words may mislead as often
    ],
)
def test_many_wrong_labels_need_no_proof(wrong: WrongLabels, certain: bool) -> None:
    found = LABEL_NOISE.suspect(healthy(audit=Audit(wrong=wrong), neighbours=STRONG))
    assert found is not None
    assert found.measured == certain


@pytest.mark.parametrize(
    ("audit", "near"),
    [
        (Audit(), STRONG),
        (Audit(wrong=replace(NOISY, share=0.04)), STRONG),
        (Audit(wrong=replace(NOISY, ratio=2.0)), STRONG),  # hard texts
        (Audit(wrong=NOISY), Neighbours(0.34, 0.33, 1.0)),
        (Audit(wrong=NOISY), replace(STRONG, break_row=500)),
        (Audit(wrong=NOISY), replace(STRONG, offset=1)),  # slipped, not wrong
    ],
)
def test_look_alikes_of_label_noise(audit: Audit, near: Neighbours) -> None:
    assert LABEL_NOISE.suspect(healthy(audit=audit, neighbours=near)) is None


def test_of_a_head_that_is_behind_only_certain_label_noise_is_told() -> None:
    behind = healthy(audit=Audit(wrong=NOISY), neighbours=STRONG, references=BEHIND)
    assert behind.behind
    assert LABEL_NOISE.suspect(behind) is None
    many = Audit(wrong=WrongLabels(0.25, 0.14, 0.33, 12.0))
    assert LABEL_NOISE.suspect(replace(behind, audit=many)) is not None


NO_SIGN = Neighbours(0.335, 0.333, 0.4, balanced_z=0.3, means_z=0.5)
CHANCE = References((reference("logistic", 0.34, 0.0), reference("tfidf_logistic", 0.33, 0.0)))
BY_CHANCE = {"accuracy": 0.34, "loss": 1.1, "macro_f1": 0.3, "train_accuracy": 1.0}


def test_labels_that_neighbours_do_not_share_are_unrelated() -> None:
    measured = healthy(
        learning=learning(**BY_CHANCE),
        neighbours=NO_SIGN,
        references=replace(
            CHANCE, references=tuple(replace(r, macro_f1=0.3) for r in CHANCE.references)
        ),
    )
    found = LABELS_UNRELATED.suspect(measured)
    assert found is not None
    assert found.measured
    assert found.remedy.stops
    words = References((reference("tfidf_logistic", 0.7, 0.36),))
    assert LABELS_UNRELATED.suspect(replace(measured, references=words)) is None
    for near in (
        Neighbours(0.5, 0.333, 30.0),
        replace(NO_SIGN, means_z=5.0),  # hard: the signal is too weak for neighbours
        replace(NO_SIGN, balanced_z=4.0),  # a frequent class hides the rare ones
    ):
        assert LABELS_UNRELATED.suspect(replace(measured, neighbours=near)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"references": References((reference("knn", 0.42, 0.08),))},  # a little above chance
        {"references": None},
        {"neighbours": Neighbours(0.335, 0.333, 0.4)},  # the means were not looked at
        {"neighbours": replace(NO_SIGN, means_z=2.8)},  # a weak signal may be there
        {"labels": Labels(("joy", "anger", "fear"), (500, 50, 50), (66, 67, 67), 600, 200)},
    ],
)
def test_unrelated_labels_are_likely_where_something_was_not_asked(
    changes: dict[str, Any],
) -> None:
    known = {"references": CHANCE, "neighbours": NO_SIGN, **changes}
    found = LABELS_UNRELATED.suspect(healthy(learning=learning(**BY_CHANCE), **known))
    assert found is not None
    assert not found.measured
    assert (found.strength < LIKELY) == (known["neighbours"].strongest >= 2.5)


@pytest.mark.parametrize(
    ("counts", "judged"), [((120, 20), False), ((380, 20), True), ((392, 8), False)]
)
def test_few_texts_of_a_class_say_something_only_among_many(
    counts: tuple[int, int], judged: bool
) -> None:
    known = {"references": CHANCE, "neighbours": NO_SIGN}
    labels = Labels(("joy", "anger"), counts, (100, 100), sum(counts), 200)
    measured = healthy(learning=learning(**BY_CHANCE), labels=labels, **known)
    assert (LABELS_UNRELATED.suspect(measured) is not None) == judged


def test_of_arrays_the_vectors_may_be_of_other_texts() -> None:
    alone = References((reference("logistic", 0.34, 0.0),))
    told = [
        LABELS_UNRELATED.suspect(
            healthy(learning=learning(**BY_CHANCE), neighbours=NO_SIGN, references=references)
        )
        for references in (CHANCE, alone)
    ]
    assert [one.explanation for one in told if one] == [
        "the labels have nothing to do with these texts",
        "labels and vectors are not of the same texts",
    ]
    assert [one.remedy.words.startswith("encode 50") for one in told if one] == [False, True]


def test_labels_that_slip_are_told_with_row_and_offset() -> None:
    near = Neighbours(
        0.45,
        0.33,
        12.0,
        break_row=597,
        z_before=14.0,
        z_after=0.1,
        agreement_before=0.6,
        agreement_after=0.33,
        offset=1,
        offset_agreement=0.6,
    )
    found = LABELS_UNRELATED.suspect(healthy(neighbours=near))
    assert found is not None
    assert found.measured
    assert "labels have slipped by 1 row from data row 597 on" in found.explanation
    assert found.counterfactuals[0].trainings == 0
    whole = Neighbours(0.33, 0.33, 0.2, offset=-2, offset_agreement=0.6)
    found = LABELS_UNRELATED.suspect(healthy(neighbours=whole))
    assert found is not None
    assert not found.measured
    assert "2 rows" in found.explanation


def test_labels_that_belong_only_behind_a_row_are_told_with_it() -> None:
    near = Neighbours(
        0.42,
        0.33,
        9.0,
        rises=True,
        break_row=5_970,
        z_before=0.2,
        z_after=14.0,
        agreement_before=0.33,
        agreement_after=0.6,
    )
    found = LABELS_UNRELATED.suspect(healthy(neighbours=near))
    assert found is not None
    assert found.measured
    assert "are those of other texts up to data row 5,970" in found.explanation
    assert found.evidence[0].value == "33%"
    assert found.evidence[0].comparison == "behind it: 60%; shuffled labels: 33%"
    weak = replace(near, z_after=3.5)
    assert LABELS_UNRELATED.suspect(healthy(neighbours=weak)) is None


def test_a_pair_that_is_answered_by_chance_overlaps() -> None:
    coin = learning(confused=((0, 1, 30, 60),))
    found = CLASSES_OVERLAP.suspect(healthy(learning=coin))
    assert found is not None
    assert found.headline == "30 of 40 errors are between 'joy' and 'anger'."
    told = learning(confused=((0, 1, 12, 120),))
    assert CLASSES_OVERLAP.suspect(healthy(learning=told)) is None
    near = replace(STRONG, closest=(1, 0), closest_left_out=(55, 160))
    assert CLASSES_OVERLAP.suspect(healthy(learning=coin, neighbours=near)) is None
    others = replace(near, closest=(1, 2))
    assert CLASSES_OVERLAP.suspect(healthy(learning=coin, neighbours=others)) is not None


def test_classes_that_nothing_tells_apart_overlap_though_no_reference_is_ahead() -> None:
    halves = replace(STRONG, closest=(0, 2), closest_z=2.5, usual_z=30.0)
    found = CLASSES_OVERLAP.suspect(healthy(neighbours=halves))
    assert found is not None
    assert "joy and fear overlap" in found.explanation.replace("'", "")
    assert not found.measured  # counting them as one has to prove it
    for certain in (
        replace(halves, closest_z=0.4, closest_left_out=(35, 80)),
        replace(halves, closest_confused=(4, 9)),
    ):
        found = CLASSES_OVERLAP.suspect(healthy(neighbours=certain))
        assert found is not None
        assert found.measured
    for quiet in (
        replace(halves, closest_z=6.0),
        replace(halves, usual_z=5.0),
        replace(halves, closest_z=0.4, closest_confused=(1, 12)),
        replace(halves, closest_z=0.4, closest_left_out=(55, 160)),
    ):
        assert CLASSES_OVERLAP.suspect(healthy(neighbours=quiet)) is None


def test_equal_texts_with_unequal_labels_are_counted() -> None:
    found = LABEL_NOISE.suspect(healthy(audit=Audit(conflicts_share=0.12)))
    assert found is not None
    assert found.measured
    assert found.headline.startswith("12% of the training texts stand there with another label")
    assert LABEL_NOISE.suspect(healthy(audit=Audit(conflicts_share=0.01))) is None


def test_classes_of_texts_that_are_cut_off_are_not_judged() -> None:
    halves = replace(STRONG, closest=(0, 2), closest_z=0.4, usual_z=30.0)
    for cut, silent in ((0.1, False), (0.6, True)):
        known = healthy(neighbours=halves, audit=Audit(truncated_share=cut))
        assert (CLASSES_OVERLAP.suspect(known) is None) is silent


def test_spellings_of_one_label_are_measured() -> None:
    names = Labels(("Joy", "joy", "fear"), (200,) * 3, (66,) * 3, 600, 200)
    audit = Audit(variants=(("Joy", "joy"),))
    found = CLASSES_OVERLAP.suspect(healthy(labels=names, audit=audit))
    assert found is not None
    assert found.measured
