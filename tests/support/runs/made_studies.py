"""Studies that were never trained: what a trial comes to is known by its settings."""

from __future__ import annotations

import math
import time
import zlib
from pathlib import Path

import numpy as np

from pipeline.search.candidate import Candidate, Job, Outcome, packed
from pipeline.search.halving import IsBehind
from pipeline.search.loop import Loop, OneByOne, Plan
from pipeline.search.records.journal import Journal
from pipeline.search.records.study import NamedWinner, Study, StudyDescription
from pipeline.search.space import Arm, make_space

TEXTS = 200
ARMS = (
    Arm("logistic", "pooled", "an encoder"),
    Arm("mlp", "pooled", "an encoder"),
    Arm("cnn", "tokens", "an encoder"),
)
FAILURE = "the loss must stay finite </title><script>alert(1)</script>"


def made_study(
    runs: Path, trials: int = 30, name: str = "made", data: str = "my data.csv"
) -> Study:
    """Return a study with a named winner, whose run is not there.

    Args:
        runs: the folder of runs.
        trials: drawn ones.
        name: of the study.
        data: its file.
    """
    decided = {"arms": [arm.name for arm in ARMS], "space": {"wins": "accuracy"}, "seed": 0}
    study = Study(
        runs / f"study-{name}", StudyDescription(("--data", data, "--trials=30"), decided)
    )
    study.begin()
    plan = Plan(
        simple=[Job(Candidate("majority"), (0,)), *(Job(a.candidate({}), (0,)) for a in ARMS)],
        arms=ARMS,
        space=make_space(None, ("logistic", "mlp", "cnn"), 3),
        seeds=(0,),
        trials=trials,
        budget=None,
        repeats=3,
        texts=TEXTS,
    )
    clock = time.time()

    def train(job: Job, is_behind: IsBehind | None) -> Outcome:
        nonlocal clock
        outcome = made_outcome(job, clock)
        clock = outcome.ended
        return outcome

    with Journal(study.folder, 0, "random") as journal:
        loop = Loop(journal, plan, OneByOne(train))
        loop.try_candidates()
        found = loop.repeat_best()
    keys = tuple(one.candidate.key for one in found)
    study.name_winner(
        NamedWinner(keys[0], "a-run", 1, keys, 3, TEXTS, "", "manyheads train --head cnn")
    )
    return study


def made_outcome(job: Job, clock: float) -> Outcome:
    """Return what a job comes to: best near a learning rate of 0.003, and with luck."""
    candidate, rows = job.candidate, []
    rate = float(candidate.settings.get("learning_rate", 2e-3))
    usual = {"majority": 0.3, "logistic": 0.6, "mlp": 0.62, "cnn": 0.68}[candidate.head]
    share = usual - 0.08 * abs(math.log10(rate / 3e-3))
    seconds = 1.0 + 10 * usual
    if candidate.settings.get("dropout") == 0.2 and rate > 5e-3:
        return Outcome(seconds=seconds, ended=clock + seconds, failed=FAILURE)
    for seed in job.seeds:
        own = np.random.default_rng(zlib.crc32(f"{candidate.key}{seed}".encode()))
        rows.append(own.random(TEXTS) < share)
    return Outcome(
        accuracy=float(np.mean(rows)),
        loss=2 - share,
        seconds=seconds,
        ended=clock + seconds,
        epochs=6,
        parameters=1000 * (1 + len(candidate.settings)),
        curve=(0.3, 0.5, round(share, 3)),
        right=tuple(map(packed, rows)),
    )
