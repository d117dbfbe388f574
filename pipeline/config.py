"""What a command was asked to do: frozen settings, checked at construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar

from features.corpus.corpus import Columns
from features.corpus.source import HubName, Source, parse_source
from features.encoders.description.hub import EMBEDDED
from features.encoders.options import EncoderOptions, VectorOptions
from features.encoding.devices import parse_devices
from features.errors import SettingError
from features.options import Options, option
from features.output import check_output
from features.storage.location import Location, local_path, parse_location
from features.storage.remote import RemotePath
from features.tables import join_layout, parse_layout
from features.vectors.spec import LAYOUTS
from features.vectors.table import POOLED
from features.words.table import WORDS
from heads.presets import check_head, find_preset

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "emotions.csv"

MOST_MEMORY = 1e9
"""Gigabytes; so much is in no machine, and bytes of it are a number that can be counted."""

NEAR, RANDOM = "near", "random"
SPLITS = (NEAR, RANDOM)
"""What a split made here keeps on one side: near-copies, or only texts that fold alike."""


def check_memory(gigabytes: float) -> None:
    """Refuse what is no amount of memory. Raises ``SettingError``."""
    if not 0 <= gigabytes <= MOST_MEMORY:
        raise SettingError(
            f"--memory takes gigabytes, 0 or more, at most {MOST_MEMORY:,.0f}; "
            f"got {gigabytes:g}"
        )


@dataclass(frozen=True)
class VectorConfig(EncoderOptions, VectorOptions):
    """Which vectors: the encoder, what is taken from it, and where it is done and stored."""

    GROUP: ClassVar = "encoder"

    encoder: str = option(
        EMBEDDED,
        "encoder: a folder, or a hub id such as owner/name or owner/name@revision",
        metavar="NAME",
        otherwise=f"{EMBEDDED}, embedded",
    )
    layers: str | None = option(
        None,
        "hidden states of the tokens layout; 0 is the embeddings, -1 the last",
        metavar="N[,N]",
        otherwise="two thirds up",
    )
    cache: Location = option(
        Path("cache"),
        "folder of the feature store, here or on object storage (s3://...)",
        metavar="FOLDER",
        parse=parse_location,
    )
    devices: str | None = option(
        None,
        "devices that encode, one process each: cpu, cpu*N, cuda, cuda:N",
        metavar="NAME[,NAME]",
        check=parse_devices,
        otherwise="a GPU if there is one, in this process",
    )
    memory: float | None = option(
        None,
        "memory that the vectors may take; more are read from a file in the cache, with the "
        "same results",
        metavar="GB",
        parse=float,
        check=check_memory,
        otherwise="half of what is available",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prompt is not None and self.prompt_name is not None:
            raise SettingError("--prompt and --prompt-name exclude each other: give one")

    @property
    def memory_bytes(self) -> int | None:
        """``memory`` in bytes."""
        return None if self.memory is None else int(self.memory * 1e9)


@dataclass(frozen=True)
class DataConfig(Options):
    """Which labelled texts, and how they are split.

    ``split_seed`` is not the training seed, so that runs with other seeds stay comparable.
    """

    GROUP: ClassVar = "data"

    data: Source = option(
        EXAMPLE,
        "labelled texts: CSV, TSV, JSON Lines or Parquet, each optionally .gz, or a folder of "
        "Parquet, here or on object storage (s3://...), or hub:owner/name",
        metavar="FILE",
        parse=parse_source,
        otherwise="the example",
    )
    columns: Columns = field(default_factory=Columns)
    skip_empty: bool = option(False, "leave out rows without a text or label")
    split: str = option(
        NEAR,
        f"one of {', '.join(SPLITS)}: what a split made here keeps on one side, near-copies or "
        "only texts that are equal but for case and spacing",
        metavar="RULE",
        choices=SPLITS,
    )
    split_seed: int = option(
        0, "seed of the split, where the data has no split column", metavar="N", parse=int
    )


@dataclass(frozen=True)
class ExperimentConfig:
    """One whole experiment; everything needed to repeat it.

    Attributes:
        head: name of the head.
        preset: name of a preset of that head, or None.
        settings: those of the head that differ from its defaults, or from the preset, as text
            or values.
    """

    data: DataConfig = field(default_factory=DataConfig)
    vectors: VectorConfig = field(default_factory=VectorConfig)
    head: str = "logistic"
    preset: str | None = None
    layout: str | None = option(
        None,
        f"layout of the vectors, one of {', '.join(LAYOUTS)}; {WORDS}, which need no encoder; "
        f"or both, such as {join_layout(POOLED, True)}",
        metavar="NAME[,NAME]",
        otherwise="the head's natural one",
    )
    settings: Mapping[str, object] = field(default_factory=dict)
    seed: int = option(0, "seed of every random choice of the training", metavar="N", parse=int)
    seeds: int = option(
        1,
        "train with N seeds, --seed and those after it, and report mean and spread",
        metavar="N",
        parse=int,
    )
    folds: int = option(
        0,
        "deal the texts into K folds and test each once",
        metavar="K",
        parse=int,
        otherwise="one split",
    )
    split_of: str | None = option(
        None,
        "train, validate and test on the texts that a finished run did, for a fair comparison "
        "or a blend",
        metavar="RUN",
    )
    runs: Path = option(
        Path("runs"), "folder in which run folders stand", metavar="FOLDER", parse=local_path
    )

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise SettingError(f"--seed must lie between 0 and {2**31 - 1}; got {self.seed}")
        if not 1 <= self.seeds <= 2**31 - self.seed:
            raise SettingError(
                f"--seeds is how many trainings to run, 1 or more; got {self.seeds}"
            )
        if self.folds < 0 or self.folds == 1:
            raise SettingError(
                f"--folds must be 2 or more, or 0 for one split; got {self.folds}"
            )
        made = (self.data.split, self.data.split_seed, self.data.columns.group)
        if self.split_of is not None and made != (NEAR, 0, None):
            raise SettingError(
                f"--split-of {self.split_of} takes the sides of that run: leave --split, "
                "--split-seed and --group-column out"
            )
        if self.preset is not None:
            check_head(self.head, self.preset)
        if self.layout is not None:
            parse_layout(self.layout)

    def overrides(self, classes: int) -> dict[str, object]:
        """What differs from the head's defaults for C ``classes``: the preset first."""
        preset = find_preset(self.preset).overrides(classes) if self.preset else {}
        return {**preset, **self.settings}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; paths become absolute, so that the run can be repeated."""
        values: dict[str, Any] = _plain(self)
        if Path(self.vectors.encoder).is_dir():
            values["vectors"]["encoder"] = str(Path(self.vectors.encoder).absolute())
        return values


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """``["units=64", "dropout=0.2"]`` -> a dict. The last of two equal names wins.

    Raises:
        SettingError: a pair without ``=`` or without a name.
    """
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise SettingError(f"--set takes NAME=VALUE, such as units=64; got {pair!r}")
        settings[name.strip()] = value.strip()
    return settings


def check_plot(path: Path, data: DataConfig, vectors: VectorConfig) -> None:
    """Refuse what cannot become a plot, or is read, before any work.

    Raises:
        SettingError: another suffix than that of a PNG, or a place that will not do.
        OutputError: a file that cannot be written.
    """
    if path.suffix != ".png":
        raise SettingError(f"--plot must end in .png, or be none; got {str(path)!r}")
    check_output(path, "--plot", (data.data, vectors.cache, vectors.encoder))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, (RemotePath, HubName)):
        return str(value)
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
