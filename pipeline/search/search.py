"""``manyheads search``: the best that a time allows, and how far to believe it.

    texts, space -> study -> vectors, split -> trials -> finalists -> the winner's run -> report

Only validation decides. Test is looked at once, by the run of the winner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from features.corpus.corpus import Corpus
from features.encoders.description.model import EncoderModel
from features.encoders.description.names import split_names
from features.encoders.protocol import Encoder
from features.encoding.devices import core_count
from features.errors import SettingError
from heads.device import check_here
from pipeline.command_line import train_command
from pipeline.config import DataConfig, ExperimentConfig
from pipeline.console import print_note
from pipeline.runs.folder import METRICS, check_runs
from pipeline.search.arms import make_arms
from pipeline.search.candidate import Candidate, Job, Outcome
from pipeline.search.config import BUDGET, SearchConfig
from pipeline.search.halving import IsBehind
from pipeline.search.helpers import helping
from pipeline.search.judging.finalists import next_simplest
from pipeline.search.judging.flattery import flattery
from pipeline.search.judging.shares import shares
from pipeline.search.loop import Loop, OneByOne, Plan, Trainer, score
from pipeline.search.records.journal import KINDS, REPEATS, Journal, load_optuna
from pipeline.search.records.study import NamedWinner, Study, find_study, make_study
from pipeline.search.records.winner import chosen_note
from pipeline.search.report import SearchResult
from pipeline.search.space import Arm, Space, make_space, simple_candidates
from pipeline.training.partition import read_labelled
from pipeline.training.preparation import PreparedExperiment, find_encoders

if TYPE_CHECKING:
    from pipeline.evaluation.result import Scores
    from pipeline.search.trials import Materials

NAMING = ".winner"
"""Locked while a winner is named."""


@dataclass(frozen=True, eq=False)
class PreparedSearch:
    """A search that can be run.

    Attributes:
        config: what was asked for.
        space: settings that are drawn.
        arms: heads on vectors.
        simple: the candidates that come first.
        corpus: the labelled texts.
        models: the encoders by what an arm names, one or several joined by commas.
        study: its folder.
    """

    config: SearchConfig
    space: Space
    arms: tuple[Arm, ...]
    simple: tuple[Candidate, ...]
    corpus: Corpus
    models: dict[str, tuple[EncoderModel, ...]]
    study: Study

    @property
    def sampler(self) -> str:
        """Return the name of the sampler."""
        return self.config.sampler or self.space.sampler or "tpe"

    @property
    def trials(self) -> int | None:
        """Return how many candidates are drawn; None: as the time allows."""
        given = self.config.trials
        return self.space.trials if given is None else given

    @property
    def budget(self) -> float | None:
        """Return the seconds of the search; None: no limit."""
        if self.config.budget is None and self.trials is None:
            return BUDGET
        return self.config.budget


def prepare_search(config: SearchConfig) -> PreparedSearch:
    """Check a search and read its texts; imports no torch, and writes nothing.

    Raises:
        InputError: anything wrong with what the user gave; see ``features.errors``.
    """
    check_here(config.device_here)
    make_space(config.space, config.heads, classes=2)  # wrong names, before any text is read
    load_optuna()
    check_runs(config.runs)
    if config.ray is not None:
        from features.encoding.cluster.connection import check_cluster  # of the extra ray

        check_cluster(config.ray)
    joined = find_study(config.join, config.runs) if config.join else None
    corpus = read_labelled(config.data)
    classes = len(set(corpus.labels or ()))
    space = make_space(config.space, config.heads, classes)
    names = config.encoders or (config.vectors.encoder,)
    models = {name: find_encoders(replace(config.vectors, encoder=name)) for name in names}
    arms = make_arms(config, space, models)
    study = make_study(config, corpus.name, corpus.digest, arms, space)
    if joined is not None:
        study = replace(study, folder=joined)
    simple = simple_candidates(arms, space, classes)
    return PreparedSearch(config, space, arms, simple, corpus, models, study)


def run_search(
    prepared: PreparedSearch, load: Callable[[EncoderModel], Encoder] | None = None
) -> SearchResult:
    """Run a study, or go on with one; name a winner and write its run folder.

    Args:
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        InputError: anything wrong with what the user gave; see ``features.errors``.
        FaultError: a corrupt cache, or vectors that are not finite.
    """
    from pipeline.search.trials import gather  # torch

    config, study = prepared.config, prepared.study
    study.begin(joined=config.join is not None)
    materials = gather(
        prepared.corpus,
        config.data,
        config.vectors,
        prepared.models,
        prepared.arms,
        load,
        config.folds or 0,
    )
    texts = materials.texts
    plan = _plan(prepared, texts)
    with (
        Journal(study.folder, config.seed, prepared.sampler) as journal,
        _trainer(config, materials) as trainer,
    ):
        journal.settle(lambda outcome: score(plan.goal, outcome))
        loop = Loop(journal, plan, trainer)
        try:
            with helping(_help_out(prepared), *_processes(config)):
                trials = loop.try_candidates()
                found = loop.repeat_best()
        except KeyboardInterrupt:
            _say_how_to_go_on(prepared, journal)
            raise
        study.write_table((kind, each) for kind in KINDS for each in journal.finished(kind))
    result = SearchResult(
        study.folder, config, tuple(trials), ended=loop.ended, validation=texts
    )
    if not found:
        raise SettingError(
            f"no trial of {study.folder} could be trained to its end; see {study.folder}/"
            "trials.csv, and allow more --budget or other --heads"
        )
    result = replace(
        result,
        finalists=tuple(found),
        flattery=flattery(trials, found, plan.goal, texts, config.seed),
        shares=tuple(shares(trials)),
        simplest=next_simplest(found),
    )
    return result if config.join else _name_winner(prepared, materials, result)


def _help_out(prepared: PreparedSearch) -> Callable[[], object]:
    """Return what a process beside this one does: join the study."""
    joined = replace(prepared.config, join=str(prepared.study.folder))
    return partial(run_search, replace(prepared, config=joined))


def _processes(config: SearchConfig) -> tuple[int, int]:
    """Return how many processes help this one, and how many threads each of them has."""
    helpers = 0 if config.join else config.jobs - 1
    return helpers, max(1, core_count() // config.jobs)


@contextmanager
def _trainer(config: SearchConfig, materials: Materials) -> Iterator[Trainer]:
    """Yield what trains the trials: this process, or a Ray cluster."""
    from pipeline.search.trials import train  # torch

    def here(job: Job, is_behind: IsBehind | None) -> Outcome:
        return train(materials, job, config.device_here, is_behind)

    if config.ray is None:
        yield OneByOne(here)
        return
    from pipeline.search.ray_trials import on_ray  # of the extra ray

    with on_ray(config.ray, materials, here) as trainer:
        yield trainer


def _plan(prepared: PreparedSearch, texts: int) -> Plan:
    """Return what the loop has to try; ``texts`` is the number of validation texts."""
    config, space = prepared.config, prepared.space
    return Plan(
        simple=[Job(each, (config.seed,)) for each in prepared.simple],
        arms=prepared.arms,
        space=space,
        seeds=tuple(range(config.seed, config.seed + space.repeats)),
        trials=prepared.trials,
        budget=prepared.budget,
        repeats=config.repeats,
        texts=texts,
        encoders=len(prepared.models),
        jobs=config.jobs,
    )


def _say_how_to_go_on(prepared: PreparedSearch, journal: Journal) -> None:
    """Write the table of trials, and how the study goes on."""
    study = prepared.study
    done = [(kind, each) for kind in KINDS for each in journal.finished(kind)]
    study.write_table(done)
    count = sum(kind != REPEATS for kind, _ in done)
    names = "" if prepared.config.join else ", and names the best"
    print_note(
        f"{study.folder} keeps {count:,} finished trials: the same command goes on with them"
        f"{names}"
    )


def _name_winner(
    prepared: PreparedSearch, materials: Materials, result: SearchResult
) -> SearchResult:
    """Train the winner as an ordinary run, unless that was done; return the whole result."""
    from features.storage.files import locked

    study, config = prepared.study, prepared.config
    winner = result.finalists[0]
    with locked(study.folder, NAMING) as ours:
        if not ours:
            print_note(f"another process names the winner of {study.folder}")
            return result
        known = study.named()
        experiment = _experiment(prepared, winner.candidate)
        looks = known.looks if known else 0
        folder = config.runs / known.run if known else None
        same = known is not None and known.candidate == winner.candidate.key
        if same and folder is not None and (folder / METRICS).is_file():
            run = _read(folder)
        else:
            run = _run(prepared, materials, experiment, winner.candidate, len(result.trials))
            looks += 1
        named = _with_run(prepared, result, experiment, run, looks)
        study.name_winner(_named(named))
    return named


def _named(result: SearchResult) -> NamedWinner:
    """Return what ``result.json`` keeps of a result."""
    run = result.run
    assert run is not None
    return NamedWinner(
        result.finalists[0].candidate.key,
        run.run.name,
        result.looks,
        tuple(one.candidate.key for one in result.finalists),
        result.config.repeats,
        result.validation,
        result.ended,
        result.command,
    )


def _read(folder: Path) -> Scores:
    from pipeline.runs.reader import read_scores

    return replace(read_scores(folder), run=folder)


def _experiment(prepared: PreparedSearch, candidate: Candidate) -> ExperimentConfig:
    """Return the experiment that trains a candidate."""
    config = prepared.config
    return ExperimentConfig(
        data=config.data,
        vectors=replace(config.vectors, encoder=candidate.encoder, layers=candidate.layers),
        head=candidate.head,
        layout=candidate.layout,
        settings=dict(candidate.settings),
        seed=config.seed,
        device=config.device_here,
        runs=config.runs,
    )


def _run(
    prepared: PreparedSearch,
    materials: Materials,
    experiment: ExperimentConfig,
    candidate: Candidate,
    trials: int,
) -> Scores:
    """Train the winner on the sides of the study, and write its run folder."""
    from pipeline.training.experiment import run_prepared  # torch

    note = chosen_note(prepared.study.name, trials)
    split = replace(materials.split, notes=(*materials.split.notes, note))
    print_note(f"the winner: {candidate.words()}")
    models, layout = prepared.models[candidate.encoder], candidate.layout
    return run_prepared(
        PreparedExperiment(experiment, layout, prepared.corpus, (split,), models)
    )


def _with_run(
    prepared: PreparedSearch,
    result: SearchResult,
    experiment: ExperimentConfig,
    run: Scores,
    looks: int,
) -> SearchResult:
    first, *_ = split_names(next(iter(prepared.models)))
    if experiment.vectors.encoders[0] != first:  # its own near-duplicates would split otherwise
        usual = DataConfig()
        data = replace(
            experiment.data,
            columns=replace(experiment.data.columns, group=None),
            split=usual.split,
            split_seed=usual.split_seed,
        )
        experiment = replace(experiment, split_of=run.run.name, data=data)
    return replace(result, run=run, command=train_command(experiment), looks=looks)
