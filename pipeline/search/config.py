"""What ``manyheads search`` is asked to do: frozen settings, checked at construction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from features.encoding.cluster.resources import Cluster
from features.errors import SettingError
from features.messages import listed
from features.options import Options, option
from features.storage.location import local_path
from heads.device import AUTO as DEVICE
from heads.device import CPU, CUDA, check_device
from pipeline.config import PLACES, DataConfig, ExperimentConfig, VectorConfig, device_option
from pipeline.encoding.config import RAY, ClusterOptions

BUDGET = 600.0
"""Seconds of a search for which neither a time nor a number of trials is given."""

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
AMOUNT = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")
NAME = re.compile(r"[\w.-]{1,100}")
SAMPLERS = ("tpe", "random")

RAY_DEVICES = (DEVICE, CPU, CUDA)
"""Names of devices that every machine of a cluster understands alike."""

AUTO = "auto"
"""Stands where others have the name of a head: search for a short while."""

AUTO_BUDGET = 60.0
"""Seconds of training that ``train --head auto`` takes."""


def parse_budget(text: str) -> float:
    """Return ``10m``, ``90s`` or ``1.5h`` in seconds; a number alone is in seconds.

    >>> parse_budget("10m"), parse_budget("90")
    (600.0, 90.0)

    Raises:
        SettingError: it is no such time, or none at all.
    """
    found = AMOUNT.fullmatch(text.strip())
    seconds = float(found[1]) * UNITS[found[2] or "s"] if found else 0.0
    if seconds <= 0:
        raise SettingError(f"--budget takes a time such as 10m, 90s or 1h; got {text!r}")
    return seconds


def split_names(values: Sequence[str]) -> tuple[str, ...]:
    """Return names that are separated by blanks or commas, each once."""
    return tuple(dict.fromkeys(name for value in values for name in value.split(",") if name))


def all_once(values: Sequence[str]) -> tuple[str, ...]:
    """Return values in their order, each once."""
    return tuple(dict.fromkeys(values))


@dataclass(frozen=True)
class SearchConfig(ClusterOptions, Options):
    """What to search, and for how long.

    Attributes:
        encoders: names, folders or hub ids, each tried; several joined by commas are tried in
            one head. () takes that of ``vectors``.
        layer_choices: as ``--layers`` takes each; () takes the encoder's usual ones.
        data, vectors: texts, and how they are encoded.
        budget: seconds of training.
        trials: how many candidates are drawn.
        repeats: other seeds for the best.
        folds: inner folds that choose; test stays apart.
        jobs: processes that train.
    """

    GROUP: ClassVar = "What is searched"
    HERE_INSTEAD: ClassVar = "--jobs N trains N trials at once"

    encoders: tuple[str, ...] = ()
    layer_choices: tuple[str, ...] = ()
    data: DataConfig = field(default_factory=DataConfig)
    vectors: VectorConfig = field(default_factory=VectorConfig)
    budget: float | None = option(
        None,
        "search for so long, such as 10m, 90s or 1h; encoding does not count",
        metavar="TIME",
        parse=parse_budget,
        otherwise="10m, or as many --trials as are named",
    )
    trials: int | None = option(
        None,
        "draw N candidates, after the simple ones that always come first",
        metavar="N",
        parse=int,
        otherwise="as many as the time allows, while they help",
    )
    heads: tuple[str, ...] = option(
        (), "try these heads", metavar="NAME", several=split_names, otherwise="all"
    )
    layouts: tuple[str, ...] = option(
        (),
        "try vectors in these layouts",
        name="layout",
        metavar="NAME",
        several=all_once,
        otherwise="each head's natural one",
    )
    space: str | None = option(
        None,
        "draw settings from the ranges of this TOML file, or of a published search, A5 or B6",
        metavar="FILE",
        otherwise="those that manyheads heads NAME shows",
    )
    sampler: str | None = option(
        None,
        "draw candidates by tpe, which learns from the trials so far, or at random",
        metavar="NAME",
        otherwise="that of the space, or tpe",
    )
    repeats: int = option(
        3,
        "train the best again with K other seeds, before one is named",
        metavar="K",
        parse=int,
    )
    folds: int | None = option(
        None,
        "choose by N folds of the training and validation texts, for N times the training",
        metavar="N",
        parse=int,
        otherwise="by the validation texts alone",
    )
    jobs: int = option(
        1,
        "train N trials at once, each in a process of its own with its share of the cores",
        metavar="N",
        parse=int,
    )
    seed: int = option(0, "draw every random choice from this seed", metavar="N", parse=int)
    device: str = device_option()
    name: str | None = option(
        None,
        "keep the study under this name; the same name goes on with it",
        metavar="NAME",
        otherwise="made of the data's name and of what is searched",
    )
    join: str | None = option(
        None,
        "help with this study, its name or folder, beside the process that began it",
        metavar="STUDY",
    )
    runs: Path = option(
        Path("runs"),
        "keep studies and run folders in this folder",
        metavar="FOLDER",
        parse=local_path,
        group=PLACES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_device(self.device)
        self.check_cluster()
        if self.executor == RAY and self.device not in RAY_DEVICES:
            raise SettingError(
                f"--device is {listed(RAY_DEVICES)} with --executor {RAY}; got {self.device!r}"
            )
        if self.trials is not None and not 0 <= self.trials <= 100_000:
            raise SettingError(f"--trials takes 0 to 100,000 candidates; got {self.trials}")
        if not 1 <= self.repeats <= 50:
            raise SettingError(f"--repeats takes 1 to 50 other seeds; got {self.repeats}")
        if self.folds is not None and not 2 <= self.folds <= 50:
            raise SettingError(f"--folds takes 2 to 50; got {self.folds}")
        if not 1 <= self.jobs <= 256:
            raise SettingError(f"--jobs takes 1 to 256 processes; got {self.jobs}")
        if self.executor == RAY and self.jobs > 1:
            raise SettingError(
                f"--jobs is for this machine: with --executor {RAY} give --workers instead"
            )
        if not 0 <= self.seed < 2**31 - 1000:
            raise SettingError(f"--seed must lie between 0 and {2**31 - 1001}; got {self.seed}")
        if self.sampler is not None and self.sampler not in SAMPLERS:
            raise SettingError(f"--sampler is tpe or random; got {self.sampler!r}")
        if self.name is not None and not NAME.fullmatch(self.name):
            raise SettingError(
                "--name takes letters, digits, dots, hyphens and underscores; got "
                f"{self.name!r}"
            )

    @property
    def ray(self) -> Cluster | None:
        """Return the Ray cluster that trains the trials; None: this process does."""
        return self.cluster(None if self.device == DEVICE else self.device)

    @property
    def device_here(self) -> str:
        """Return the device of what this process trains, such as the winner's run."""
        return DEVICE if self.executor == RAY else self.device


def auto_config(config: ExperimentConfig) -> SearchConfig:
    """Return the short search that ``train --head auto`` stands for.

    Raises:
        SettingError: an option of one training, which a search has no use for.
    """
    usual = ExperimentConfig()
    for name in ("preset", "settings", "seeds", "folds", "split_of"):
        if getattr(config, name) != getattr(usual, name):
            flag = "set" if name == "settings" else name.replace("_", "-")
            raise SettingError(
                f"--head {AUTO} chooses heads and settings itself: leave --{flag} out, or see "
                "manyheads search"
            )
    return SearchConfig(
        data=config.data,
        vectors=config.vectors,
        layouts=(config.layout,) if config.layout else (),
        budget=AUTO_BUDGET,
        seed=config.seed,
        device=config.device,
        runs=config.runs,
    )
