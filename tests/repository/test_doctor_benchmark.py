"""The benchmark of the doctor in short: what is seeded, what is counted, some 20 small runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.doctor import case as cases
from benchmarks.doctor import changes, plan
from benchmarks.doctor.candidates import data_faults
from benchmarks.doctor.candidates.data_faults import in_order, noisy, shifted, slipped, uneven
from benchmarks.doctor.candidates.faults import FAULTS, REPORT, TUNE, setting_cases
from benchmarks.doctor.candidates.foreign import builder
from benchmarks.doctor.case import Difference, Outcome, Trial, difference, untruth
from benchmarks.doctor.changes import Tried, right_causes
from benchmarks.doctor.diagnosis import diagnose
from benchmarks.doctor.journal import append, read_journal
from benchmarks.doctor.material import Ingredients, grammar, stratified, synthetic
from benchmarks.doctor.measures import (
    DOCTOR,
    Share,
    by_cause,
    judge,
    proven,
    repair,
    report,
)
from benchmarks.doctor.rivals.forest import add_forest
from benchmarks.doctor.rivals.records import Records, record
from benchmarks.doctor.rivals.rules import (
    autotrainer,
    deepdiagnosis,
    sagemaker,
    thedeepchecker,
    umlaut,
    without_inputs,
)
from benchmarks.doctor.worker import Worker
from features.vectors.table import POOLED
from heads.registry import make_settings

SMALL = synthetic(240, 3, 6, 16, strength=5.0, spots=3, seed=1)
NOTHING = Ingredients(Path("none"))


def trial(head: str = "logistic", **settings: object) -> Trial:
    return cases.deal(SMALL, head, settings, np.random.default_rng(0))


def outcome(right: list[int], cut: int = 2) -> Outcome:
    values = np.array(right, np.float64)
    empty = np.zeros((0, 2), np.float32)
    return Outcome(empty, empty, values, np.full(len(right), 1 / len(right)), cut, 1.0)


def test_every_cause_has_a_variant_in_each_half() -> None:
    request = [plan.Request(half, Path(), Path(), Path()) for half in (TUNE, REPORT)]
    tune, held = ({case.name: case for case in plan.cases_of(each)} for each in request)
    assert not tune.keys() & held.keys()
    causes = [
        {cause for case in half.values() for cause in case.causes} for half in (tune, held)
    ]
    assert causes[0] == causes[1]
    assert len(causes[0]) == 26  # batch_dependence and gradient_fault are one cause of the 25
    assert all("/1" in name for name in tune if not name.startswith("healthy"))


def test_halves_share_no_corpus() -> None:
    corpora = [
        {case.name.split("/")[2] for case in plan.cases_of(plan.Request(half, *[Path()] * 3))}
        for half in (TUNE, REPORT)
    ]
    assert not corpora[0] & corpora[1]


def test_another_draw_has_the_same_cases_and_other_texts() -> None:
    draws = [plan.Request(REPORT, Path(), Path(), draw=draw) for draw in (1, 2, 3)]
    names = [{case.name for case in plan.cases_of(each)} for each in draws]
    assert names[0] == names[1] == names[2]
    assert len({each.journal for each in draws}) == 3
    assert len({seed for each in draws for seed in each.seeds["training"]}) == 9
    texts = [Ingredients(Path(), seed=seed).material("S2").tables for seed in (0, 1)]
    assert not np.array_equal(texts[0][POOLED].values, texts[1][POOLED].values)


def test_settings_of_all_faults_are_valid() -> None:
    for fault in FAULTS:
        for head in fault.heads:
            for own in (*fault.faulty, fault.twin):
                values = {**fault.base, **own}
                values.pop("class_weights", None)
                make_settings(head, values)


def test_a_limit_keeps_the_mixture() -> None:
    chosen = plan.cases_of(plan.Request(TUNE, Path(), Path(), limit=60))
    healthy = sum(case.healthy for case in chosen)
    assert 25 <= healthy <= 35
    assert sum(case.ill for case in chosen) >= healthy // 2 - 1


def test_slipped_labels_move_by_one_from_a_row_on() -> None:
    pair = slipped(trial(), 1, np.random.default_rng(0), NOTHING)
    start = round(240 * 0.4)
    seen, true = pair.faulty.seen_labels, SMALL.labels
    assert (seen[:start] == true[:start]).all()
    assert (seen[start:-1] == true[start + 1 :]).all()


def test_noise_stays_in_training() -> None:
    pair = noisy(False, trial(), 2, np.random.default_rng(0), NOTHING)
    changed = np.flatnonzero(pair.faulty.seen_labels != SMALL.labels)
    assert 0.25 < len(changed) / len(pair.faulty.train) < 0.55
    assert np.isin(changed, pair.faulty.train).all()


def test_sorted_split_loses_classes_and_numbers_them_last() -> None:
    pair = in_order((0.0, 0.0, 0.0), trial(), 2, np.random.default_rng(0), NOTHING)
    labels = pair.faulty.seen_labels
    known = labels[pair.faulty.train].max()
    assert known == 1
    assert (labels[pair.faulty.fresh] > known).all()
    found = cases.train(pair.faulty, 0)
    assert found.validation.shape[1] == len(pair.faulty.known) == 2
    uneven = replace(pair.faulty, train=pair.faulty.train[20:])
    assert not diagnose(uneven, cases.train(uneven, 0), 0, prove=False).error


def test_uneven_classes_keep_the_size_of_the_twin() -> None:
    pair = uneven((0.8, 0.9, 0.96), trial(), 1, np.random.default_rng(0), NOTHING)
    sizes = np.bincount(pair.faulty.seen_labels[pair.faulty.train])
    assert sizes[0] / sizes.sum() == pytest.approx(0.9, abs=0.03)
    assert len(pair.faulty.train) == pytest.approx(len(pair.twin.train), rel=0.05)


def test_shift_touches_only_fresh_texts() -> None:
    pair = shifted(trial(), 2, np.random.default_rng(0), NOTHING)
    before, after = SMALL.tables["pooled"].values, pair.faulty.table.values
    changed = np.flatnonzero(np.abs(before - after).max(axis=1) > 0.1)
    assert changed.tolist() == pair.faulty.fresh.tolist()


def test_copies_are_near_and_on_the_training_side() -> None:
    pair = data_faults.copied(False, trial("knn"), 1, np.random.default_rng(0), NOTHING)
    extra = np.setdiff1d(pair.faulty.train, trial().train)
    assert len(extra) == round(0.3 * len(trial().validation))
    vectors = pair.faulty.table.values
    gaps = [np.abs(vectors[row] - vectors[trial().validation]).max(1).min() for row in extra]
    assert max(gaps) < 0.1


def test_grammar_shows_the_class_by_its_cue_words() -> None:
    texts, labels = grammar(60, seed=1)
    assert sorted(set(labels)) == [f"topic {i}" for i in range(1, 7)]
    assert all(8 <= len(text.split()) <= 16 for text in texts)
    assert grammar(60, seed=1) == (texts, labels)


def test_sides_are_stratified_and_whole() -> None:
    sides = stratified(SMALL.labels, (0.5, 0.2, 0.3), np.random.default_rng(0))
    assert sorted(np.concatenate(sides).tolist()) == list(range(240))
    assert [np.bincount(SMALL.labels[side]).tolist() for side in sides] == [
        [40] * 3,
        [16] * 3,
        [24] * 3,
    ]


def test_difference_is_paired_and_counts_seeds() -> None:
    better, worse = outcome([1, 1, 1, 1]), outcome([1, 1, 0, 0])
    found = difference([better], [worse])
    assert found.points == 50
    assert found.error == pytest.approx(25)
    assert difference([better, worse], [worse, worse]).error > 0
    assert Difference(10.0, 2.0).beyond(3, 0.01)
    assert not Difference(10.0, 6.0).beyond(3, 0.01)
    assert untruth([outcome([1, 1, 0, 0])]).points == 100


def test_right_causes_are_the_seeded_and_what_regains() -> None:
    tried = [
        Tried("a", "overfit", Difference(9.0, 1.0), 50.0, 1.0),
        Tried("b", "too_few_steps", Difference(3.0, 1.0), 50.0, 1.0),
        Tried("c", "", Difference(30.0, 1.0), 50.0, 1.0),
    ]
    assert right_causes(("step_too_small",), (), 10.0, tried) == ("step_too_small", "overfit")


def test_changes_leave_out_what_changes_nothing() -> None:
    names = {
        change.name
        for change in changes.CHANGES
        if change is not None and change.name != "rate suggested" and change.apply(trial("mlp"))
    }
    assert {"logistic", "rate / 10", "epochs x 3", "no dropout"} <= names
    assert not {"maximum", "clip", "relu", "cross-entropy", "sides dealt anew"} & names


def test_rules_of_the_tools() -> None:
    calm = Records(
        rate=1e-3,
        train_loss=[1.0, 0.7, 0.5],
        train_accuracy=[0.6, 0.7, 0.8],
        loss=[1.0, 0.8, 0.54],
        accuracy=[0.6, 0.7, 0.75],
        first=[0.1],
        last=[0.1],
        mean=[1e-3],
        zeros=[0.1],
        updates=[-3.0],
        counts=(50, 50),
    )
    for rules in (umlaut, deepdiagnosis, sagemaker, thedeepchecker):
        assert rules(calm) == []
    names = lambda found: {name for name, _ in found}  # noqa: E731
    assert names(autotrainer(calm)) == {"oscillation"}  # it counts rises, too
    assert "rate high" in names(umlaut(Records(rate=0.02, counts=(1,))))
    assert "updates small" in names(thedeepchecker(Records(updates=[-5.0], counts=(1,))))
    assert "imbalance" in names(sagemaker(Records(counts=(100, 5))))
    outside = deepdiagnosis(Records(outside=0.5, counts=(1,)))
    assert names(outside) == {"data"}
    assert without_inputs(outside) == []


def test_records_are_of_the_same_training() -> None:
    own = trial("mlp", epochs=4, patience=4, min_steps=0)
    found, seen = cases.train(own, 3), record(own, 3)
    assert seen.accuracy == [each.validation_accuracy for each in found.trained.history]
    assert seen.updates
    assert -6 < np.median(seen.updates) < -1


def test_what_is_said_to_cost_nothing_is_no_alarm_where_it_does_not() -> None:
    squashed = {"alarm": True, "causes": [["output_squashed"]], "certain": ["proven"]}
    truth = {"record": "truth", "case": "c", "kind": "harmless", "seeded": [], "right": []}
    for harmless, counted in ((True, Share(0, 0)), (False, Share(0, 1))):
        said = {**squashed, "harmless": [harmless]}
        run = {"record": "run", "case": "c", "seed": 1, "seconds": 1.0, "said": {DOCTOR: said}}
        judged = judge([truth, run], DOCTOR)
        assert judged.silent(judged.lines[0]) == harmless
        assert proven(judged)[0] == counted


def test_wilson_intervals() -> None:
    assert Share(10, 200).interval == pytest.approx((0.027, 0.090), abs=5e-4)
    assert Share(0, 200).interval == pytest.approx((0.0, 0.019), abs=5e-4)
    assert str(Share(0, 0)) == "-"


def lines() -> list[dict[str, Any]]:
    def run(
        case: str, seed: int, cause: str, how: str, regained: float | None
    ) -> dict[str, Any]:
        said = {
            "alarm": bool(cause),
            "state": "ill" if cause else "healthy",
            "causes": [[cause]] if cause else [],
            "certain": [how] if cause else [],
            "regained": regained,
            "seconds": 2.0,
        }
        return {
            "record": "run",
            "case": case,
            "seed": seed,
            "seconds": 1.0,
            "said": {DOCTOR: said},
            "measured": {"x": float(seed), "y": float(len(cause))},
        }

    fault = {"record": "truth", "case": "f", "kind": "fault", "seeded": ["overfit"]}
    fault["effect"] = "loss"
    well = {"record": "truth", "case": "h", "kind": "healthy", "seeded": [], "right": []}
    return [
        {**fault, "right": ["overfit", "too_few_texts"]},
        well,
        run("f", 1, "too_few_texts", "proven", 0.9),
        run("f", 2, "step_too_small", "proven", 0.1),
        run("h", 1, "", "", None),
        run("h", 2, "overfit", "likely", None),
    ]


def test_measures_of_known_answers() -> None:
    judged = judge(lines(), DOCTOR)
    assert by_cause(judged, 1) == {"overfit": Share(1, 2)}
    assert proven(judged) == (Share(1, 2), Share(1, 1))
    assert repair(judged) == (Share(1, 2), pytest.approx(0.5))
    text = report(lines(), "tune")
    assert "| doctor | 1/2 = 50% (9% to 91%) |" in text
    assert "| f | 2 | step_too_small | proven |" in text
    assert "| h | 2 | overfit | likely |" in text


def test_forest_answers_cases_that_it_did_not_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.doctor.rivals.forest.TREES", 5)
    many = []
    for number in range(20):
        kind = "fault" if number % 2 else "healthy"
        seeded = ["overfit"] if number % 2 else []
        truth = {"record": "truth", "case": str(number), "kind": kind, "seeded": seeded}
        run = {"record": "run", "case": str(number), "seed": 1, "said": {}}
        many += [truth, {**run, "measured": {"gap": float(number % 2)}}]
    answered = [line for line in add_forest(many, [], "forest") if line["record"] == "run"]
    assert [line["said"]["forest"]["alarm"] for line in answered] == [False, True] * 10


def test_a_kill_loses_one_line(tmp_path: Path) -> None:
    path = tmp_path / "tune.jsonl"
    append(path, {"record": "truth", "case": "a", "score": np.float64(1.5)})
    append(path, {"record": "run", "case": "a", "seen": (1, 2)})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"record": "ru')
    assert [line["record"] for line in read_journal(path)] == ["truth", "run"]
    assert path.read_bytes() == whole


SAMPLE = (
    "label_noise/1-noisy/S/mlp/1",
    "labels_unrelated/1-slipped/S/logistic/2",
    "split_by_order/1-in_order/S/logistic/2",
    "vectors_broken/1-unscaled/S/knn/2",
    "dead_or_saturated/1/S/mlp/2",
    "healthy/usual/S/logistic/0",
    "healthy/usual/S/knn/0",
)


@pytest.mark.parametrize("sample", [SAMPLE[::2], pytest.param(SAMPLE, marks=pytest.mark.slow)])
def test_a_sample_runs_and_goes_on_where_it_was(
    sample: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = tuple(each for each in changes.CHANGES if each.name in ("logistic", "relu"))
    monkeypatch.setattr(cases, "BASE", {"refit": False, "min_steps": 40, "batch_size": 32})
    monkeypatch.setattr(changes, "CHANGES", some)
    monkeypatch.setattr(changes.try_all, "__defaults__", (some,))
    worker = Worker(plan.Request(TUNE, tmp_path, tmp_path / "cache"))
    worker.ingredients.made["S"] = SMALL
    for name in sample:
        worker.do(name, [])
    found = read_journal(worker.request.journal)
    assert [line for line in found if line["record"] == "error" or line.get("failed")] == []
    runs = [line for line in found if line["record"] == "run"]
    assert {line["case"] for line in found if line["record"] == "truth"} == set(sample)
    assert len(sample) < len(runs) <= 3 * len(sample)
    assert all(DOCTOR in line["said"] and line["measured"] for line in runs)
    done = [line for line in found if line["case"] == sample[0]][:-1]
    worker.do(sample[0], done)
    again = read_journal(worker.request.journal)
    assert len(again) == len(found) + 1
    text = report(again, TUNE)
    assert 'always "learning rate"' in text
    seeds = json.loads(plan.SEEDS.read_text())
    assert seeds["tune"] != seeds["report"] != seeds["report_2"]


def test_setting_faults_and_twins_differ_in_the_fault_alone() -> None:
    ready = Ingredients(Path("none"), made={"S": SMALL})
    for case in setting_cases(TUNE):
        if "/S/" in case.name:
            pair = case.make(ready, np.random.default_rng(0))
            assert pair.faulty.settings != pair.twin.settings
            assert (pair.faulty.train == pair.twin.train).all()


def test_a_users_head_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.doctor.candidates.foreign.EPOCHS", 4)
    squashed = builder({"kind": "mean", "after": "softmax"})
    own = replace(trial("meanmax"), build=squashed)
    found = cases.train(own, 1)
    assert found.right.shape == (len(own.validation) + len(own.fresh),)
    assert record(own, 1).updates
    answer = diagnose(own, found, 1, prove=False)
    assert answer.error == ""
    assert answer.measured["invariances.sums_to_one"] == 1.0
