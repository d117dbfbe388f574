"""Trials on a Ray cluster of this machine: the outcomes of one process, whatever dies."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from features.corpus.corpus import Corpus
from features.encoding.cluster.resources import Cluster
from features.errors import SettingError
from features.splits.split import make_split
from features.vectors.table import POOLED, FeatureTable
from pipeline.config import VectorConfig
from pipeline.search.candidate import Candidate, Job
from pipeline.search.halving import IsBehind
from pipeline.search.loop import Loop, OneByOne, Plan, Trainer
from pipeline.search.records.journal import DRAWN, LOG, REPEATS, SIMPLE, Claim, Journal
from pipeline.search.space import Arm, make_space
from pipeline.search.trials import Materials, Side, train
from tests.support.cli import REPOSITORY, Command, Refusal, three_classes
from tests.support.drivers.search_driver import facts

ray = pytest.importorskip("ray", reason="needs ray: pip install 'manyheads[ray]'")
ray_trials = pytest.importorskip("pipeline.search.ray_trials")

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray warns of settings of its own

TEXTS = 60
MLP = Candidate("mlp", {"epochs": 3, "dense": "8"}, POOLED, "fake")
SPACE = """
[study]
trials = 6
sampler = "random"
halving = false

[logistic]
tolerance = 1e-2

