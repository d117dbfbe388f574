"""What ``manyheads encoders`` compares: frozen settings, checked at construction."""

from __future__ import annotations

from dataclasses import dataclass, field

from features.errors import SettingError
from features.messages import listed
from features.options import Options, option
from features.vectors.table import TOKENS
from pipeline.config import DataConfig, VectorConfig
from pipeline.tuning.config import MIN_SAMPLE, POOLED_HEAD


@dataclass(frozen=True)
class ComparedEncoders(Options):
    """Which encoders are compared, apart from the one that any other command takes."""

    encoders: tuple[str, ...] = option(
        (),
        "compare these encoders, each a folder or a hub id; two or more",
        name="encoder",
        metavar="NAME",
        several=tuple,
    )


@dataclass(frozen=True)
class EncodersConfig(Options):
    """What to compare.

    Attributes:
        encoders: two or more names, folders or hub ids.
    """

    encoders: tuple[str, ...] = ()
    data: DataConfig = field(default_factory=DataConfig)
    vectors: VectorConfig = field(default_factory=VectorConfig)
    head: str = option(
        "cnn", "train this head on the token vectors of each encoder", metavar="NAME"
    )
    sample: int = option(
        2000,
        "compare on at most N texts, drawn class by class",
        metavar="N",
        parse=int,
    )
    seeds: int = option(1, "train --head with K seeds per encoder", metavar="K", parse=int)
    seed: int = option(0, "begin with this seed", metavar="N", parse=int)

    def __post_init__(self) -> None:
        # Imported here: pydantic is slow to import, and the parser of every command needs this.
        from heads.registry import HEADS, head_type

        super().__post_init__()
        if len(set(self.encoders)) < 2 or len(set(self.encoders)) < len(self.encoders):
            raise SettingError(
                "encoders compares two or more encoders, each named once: "
                "--encoder A --encoder B"
            )
        if TOKENS not in head_type(self.head).layouts:
            fitting = [name for name, head in HEADS.items() if TOKENS in head.layouts]
            raise SettingError(
                f"--head {self.head} takes no token vectors; choose one of {listed(fitting)} "
                f"({POOLED_HEAD} on pooled vectors is always in the table)"
            )
        if self.sample < MIN_SAMPLE:
            raise SettingError(f"--sample takes {MIN_SAMPLE} texts or more; got {self.sample}")
        if not 1 <= self.seeds <= 100:
            raise SettingError(f"--seeds takes 1 to 100 trainings; got {self.seeds}")
        if not 0 <= self.seed < 2**31 - 100:
            raise SettingError(f"--seed must lie between 0 and {2**31 - 101}; got {self.seed}")
