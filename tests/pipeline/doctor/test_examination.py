"""The order of an examination: what is tried, what is told, and when nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from heads.registry import make_settings
from pipeline.doctor.case import Case
from pipeline.doctor.cause import Cause, Stage
from pipeline.doctor.counterfactual import ChangedSettings, Rescoring, Trial
from pipeline.doctor.examination import examine
from pipeline.doctor.findings import Evidence, Remedy, Suspicion
from pipeline.doctor.measurements import Measurements, References
from pipeline.doctor.telling import verdict_text, verdict_values
from tests.support.doctor.cases import healthy, reference, trained_case
from tests.support.tables import cluster_problem, marker_problem


@cache
def small_case() -> Case:
    """Return a training that takes no time."""
    return trained_case(cluster_problem(400), "logistic")


def behind() -> Measurements:
    """Return measurements of a head that a reference beats by 20 points."""
    return healthy(references=References((reference("logistic", 0.9, 0.2),)))


def suspicion(strength: float = 0.8, gain: float | None = None, **fields: object) -> Suspicion:
    """Return a suspicion; its one counterfactual gains a share of all texts, None: has none."""

    def compare(case: Case) -> Trial:
        before = np.arange(200) < 100
        return Trial(before, np.arange(200) < 100 + 200 * (gain or 0.0))

    made = Suspicion(
        strength,
        "Your head is ill.",
        "the cause is known",
        (Evidence("one number", "8", "1 is usual"),),
        Remedy("change it", settings=(("c", "1"),)),
        () if gain is None else (Rescoring("that", compare),),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def cause(
    name: str,
    found: Suspicion | None,
    stage: Stage = "learning",
    exclude: Callable[[Measurements], str | None] = lambda measured: None,
) -> Cause:
    """Return a cause that always says the same."""
    return Cause(name, name, stage, lambda measured: found, exclude)


def verdict(*causes: Cause, known: Measurements | None = None, **options: object):  # type: ignore[no-untyped-def]
    return examine(small_case(), known=known or behind(), causes=causes, **options)  # type: ignore[arg-type]


def test_what_a_change_mends_is_proven_and_what_it_does_not_is_ruled_out() -> None:
    found = verdict(cause("tempting", suspicion(0.9, 0.0)), cause("right", suspicion(0.6, 0.3)))
    (finding,) = found.findings
    assert (finding.cause, finding.certainty) == ("right", "proven")
    assert [one.cause for one in found.ruled_out] == ["tempting"]
    text = verdict_text(found)
    assert "Cause, proven: the cause is known. One number: 8 (1 is usual)." in text
    assert "accuracy 50.0% -> 80.0%" in text
    assert "Ruled out: tempting (that: 50.0% -> 50.0%)." in text


def test_a_score_that_cannot_be_trusted_comes_first_and_ends_the_search() -> None:
    found = verdict(
        cause("low", suspicion(0.9, 0.3)),
        cause("copies", suspicion(0.5, measured=True), "sides"),
    )
    assert [(one.cause, one.certainty) for one in found.findings] == [("copies", "measured")]
    both = verdict(
        cause("low", suspicion(0.9, 0.3)),
        cause("copies", suspicion(0.5, measured=True), "sides"),
        every=True,
    )
    assert [one.cause for one in both.findings] == ["copies", "low"]


def test_a_change_that_brings_little_back_does_not_end_the_search() -> None:
    found = verdict(cause("part", suspicion(0.9, 0.08)), cause("whole", suspicion(0.5, 0.3)))
    assert [one.cause for one in found.findings] == ["whole", "part"]


def test_a_proof_that_further_tries_take_back_is_told_as_none() -> None:
    def compare(case: Case) -> Trial:  # 13 texts better, 4 worse: enough alone, not of two
        before = np.arange(200) < 100
        return Trial(before, (before & (np.arange(200) >= 4)) | (np.arange(200) // 13 == 12))

    faint = replace(suspicion(0.9), counterfactuals=(Rescoring("that", compare),))
    (alone,) = verdict(cause("faint", faint)).findings
    assert alone.certainty == "proven"
    of_two = verdict(cause("faint", faint), cause("other", suspicion(0.5, 0.0)))
    (told,) = of_two.findings
    assert (told.cause, told.certainty) == ("faint", "likely")
    assert "not enough to tell" in verdict_text(of_two)


def test_signals_alone_are_likely_and_two_alike_are_not_told_apart() -> None:
    (one,) = verdict(cause("first", suspicion(0.8))).findings
    assert one.certainty == "likely"
    two = verdict(cause("first", suspicion(0.8)), cause("second", suspicion(0.75)))
    assert [each.certainty for each in two.findings] == ["not told apart", "likely"]
    assert "not told apart" in verdict_text(two)
    assert "1 more: --all" in verdict_text(two)


def test_without_an_illness_signals_are_not_told() -> None:
    found = verdict(cause("first", suspicion(0.9)), known=healthy())
    assert (found.state, found.findings) == ("healthy", ())
    assert verdict_text(found).startswith("Nothing to mend: 80.0% of 200 validation texts")
    assert "\n" not in verdict_text(found)


def test_an_illness_without_a_cause_is_unknown() -> None:
    found = verdict(cause("first", None, exclude=lambda measured: "logistic reaches 90 %"))
    assert (found.state, found.findings) == ("unknown", ())
    assert "first (logistic reaches 90 %)" in verdict_text(found)


def test_nothing_is_tried_without_proof_or_beyond_the_budget() -> None:
    def never(case: Case) -> Trial:
        raise AssertionError

    guarded = replace(suspicion(0.8), counterfactuals=(Rescoring("that", never),))
    assert verdict(cause("first", guarded), prove=False).findings[0].certainty == "likely"
    found = verdict(cause("first", guarded), budget=0.5)
    assert found.findings[0].certainty == "likely"
    late = "Not tried to the end for lack of time: first (--budget 10)."
    assert late in verdict_text(found)
    (line,) = verdict_text(
        verdict(cause("first", guarded), known=healthy(), budget=0.5)
    ).splitlines()
    assert line.startswith("Nothing to mend: ")
    assert line.endswith(late)


def with_c(value: float) -> Callable[[Case], Case]:
    """Return what puts a setting in place."""
    settings = make_settings("logistic", {"c": value})
    return lambda case: replace(case, settings=settings)


def while_c(value: float, found: Suspicion) -> Callable[[Measurements], Suspicion | None]:
    """Return a rule that says something only under one value of a setting."""
    return lambda measured: found if measured.settings.values.get("c") == [value] else None


def mended(gain: float = 0.3) -> Suspicion:
    """Return a suspicion whose change can be put in place: c is 2 then."""
    (proof,) = suspicion(gain=gain).counterfactuals
    assert isinstance(proof, Rescoring)
    return suspicion(counterfactuals=(replace(proof, in_place=with_c(2.0)),))


def test_a_second_fault_is_found_behind_the_first() -> None:
    first = Cause(
        "first",
        "first",
        "learning",
        lambda measured: None if measured.settings.values.get("c") == [2.0] else mended(),
    )
    second = Cause("second", "second", "learning", while_c(2.0, suspicion(0.9, 0.2)))
    found = verdict(first, second)
    assert [one.cause for one in found.findings] == ["first"]
    assert found.then is not None
    assert [(one.cause, one.certainty) for one in found.then.findings] == [("second", "proven")]
    text = verdict_text(found)
    assert "then still: the cause is known, proven (that: accuracy 50.0% -> 70.0%)." in text
    alone = verdict(first)
    assert alone.then is not None
    assert (alone.then.state, alone.then.findings) == ("healthy", ())
    assert "With it in place: nothing more to mend: " in verdict_text(alone)
    values = verdict_values(found)["then"]
    assert values["state"] == "ill"
    assert values["findings"][0]["cause"] == "second"
    assert verdict_values(verdict(cause("first", suspicion(0.9, 0.3))))["then"] is None


def test_the_remedy_is_the_change_that_was_proven() -> None:
    class Better(ChangedSettings):
        """A change whose training is not needed."""

        def run(self, case: Case) -> Trial:
            gain = 0.3 if dict(self.settings)["c"] == "3" else 0.0
            return Trial(np.arange(200) < 100, np.arange(200) < 100 + 200 * gain)

    tries = tuple(Better(f"c={value}", (("c", value),)) for value in ("1", "3"))
    (finding,) = verdict(cause("first", suspicion(counterfactuals=tries))).findings
    assert (finding.remedy.words, finding.remedy.settings) == ("set c=3", (("c", "3"),))


def trained_otherwise(*gains: float) -> Suspicion:
    """Return a suspicion whose change trains a head; it gains so much under each seed."""

    def compare(case: Case) -> Trial:
        gain = gains[min(case.seed, len(gains) - 1)]
        return Trial(np.arange(400) < 200, np.arange(400) < 200 + 400 * gain)

    return replace(suspicion(), counterfactuals=(Rescoring("that", compare, trains=True),))


def test_a_small_gain_of_a_training_asks_for_a_second_seed() -> None:
    (steady,) = verdict(cause("first", trained_otherwise(0.04))).findings
    assert steady.certainty == "proven"
    assert steady.tried[0].change == "that, two seeds"
    lucky = verdict(cause("first", trained_otherwise(0.04, -0.04)))
    assert "proven" not in {one.certainty for one in lucky.findings}
    (one_seed,) = verdict(cause("first", trained_otherwise(0.04)), budget=3.0).findings
    assert one_seed.certainty == "likely"
    (large,) = verdict(cause("first", trained_otherwise(0.2))).findings
    assert (large.certainty, large.tried[0].change) == ("proven", "that")


class Helps(ChangedSettings):
    """A change that mends 12 of 100 texts and spoils 4, whichever texts are held out."""

    def run(self, case: Case) -> Trial:
        place = np.arange(len(case.validation)) % 100
        return Trial((place < 50), (place < 46) | ((place >= 50) & (place < 62)))


def test_where_the_validation_texts_leave_it_open_more_texts_are_asked() -> None:
    rule = suspicion(counterfactuals=(Helps("that"),))
    (finding,) = verdict(cause("first", rule)).findings
    assert finding.certainty == "proven"
    (tried,) = finding.tried
    texts = len(small_case().validation)
    assert (tried.parts, tried.texts) == (4, 4 * texts)
    assert f"(that), same {4 * texts} texts, held out in 4 parts: " in verdict_text(
        verdict(cause("first", rule))
    )
    short = verdict(cause("first", rule), budget=3.0)
    assert "Not tried to the end for lack of time: first" in verdict_text(short)
    assert short.findings[0].tried[0].parts == 1


def test_plain_values_say_what_was_tried() -> None:
    values = verdict_values(verdict(cause("right", suspicion(0.6, 0.3))))
    (finding,) = values["findings"]
    tried = finding["counterfactual"]
    assert (tried["change"], tried["before"], tried["after"]) == ("that", 0.5, 0.8)
    assert tried["interval"][0] > 0
    assert values["state"] == "ill"


def test_a_step_far_too_large_is_proven() -> None:
    sick = {"learning_rate": 100.0, "optimizer": "sgd", "averaging": 0.0, "warmup": 0.0}
    sick["schedule"] = "constant"  # a step that shrinks to nothing would mend itself
    settings = {"batch_size": 16, "filters": 16, "precision": "float32", "epochs": 6}
    case = trained_case(marker_problem(600), "cnn", **settings, **sick)
    found = examine(case)
    finding = found.findings[0]
    assert (finding.cause, finding.certainty) == ("step_too_large", "proven")
    assert finding.tried[0].after > finding.tried[0].before + 0.1
    text = verdict_text(found)
    assert "Cause, proven: the step size is too large" in text
    assert "Only that changed (learning_rate 100 -> " in text
    assert found.then is not None
    assert found.then.accuracy is not None
    assert found.then.accuracy > finding.tried[0].before + 0.1
    assert "With it in place" in text
