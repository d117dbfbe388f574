"""Causes of sides and of vectors: what fires them, and the look-alikes that must not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.config import ExperimentConfig
from pipeline.doctor.causes.sides.copies_across import COPIES_ACROSS
from pipeline.doctor.causes.sides.giveaway import GIVEAWAY
from pipeline.doctor.causes.sides.shift import SHIFT
from pipeline.doctor.causes.sides.split_by_order import SPLIT_BY_ORDER
from pipeline.doctor.causes.vectors.cut_off import CUT_OFF
from pipeline.doctor.causes.vectors.long_last_state import LONG_LAST_STATE
from pipeline.doctor.causes.vectors.vectors_broken import VECTORS_BROKEN
from pipeline.doctor.causes.vectors.vectors_lack_it import VECTORS_LACK_IT
from pipeline.doctor.commands import remedy_command
from pipeline.doctor.examination import LIKELY
from pipeline.doctor.measurements import (
    Audit,
    Labels,
    Neighbours,
    References,
    Settings,
    Sides,
    Units,
    Vectors,
)
from tests.support.doctor.cases import healthy, reference
from tests.support.doctor.measured import collapsed, learning, settings

FIT = Sides(auc_validation=0.52, auc_test=0.5, runs_z=0.3, official=True, compared=200)


def test_a_sorted_file_cut_by_its_column_is_a_split_by_order() -> None:
    sorted_file = replace(FIT, apart_validation=0.9, runs_z=-60.0)
    found = SPLIT_BY_ORDER.suspect(healthy(sides=sorted_file))
    assert found is not None
    assert found.measured
    assert found.remedy.options == (("split_column", "none"),)
    lacking = replace(healthy().labels, validation_counts=(50, 0, 0))
    missing = replace(FIT, missing_in_training=("disgust",))
    assert SPLIT_BY_ORDER.suspect(healthy(sides=missing, labels=lacking)) is not None


def test_sorted_arrays_cut_by_their_caller_are_a_split_by_order() -> None:
    given = replace(FIT, apart_validation=0.9, runs_z=-60.0, official=False, given=True)
    found = SPLIT_BY_ORDER.suspect(healthy(sides=given))
    assert found is not None
    assert found.measured
    assert found.remedy.options == ()  # there is no column to leave out
    assert SPLIT_BY_ORDER.suspect(healthy(sides=replace(FIT, given=True))) is None


@pytest.mark.parametrize(
    "sides",
    [
        FIT,
        replace(FIT, runs_z=-60.0),  # a sorted file whose sides are alike
        replace(FIT, apart_validation=0.9, runs_z=-60.0, official=False),
    ],
)
def test_look_alikes_of_a_split_by_order(sides: Sides) -> None:
    assert SPLIT_BY_ORDER.suspect(healthy(sides=sides)) is None
    assert SHIFT.suspect(healthy(sides=sides)) is None


def test_sides_that_a_classifier_tells_apart_are_a_shift() -> None:
    found = SHIFT.suspect(healthy(sides=replace(FIT, auc_test=0.9)))
    assert found is not None
    assert found.measured
    mild = SHIFT.suspect(healthy(sides=replace(FIT, auc_test=0.74)))
    assert mild is not None
    assert not mild.measured
    dealt_here = replace(FIT, auc_test=0.74, official=False)
    assert SHIFT.suspect(healthy(sides=dealt_here)) is None  # chance may do that
    assert SHIFT.suspect(healthy(sides=replace(dealt_here, auc_test=0.9))) is not None


COPIED = replace(
    FIT,
    copied=80,
    copied_accuracy=0.98,
    uncopied_accuracy=0.6,
    uncopied_interval=(0.5, 0.7),
    examples=((803, 14),),
)


def test_copies_that_flatter_are_measured() -> None:
    found = COPIES_ACROSS.suspect(healthy(sides=COPIED))
    assert found is not None
    assert found.measured
    assert found.headline.startswith("Do not trust this 80.0%: 80 of 200")


@pytest.mark.parametrize(
    "changes",
    [
        {"copied": 4},
        {"copied_accuracy": 0.66},  # no easier than the others
        {"uncopied_accuracy": 0.79},  # too few points to matter
    ],
)
def test_copies_that_do_not_matter_are_silent(changes: dict[str, Any]) -> None:
    assert COPIES_ACROSS.suspect(healthy(sides=replace(COPIED, **changes))) is None


def test_tokens_that_give_labels_away() -> None:
    audit = Audit(giveaway_share=0.6, giveaways=(("id_0", "joy"),))
    words = References((reference("tfidf_logistic", 0.99, 0.0),))
    found = GIVEAWAY.suspect(healthy(audit=audit, references=words))
    assert found is not None
    assert not found.measured
    assert "'id_0' (0: any number) stands in 60% of the texts" in found.headline
    assert GIVEAWAY.suspect(healthy(audit=Audit(), references=words)) is None


REACH, SEES_FAR = (1.0, 0.5, 1e-7), (1.0, 0.9, 0.4)


def test_a_last_state_of_long_texts() -> None:
    given = settings("lstm", pooling="last")
    low = collapsed(units=Units(median_length=300.0, reach=REACH), settings=given)
    found = LONG_LAST_STATE.suspect(low)
    assert found is not None
    assert found.remedy.settings == (("pooling", "max"),)
    for quiet in (
        replace(low, settings=settings("lstm", pooling="max")),
        replace(low, units=Units(median_length=20.0, reach=(1.0, 0.5, None))),
        replace(low, units=Units(median_length=300.0, reach=SEES_FAR), references=None),
        healthy(units=low.units, settings=given),  # the end is where the label is
    ):
        assert LONG_LAST_STATE.suspect(quiet) is None


def test_a_last_state_that_sees_far_is_told_only_with_proof() -> None:
    given = settings("lstm", pooling="last")
    far = Units(median_length=60.0, reach=(1.0, 0.9, None))
    mean_ahead = References(
        (reference("logistic", 0.8, 0.2), reference("tfidf_logistic", 0.9, 0.3))
    )
    measured = healthy(units=far, settings=given, references=mean_ahead)
    found = LONG_LAST_STATE.suspect(measured)
    assert found is not None
    assert found.strength < LIKELY
    assert found.evidence[1].comparison == "logistic on the mean vector: 80.0%"
    words_ahead = References(
        (reference("logistic", 0.6, 0.0), reference("tfidf_logistic", 0.9, 0.3))
    )
    for quiet in (
        replace(measured, units=replace(far, median_length=40.0)),
        replace(measured, references=words_ahead),
        replace(measured, settings=settings("lstm", pooling="mean")),
    ):
        assert LONG_LAST_STATE.suspect(quiet) is None


def test_a_last_state_behind_the_mean_of_what_it_sees_is_mended_before_the_cut() -> None:
    ahead = References((reference("logistic", 0.8, 0.2),))
    cut = healthy(
        audit=Audit(truncated_share=0.95, tokens_cut_share=0.5),
        references=ahead,
        units=Units(median_length=96.0),
    )
    assert CUT_OFF.suspect(cut) is not None
    last = replace(cut, settings=settings("lstm", pooling="last"))
    assert CUT_OFF.suspect(last) is None


def test_texts_cut_off_need_to_be_worse() -> None:
    cut = Audit(
        truncated_share=0.5,
        tokens_cut_share=0.3,
        whole_accuracy=0.9,
        truncated_accuracy=0.6,
        truncation_matters=True,
        tokens_wanted=700,
    )
    found = CUT_OFF.suspect(healthy(audit=cut))
    assert found is not None
    assert found.remedy.options == (("max_tokens", "700"),)
    alike = replace(cut, truncation_matters=False)
    assert CUT_OFF.suspect(healthy(audit=alike)) is None
    words = References((reference("tfidf_logistic", 0.81, 0.01),))
    tried = CUT_OFF.suspect(healthy(audit=alike, references=words))
    assert tried is not None
    assert tried.strength < LIKELY  # whole texts have to prove it
    assert (
        CUT_OFF.suspect(healthy(audit=replace(cut, truncated_share=0.1, tokens_cut_share=0.02)))
        is None
    )


def test_words_that_do_better_than_vectors() -> None:
    vectors, words = reference("logistic", 0.8, 0.0), reference("tfidf_logistic", 0.9, 0.1)
    measured = healthy(references=References((vectors, words)))
    found = VECTORS_LACK_IT.suspect(measured)
    assert found is not None
    for head in ("mlp", "logistic"):  # what is proven is typed: on vectors it gains nothing
        typed = remedy_command(ExperimentConfig(head=head), found.remedy)
        assert typed.endswith("--head logistic --layout words")
    unused = References(
        (reference("logistic", 0.84, 0.14), reference("tfidf_logistic", 0.9, 0.2))
    )
    low = healthy(learning=learning(accuracy=0.7), references=unused)
    assert VECTORS_LACK_IT.suspect(low) is None  # the head is at fault first
    given_away = replace(measured, audit=Audit(giveaway_share=0.5))
    later = VECTORS_LACK_IT.suspect(given_away)  # words may see it: that is looked at first
    assert later is not None
    assert later.strength < LIKELY


def test_texts_that_are_cut_off_are_looked_at_before_vectors() -> None:
    words = References((reference("logistic", 0.8, 0.0), reference("tfidf_logistic", 0.9, 0.1)))
    cut = healthy(references=words, audit=Audit(truncated_share=0.6, tokens_cut_share=0.3))
    strengths = [cause.suspect(cut).strength for cause in (CUT_OFF, VECTORS_LACK_IT)]  # type: ignore[union-attr]
    assert strengths[0] > strengths[1]


KNN = Settings("knn", "pooled", {"k": [1]})
SOUND = Vectors(384, 0.01, 1.4, 0.2, 150.0, 0.0)


def test_equal_vectors_of_unequal_texts_are_measured() -> None:
    broken = replace(SOUND, equal_share=1.0, effective_rank=3.0)
    found = VECTORS_BROKEN.suspect(collapsed(vectors=broken))
    assert found is not None
    assert found.measured
    assert VECTORS_BROKEN.suspect(healthy(vectors=SOUND)) is None


def test_vectors_that_stand_for_texts_of_several_labels_are_measured() -> None:
    some = replace(SOUND, equal_share=0.33, equal_unlike=0.32)
    given = healthy(vectors=some, neighbours=Neighbours(0.5, 0.33, 18.0))
    found = VECTORS_BROKEN.suspect(given)
    assert found is not None
    assert found.measured
    for quiet in (
        replace(given, vectors=replace(some, equal_unlike=0.01)),  # copies of texts
        replace(given, vectors=replace(some, equal_share=0.02)),
        replace(given, neighbours=Neighbours(0.33, 0.33, 0.5)),  # no label belongs to its text
    ):
        told = VECTORS_BROKEN.suspect(quiet)
        assert told is None or not told.measured


@pytest.mark.parametrize(
    "changes", [{"constant_share": 0.6}, {"deviation_ratio": 1e4}, {"mean_cosine": 0.98}]
)
def test_badly_scaled_vectors_matter_to_some_heads(changes: dict[str, float]) -> None:
    broken = replace(SOUND, **changes)
    found = VECTORS_BROKEN.suspect(healthy(vectors=broken, settings=KNN))
    assert found is not None
    assert found.counterfactuals
    assert VECTORS_BROKEN.suspect(healthy(vectors=broken, settings=settings("mlp"))) is None


def test_vectors_of_other_texts_are_told_from_those_that_lack_it() -> None:
    words = References((reference("logistic", 0.1, 0.0), reference("tfidf_logistic", 0.8, 0.7)))
    nothing = Neighbours(0.14, 0.14, -0.5)
    strangers = healthy(vectors=SOUND, neighbours=nothing, references=words)
    found = VECTORS_BROKEN.suspect(strangers)
    assert found is not None
    assert found.measured
    assert "of other texts" in found.explanation
    assert "vectors_lack_it" in found.excludes
    for quiet in (
        replace(strangers, neighbours=Neighbours(0.2, 0.14, 8.0)),  # they know something
        replace(strangers, references=References((reference("tfidf_logistic", 0.2, 0.02),))),
        replace(strangers, audit=Audit(giveaway_share=0.5)),
    ):
        assert VECTORS_BROKEN.suspect(quiet) is None


def test_few_texts_span_few_directions() -> None:
    measured = healthy(vectors=replace(SOUND, effective_rank=5.5), settings=KNN)
    assert VECTORS_BROKEN.suspect(measured) is not None
    few = replace(measured, labels=replace(measured.labels, train_texts=20))
    assert VECTORS_BROKEN.suspect(few) is None


def test_wide_vectors_of_few_directions_are_broken_where_the_head_is_poor() -> None:
    labels = Labels(("joy", "anger"), (200, 200), (80, 80), 400, 160)
    narrow = Vectors(384, 0.0, 3.0, 0.1, 11.5, 0.0, scaled_rank=11.6)
    poor = learning(accuracy=0.59)
    measured = healthy(vectors=narrow, labels=labels, learning=poor)
    found = VECTORS_BROKEN.suspect(measured)
    assert found is not None
    assert found.measured
    assert found.evidence[0].value == "11.5 of 384"
    for quiet in (
        replace(measured, vectors=replace(narrow, scaled_rank=60.0)),  # one large feature
        replace(measured, learning=learning(accuracy=0.95)),  # good ones
        replace(measured, labels=replace(labels, train_texts=60)),  # few texts span few
        replace(measured, vectors=replace(narrow, width=48, scaled_rank=2.0)),
        replace(measured, vectors=replace(narrow, scaled_rank=None)),  # an older record
    ):
        told = VECTORS_BROKEN.suspect(quiet)
        assert told is None or not told.measured
