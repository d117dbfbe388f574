"""``manyheads doctor``: why a head does not learn, with proof."""

from __future__ import annotations

import argparse

from features.errors import SettingError
from pipeline.cli import options
from pipeline.cli.command import Answer, answer
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.doctor.foreign.config import ModuleConfig, ModuleOptions
from pipeline.doctor.foreign.source import check_code
from pipeline.doctor.runs.config import DoctorConfig

SHARED = ("data", "cache")
"""Options of a module's texts and vectors that a run has too."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``manyheads doctor``."""
    options.run_argument(parser)
    options.default_flag(parser, "--prove")
    options.add_options(parser, DoctorConfig)
    options.add_options(parser, ExperimentConfig, only=("runs",))
    options.add_options(parser, ModuleOptions)
    for config in (DataConfig, VectorConfig):
        options.add_options(parser, config, without=SHARED)


def run(parsed: argparse.Namespace) -> Answer:
    """Answer the command."""
    from pipeline.overview.run_choice import choose_run

    config = options.from_arguments(DoctorConfig, parsed)
    foreign = _module_config(parsed, config)
    if foreign.options.module is not None:
        return _module(config, foreign)
    if foreign != _module_config(argparse.Namespace(), config):
        raise SettingError(
            "options of data, vectors and training are for --module: a run has its own; leave "
            "them out, or name the file with --module FILE.py:FUNCTION"
        )
    folder = choose_run(parsed.run, parsed.runs)
    from pipeline.doctor.runs.doctor import (
        run_doctor,  # slow: what is wrong was answered before
    )

    return answer(run_doctor(folder, config))


def _module_config(parsed: argparse.Namespace, config: DoctorConfig) -> ModuleConfig:
    """Return what is asked of a module; its data and cache are those of ``DoctorConfig``."""
    values = {name: value for name, value in vars(parsed).items() if name not in SHARED}
    own = argparse.Namespace(**values)
    data = {} if config.data is None else {"data": config.data}
    cache = {} if config.cache is None else {"cache": config.cache}
    return ModuleConfig(
        options.from_arguments(ModuleOptions, own),
        options.from_arguments(DataConfig, own, **data),
        options.from_arguments(VectorConfig, own, **cache),
    )


def _module(config: DoctorConfig, foreign: ModuleConfig) -> Answer:
    """Answer for a module of the user's own."""
    from pipeline.training.preparation import check_first_rows, find_encoder

    if config.cure:
        raise SettingError(
            "--cure trains heads of this project; a module of your own is cured in its code: "
            "leave --cure out"
        )
    if config.controls or config.gains:
        raise SettingError(
            "--controls and --gains train heads of this project, so they need a run: leave "
            "--module or them out"
        )
    for source in (foreign.options.module, foreign.options.loop):
        if source is not None:
            check_code(source)
    check_first_rows(foreign.data)
    find_encoder(foreign.vectors)
    from pipeline.doctor.foreign.examination import run_module  # imports torch

    return answer(
        run_module(
            foreign,
            prove=not config.no_prove,
            budget=config.budget,
            every=config.all,
            strict=config.strict,
        )
    )
