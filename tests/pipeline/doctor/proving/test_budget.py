"""What counts in a budget, and what it is where none was given."""

from __future__ import annotations

import time

from pipeline.doctor.proving.budget import Budget


def test_measuring_counts_and_one_training_always_fits() -> None:
    short, long = Budget(None, training=5.0), Budget(None, training=300.0)
    for each in (short, long):
        each.measured = 20.0
    assert (short.seconds, long.seconds) == (60.0, 320.0)
    assert Budget(7.0, training=300.0).seconds == 7.0


def test_time_in_which_others_have_the_processor_does_not_count() -> None:
    budget = Budget(1.0, training=1.0)
    time.sleep(0.2)
    assert budget.spent < 0.1
    ends = time.process_time() + 0.2
    while time.process_time() < ends:
        pass
    assert budget.spent >= 0.2
    assert budget.allows(0.1)
    assert not budget.allows(1.0)


def test_a_training_costs_what_trainings_took_here() -> None:
    budget = Budget(None, training=100.0)
    time.sleep(0.05)
    budget.end_measuring()
    assert budget.price < 100.0, "the machine was not ours"
    assert Budget(300.0, training=100.0).price == 100.0, "a budget that was asked for is kept"
    began = budget.spent
    budget.note_training(began - 4.0, trainings=2.0)
    assert 2.0 <= budget.price < 3.0
    budget.note_training(began - 500.0)
    assert budget.price == 100.0


def test_the_budget_to_ask_for_is_round() -> None:
    assert Budget(5.0, training=1.0).wanted(33.0) == 40
