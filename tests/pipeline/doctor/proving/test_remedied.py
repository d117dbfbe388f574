"""A case with its proven remedy in place: what is changed, and what is trained anew."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from features.corpus.corpus import Corpus
from pipeline.doctor.case import Case
from pipeline.doctor.changes.labels import with_moved_back
from pipeline.doctor.changes.sides import dealt_anew
from pipeline.doctor.counterfactual import ChangedData, ChangedSettings, Rescoring
from pipeline.doctor.findings import Remedy
from pipeline.doctor.measuring.labels.neighbours import moved_labels
from pipeline.doctor.proving.remedied import proven_remedy, trained, with_remedy
from pipeline.doctor.proving.tried import Tried
from tests.support.doctor.cases import trained_case
from tests.support.tables import cluster_problem


@cache
def case() -> Case:
    """Return a training that takes no time."""
    return trained_case(cluster_problem(400), "logistic")


def tried(own: ChangedSettings | ChangedData) -> Tried:
    """Return a change after it was tried on the case."""
    return Tried("first", own, own.run(case()))


def test_a_head_that_proved_the_remedy_is_not_trained_again() -> None:
    proof = tried(ChangedSettings("c=2", (("c", "2"),)))
    changed = with_remedy(case(), Remedy("set c=2", (("c", "2"),)), proof)
    assert changed is not None
    assert proof.trial.trained is not None
    assert changed.trained is proof.trial.trained
    more = Remedy("set c=2", (("c", "2"), ("standardize", "true")))
    other = with_remedy(case(), more, proof)
    assert other is not None
    assert other.trained is None
    whole = trained(other)
    assert whole.settings.model_dump()["standardize"] is True
    assert len(whole.logits) == len(case().validation)
    took = sum(record.seconds for record in proof.trial.trained.history)
    assert changed.seconds == took, "of one training, whatever else the proof did"
    assert whole.seconds > 0


def test_data_are_changed_as_the_proof_did_it() -> None:
    corpus = Corpus(("a",) * 400, ("b",) * 400, ("train",) * 400)
    split = replace(case(), corpus=corpus)
    own = ChangedData("dealt anew", dealt_anew)
    changed = with_remedy(
        split, Remedy("deal anew", options=(("split_column", "none"),)), tried(own)
    )
    assert changed is not None
    assert changed.corpus is not None
    assert changed.corpus.splits is None, "the split column decides no longer"
    assert not np.array_equal(changed.validation, split.validation)


def test_labels_that_have_slipped_are_moved_back() -> None:
    names = tuple(case().classes[one] for one in case().labels)
    slipped = moved_labels(case().labels, 1, 200)
    corpus = Corpus(("a",) * 400, tuple(case().classes[one] for one in slipped))
    fixed = with_moved_back(-1)(replace(case(), labels=slipped, corpus=corpus))
    assert (slipped == case().labels).mean() < 0.6
    assert (fixed.labels == case().labels).mean() > 0.8
    assert fixed.corpus is not None
    assert fixed.corpus.labels is not None
    told = zip(fixed.corpus.labels, names, strict=True)
    assert np.mean([one == other for one, other in told]) > 0.8


def test_what_cannot_be_put_in_place_is_left() -> None:
    proof = Tried("first", Rescoring("otherwise", lambda one: tried_nothing()), tried_nothing())
    assert with_remedy(case(), Remedy("encode again"), proof) is None
    worse = ChangedData("half of the texts", dealt_anew, expected="falls")
    assert with_remedy(case(), Remedy("label more texts", stops=True), tried(worse)) is None
    module = replace(case(), head="")
    assert with_remedy(module, Remedy("mend it"), tried(ChangedSettings("c=2"))) is None


def tried_nothing():  # type: ignore[no-untyped-def]
    return tried(ChangedSettings("c=1", (("c", "1"),))).trial


def test_a_rule_with_several_changes_names_the_proven_one() -> None:
    proof = tried(ChangedSettings("head -> knn", head="knn", layout="pooled"))
    rule = Remedy("take a smaller head", settings=(("c", "1"),))
    assert proven_remedy(rule, proof) == Remedy("train knn", head="knn")
    same = tried(ChangedSettings("c=1", (("c", "1"),)))
    warm = Remedy("set c=1, with more", settings=(("c", "1"), ("standardize", "true")))
    assert proven_remedy(warm, same) is warm
    assert proven_remedy(rule, None) is rule