[mlp]
epochs = 3
learning_rate = { low = 1e-3, high = 1e-1, log = true }
"""


@pytest.fixture(scope="module")
def trainer() -> Iterator[Callable[[], ray_trials.RayTrials]]:
    """Makes what trains on one cluster of two workers: it takes seconds to start."""
    from features.encoding.cluster.connection import connected

    with connected(Cluster(workers=2)) as workers:

        def make() -> ray_trials.RayTrials:
            own = materials()
            return ray_trials.RayTrials(workers, own, here(own))

        yield make


def materials() -> Materials:
    """Vectors that tell the class of most texts."""
    labels = [("good", "bad", "odd")[i % 3] for i in range(TEXTS)]
    texts = [f"text {i} of class {label}" for i, label in enumerate(labels)]
    split = make_split(labels, texts)
    random = np.random.default_rng(0)
    values = np.eye(3, 8)[np.arange(TEXTS) % 3] + random.normal(0, 0.4, (TEXTS, 8))
    table = FeatureTable(values.astype(np.float32), np.arange(TEXTS + 1), POOLED)
    corpus = Corpus(tuple(texts), tuple(labels))
    side = Side(split, split.label_ids(labels))
    return Materials(
        VectorConfig(), corpus, split, (side,), {}, {}, {("fake", None, POOLED): table}
    )


def here(own: Materials) -> Callable[[Job, IsBehind | None], object]:
    return lambda job, is_behind: train(own, job, "cpu", is_behind)


def plan() -> Plan:
    """Two heads; the seeds of a search decide all that they give."""
    arms = (
        Arm("logistic", POOLED, "fake"),
        Arm("logistic", f"{POOLED},words", "fake"),
        Arm("mlp", POOLED, "fake"),
    )
    simple = [Job(Candidate("majority"), (0,)), *(Job(arm.candidate({}), (0,)) for arm in arms)]
    space = replace(make_space(None, ("logistic", "mlp"), 3), halving=False)
    return Plan(simple, arms, space, (0,), 5, None, 2, 10)


def worked(folder: Path, own: Trainer) -> dict[str, dict[str, float]]:
    with Journal(folder, 0, "random") as journal:
        loop = Loop(journal, plan(), own)
        loop.try_candidates()
        loop.repeat_best()
        return {kind: facts(journal.finished(kind)) for kind in (SIMPLE, DRAWN, REPEATS)}


@dataclass(frozen=True)
class Deadly:
    """Kills its process after the first epoch, once or always, and writes down that it did."""

    notes: Path
    always: bool = False

    def __call__(self, epoch: int, accuracy: float) -> bool:
        died = len(list(self.notes.glob("died-*")))
        if self.always or not died:
            (self.notes / f"died-{died}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return False


class Killing:
    """A trainer of which one drawn trial kills its worker once, in the middle."""

    def __init__(self, inner: ray_trials.RayTrials, notes: Path) -> None:
        self.inner, self.notes, self.begun = inner, notes, 0
        self.slots = inner.slots

    def begin(self, claim: Claim, is_behind: IsBehind | None) -> None:
        deadly = claim.kind == DRAWN and claim.job.candidate.head == "mlp" and not self.begun
        self.begun += deadly
        self.inner.begin(claim, Deadly(self.notes) if deadly else is_behind)

    def ended(self) -> object:
        return self.inner.ended()


def test_a_study_on_two_workers_has_the_trials_of_one_process_though_a_worker_is_killed(
    trainer: Callable[[], ray_trials.RayTrials], tmp_path: Path
) -> None:
    own = materials()
    alone = worked(tmp_path / "one", OneByOne(here(own)))  # type: ignore[arg-type]
    on_ray = trainer()
    killing = Killing(on_ray, tmp_path)
    found = worked(tmp_path / "ray", killing)  # type: ignore[arg-type]
    assert (killing.begun, (tmp_path / "died-0").exists()) == (1, True)
    assert found == alone
    assert len(alone[SIMPLE]) == 4
    assert len(alone[DRAWN]) == 5
    lines = (tmp_path / "ray" / LOG).read_text().splitlines()
    outcomes = [json.loads(line) for line in lines if '"outcome"' in line]
    assert len(outcomes) == sum(map(len, found.values())), "one outcome per trial, no half ones"
    assert len(on_ray._placed) == 2, "vectors and words, each placed once"


@pytest.mark.slow
def test_a_trial_that_kills_every_worker_fails_and_the_others_go_on(
    trainer: Callable[[], ray_trials.RayTrials], tmp_path: Path
) -> None:
    own = trainer()
    for number in range(2):
        job = Job(MLP, (number,))
        own.begin(Claim(DRAWN, number, number, job), Deadly(tmp_path, True) if number else None)
    outcomes = {claim.number: outcome for claim, outcome in (own.ended(), own.ended())}
    assert outcomes[0].whole
    assert outcomes[1].failed.startswith("its worker died 5 times")
    assert len(list(tmp_path.glob("died-*"))) == ray_trials.TRIES


def test_an_error_of_the_project_in_a_worker_is_the_searchs(
    trainer: Callable[[], ray_trials.RayTrials],
) -> None:
    own = trainer()
    own.begin(Claim(DRAWN, 0, 0, Job(replace(MLP, settings={"epochs": -1}), (0,))), None)
    with pytest.raises(SettingError, match="epochs"):
        own.ended()


def trials(runs: Path, name: str) -> dict[tuple[str, ...], str]:
    """Of each trial what it came to."""
    with (runs / f"study-{name}" / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("kind", "number", "head", "layout", "settings", "seeds")
    found = {tuple(row[name] for name in names): row["accuracy"] for row in rows}
    assert len(found) == len(rows), "none twice"
    return found


@pytest.mark.slow
def test_a_killed_search_on_ray_goes_on_where_it_was(
    encoder: Path, tmp_path: Path, command: Command
) -> None:
    data = three_classes(tmp_path / "data.csv")
    Path("space.toml").write_text(SPACE)
    options = ("search", "--data", data, "--encoder", encoder, "--space", "space.toml")
    command(*options, "--name", "here")
    words = [*map(str, options), "--name", "ray", "--executor", "ray", "--workers", "2"]
    start = partial(
        subprocess.Popen[str],
        [sys.executable, "-m", "pipeline", *words],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = Path("runs/study-ray") / LOG
    killed = start()
    while not log.exists() or log.read_text().count('"outcome"') < 4:
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    before = {line for line in log.read_text().splitlines() if '"outcome"' in line}
    again = start()
    _, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert "training on the Ray cluster: 2 at once, each on cpu" in said
    after = [line for line in log.read_text().splitlines() if '"outcome"' in line]
    assert len(after) == len(set(after)) == len(trials(Path("runs"), "ray"))
    assert before <= {*after}
    assert trials(Path("runs"), "ray") == trials(Path("runs"), "here")
    json_of = {name: Path(f"runs/study-{name}/result.json") for name in ("ray", "here")}
    winners = {name: json.loads(path.read_text()) for name, path in json_of.items()}
    assert winners["ray"]["candidate"] == winners["here"]["candidate"]


def test_an_address_without_a_cluster_is_refused_before_any_work(
    tmp_path: Path, encoder: Path, refusal: Refusal
) -> None:
    data = three_classes(tmp_path / "data.csv")
    options = ("search", "--data", data, "--encoder", encoder, "--executor", "ray")
    line = refusal(*options, "--address", "127.0.0.1:1")
    assert "a Ray cluster does not answer at 127.0.0.1:1" in line
    assert not Path("runs").exists()
    assert "--device is auto, cpu, cuda with --executor ray" in refusal(
        *options, "--device", "mps"
    )
