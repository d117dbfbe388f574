"""What ``manyheads layers`` and ``manyheads lr-range`` are asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from features.errors import SettingError
from features.messages import listed
from features.options import option
from features.vectors.table import TOKENS
from heads.device import check_device
from pipeline.config import (
    DataConfig,
    ExperimentConfig,
    VectorConfig,
    check_plot,
    device_option,
    plot_option,
    settings_option,
)

POOLED_HEAD = "logistic"
"""The head on pooled vectors that the layers are compared with."""

MIN_SAMPLE = 50
"""Texts that a comparison of layers needs."""


@dataclass(frozen=True)
class LayersConfig:
    """What to compare.

    Attributes:
        data: labelled texts and how they are split; its split seed draws the sample too.
        vectors: the encoder; ``layers`` are those to compare, None: all.
        head: trained on each layer.
        settings: those of the head that differ from the quick ones.
        sample: maximum number of texts.
        seeds: trainings of each layer.
        seed: of the first training; the others count up from it.
        device: what the heads learn on.
        plot: the PNG file to draw; None: none.
    """

    data: DataConfig = field(default_factory=DataConfig)
    vectors: VectorConfig = field(default_factory=VectorConfig)
    head: str = option("cnn", "train this classifier on each layer", metavar="NAME")
    settings: Mapping[str, object] = settings_option("head")
    sample: int = option(
        2000, "compare on at most N texts, drawn class by class", metavar="N", parse=int
    )
    seeds: int = option(2, "train K times on each layer", metavar="K", parse=int)
    seed: int = option(0, "begin with this seed", metavar="N", parse=int)
    device: str = device_option()
    plot: Path | None = plot_option("layers.png", "draw the accuracy by layer")

    def __post_init__(self) -> None:
        check_device(self.device)
        # Imported here: pydantic is slow to import, and the parser of every command needs this.
        from heads.registry import HEADS, head_type

        if TOKENS not in head_type(self.head).layouts:
            fitting = [name for name, head in HEADS.items() if TOKENS in head.layouts]
            raise SettingError(
                f"--head {self.head} takes no token vectors, and layers differ in those alone; "
                f"choose one of {listed(fitting)} ({POOLED_HEAD} on pooled vectors is always "
                "in the table)"
            )
        if self.sample < MIN_SAMPLE:
            raise SettingError(f"--sample takes {MIN_SAMPLE} texts or more; got {self.sample}")
        if not 1 <= self.seeds <= 100:
            raise SettingError(f"--seeds takes 1 to 100 trainings; got {self.seeds}")
        if not 0 <= self.seed < 2**31 - 100:
            raise SettingError(f"--seed must lie between 0 and {2**31 - 101}; got {self.seed}")
        if self.plot is not None:
            check_plot(self.plot, self.data, self.vectors)


@dataclass(frozen=True)
class RangeTraining(ExperimentConfig):
    """The training that a learning rate is to be found for."""

    HEAD: ClassVar = "cnn"


@dataclass(frozen=True)
class LrRangeConfig:
    """What to test.

    ``pipeline.tuning.learning_rate`` checks the range against the head, which needs torch.

    Attributes:
        training: the training that the learning rate is for.
        lowest, highest: the first and the last learning rate.
        steps: how many; None: about an epoch.
        plot: the PNG file to draw; None: none.
    """

    training: ExperimentConfig = field(default_factory=RangeTraining)
    lowest: float = option(
        1e-5, "begin with this learning rate", metavar="RATE", parse=float, otherwise="1e-5"
    )
    highest: float = option(
        10.0,
        "end with this learning rate, unless the loss diverges before",
        metavar="RATE",
        parse=float,
        otherwise="10",
    )
    steps: int | None = option(
        None, "take N steps", metavar="N", parse=int, otherwise="an epoch, but 100 to 500"
    )
    plot: Path | None = plot_option("lr-range.png", "draw the loss by learning rate")

    def __post_init__(self) -> None:
        if self.plot is not None:
            check_plot(self.plot, self.training.data, self.training.vectors)
