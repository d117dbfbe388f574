"""Studies with a made-up training: every candidate has answers known by construction.

    python -m tests.support.drivers.search_driver FOLDER KILLS SEED

kills processes at work on one study at random moments, and prints what it did as JSON. It
imports no torch and starts no thread: its children are plain forks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.search.candidate import Candidate, Job, Outcome, Trial, packed
from pipeline.search.halving import IsBehind, StoppedEarly
from pipeline.search.loop import Loop, OneByOne, Plan, score
from pipeline.search.records.journal import DRAWN, LOG, Journal
from pipeline.search.space import Arm, Space, make_space

TEXTS = 60
ARMS = (Arm("logistic", "pooled", "fake"), Arm("mlp", "pooled", "fake"))
TRIALS = 6
KILLED_TRIALS = 15


def plan(space: Space | None = None, trials: int | None = TRIALS, **changes: object) -> Plan:
    """Two heads, two simple candidates, six drawn ones."""
    simple = [Job(Candidate("majority"), (0,)), Job(ARMS[0].candidate({}), (0,))]
    values: dict[str, object] = {
        "simple": simple,
        "arms": ARMS,
        "space": space or make_space(None, ("logistic", "mlp"), 3),
        "seeds": (0,),
        "trials": trials,
        "budget": None,
        "repeats": 2,
        "texts": TEXTS,
    }
    return Plan(**{**values, **changes})  # type: ignore[arg-type]


def killed_plan() -> Plan:
    """More trials, none stopped early: what two processes see of each other does not matter."""
    space = make_space(None, ("logistic", "mlp"), 3)
    return plan(replace(space, halving=False), trials=KILLED_TRIALS)


def train(job: Job, is_behind: IsBehind | None = None, seconds: float = 0.0) -> Outcome:
    """Answer as a candidate's key and seed say: the first of its texts, more or fewer."""
    rows = []
    for seed in job.seeds:
        right = 30 + zlib.crc32(f"{job.candidate.key}{seed}".encode()) % 25
        rows.append(np.arange(TEXTS) < (20 if job.candidate.head == "majority" else right))
    accuracy = float(np.mean(rows))
    curve = [round(accuracy * (0.5 + epoch / 8), 6) for epoch in range(1, 5)]
    time.sleep(seconds)
    try:
        for epoch, value in enumerate(curve, start=1):
            if is_behind and is_behind(epoch, value):
                raise StoppedEarly
    except StoppedEarly:
        return Outcome(curve[epoch - 1], ended=time.time(), curve=tuple(curve), stopped=True)
    return Outcome(
        accuracy,
        1 - accuracy,
        ended=time.time(),
        seconds=seconds,
        epochs=4,
        parameters=10,
        curve=tuple(curve),
        right=tuple(map(packed, rows)),
    )


def facts(trials: list[Trial]) -> dict[str, float]:
    """By number and job what each trial came to, without when."""
    return {f"{each.number} {each.job.key}": each.outcome.accuracy for each in trials}


def search(folder: Path, own: Plan, seconds: float = 0.0, sampler: str = "random") -> Loop:
    """Work on a study until it is done."""
    with Journal(folder, 0, sampler) as journal:
        journal.settle(lambda outcome: score(own.goal, outcome))
        trainer = OneByOne(lambda job, behind: train(job, behind, seconds))
        loop = Loop(journal, own, trainer)
        loop.try_candidates()
        loop.repeat_best()
    return loop


def forked(folder: Path) -> int:
    """A child that works on the study."""
    child = os.fork()
    if child == 0:
        try:
            search(folder, killed_plan(), 0.002)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    return child


def lines(folder: Path) -> int:
    """How many lines the journal has."""
    path = folder / LOG
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def main(folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Kill processes at random moments, two at a time now and then; then let one end.

    Where one ends before it is killed, the next work on a fresh study.
    """
    rng = random.Random(seed)
    killed, studies = 0, [folder / "0"]
    while killed < kills:
        before = lines(studies[-1])
        children = [forked(studies[-1]) for _ in range(rng.choice((1, 1, 2)))]
        wanted = before + rng.randrange(12)
        while lines(studies[-1]) < wanted and not any(map(ended, children)):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.01))
        for child in children:
            os.kill(child, signal.SIGKILL)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        killed += sum(map(os.WIFSIGNALED, statuses))
        if not all(map(os.WIFSIGNALED, statuses)):
            studies.append(folder / str(len(studies)))
    last = [os.waitpid(forked(study), 0)[1] for study in studies]
    found = []
    for study in studies:
        with Journal(study, 0, "random") as journal:
            found.append(facts(journal.finished(DRAWN)))
    return {"killed": killed, "last": last, "drawn": found}


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    sys.stdout.write(json.dumps(main(Path(place), *map(int, numbers))) + "\n")
