"""What a command was asked to do: frozen settings, checked at construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from features.corpus.corpus import Columns
from features.corpus.source import HubName, Source
from features.encoders.backends.names import BACKENDS
from features.encoders.description.hub import EMBEDDED
from features.encoders.segmentation import LANGUAGE, check_language
from features.encoding.devices import parse_devices
from features.errors import SettingError
from features.hardware import AUTO
from features.messages import listed
from features.output import check_output
from features.storage.location import Location
from features.storage.remote import RemotePath
from features.vectors.precision import STORED_DTYPES
from features.vectors.spec import PRECISIONS, check_prompt
from heads.presets import check_head, find_preset

NO_COLUMN = "none"
"""In place of a name: there is no such column or file, or it is not wanted."""


EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "emotions.csv"

MOST_MEMORY = 1e9
"""Gigabytes; so much is in no machine, and bytes of it are a number that can be counted."""

NEAR, RANDOM = "near", "random"
SPLITS = (NEAR, RANDOM)
"""What a split made here keeps on one side: near-copies, or only texts that fold alike."""


@dataclass(frozen=True)
class VectorConfig:
    """Which vectors: the encoder and what is taken from it.

    Attributes:
        encoder: the embedded encoder's name, a folder, or a hub id (``owner/name@revision``).
        layers: hidden states of the sequence layouts, comma-separated; None: two thirds up.
        cache: the folder of the feature store, here or on object storage.
        dtype: stored NumPy type.
        precision: of the encoder's matrix products; ``auto`` is bfloat16 where it is faster.
        trust_remote_code: run the Python code that comes with the encoder.
        max_tokens: tokens seen of a text, through overlapping windows; None cuts it at the
            encoder's limit.
        language: whose rules end the sentences of that layout.
        memory: GB that the vectors of a table may take of it; None: half of what is available.
            It changes no result: beyond it the table is read from a file.
        backend: what runs the encoder; ``auto`` takes the faster one.
        prompt: text put before every text; None takes the encoder's own default.
        prompt_name: the name that the encoder has for one, in place of the text.
        devices: where, a process each, such as ``cpu*2`` or ``cuda:0,cuda:1``; None: a GPU
            where there is one, in this process.
    """

    encoder: str = EMBEDDED
    layers: str | None = None
    cache: Location = Path("cache")
    dtype: str = "float16"
    precision: str = "auto"
    trust_remote_code: bool = False
    max_tokens: int | None = None
    language: str = LANGUAGE
    memory: float | None = None
    backend: str = AUTO
    devices: str | None = None
    prompt: str | None = None
    prompt_name: str | None = None

    def __post_init__(self) -> None:
        check_prompt(self.prompt)
        if self.prompt is not None and self.prompt_name is not None:
            raise SettingError("--prompt and --prompt-name exclude each other: give one")
        _one_of("dtype", self.dtype, STORED_DTYPES)
        _one_of("precision", self.precision, ("auto", *PRECISIONS))
        check_language(self.language)
        _one_of("backend", self.backend, BACKENDS)
        if self.devices is not None:
            parse_devices(self.devices)
        if self.memory is not None and not 0 <= self.memory <= MOST_MEMORY:
            raise SettingError(
                f"--memory takes gigabytes, 0 or more, at most {MOST_MEMORY:,.0f}; "
                f"got {self.memory:g}"
            )

    @property
    def memory_bytes(self) -> int | None:
        """``memory`` in bytes."""
        return None if self.memory is None else int(self.memory * 1e9)


@dataclass(frozen=True)
class DataConfig:
    """Which labelled texts, and how they are split.

    Attributes:
        data: the file, here or on object storage, or a data set of the hub.
        columns: its columns.
        skip_empty: leave out rows without a text or label instead of refusing the file.
        split_seed: chooses which rows are held out where the file does not say. It is not
            the training seed, so that runs with other seeds stay comparable.
        split: ``near`` keeps near-copies on one side, ``random`` only exact ones.
    """

    data: Source = EXAMPLE
    columns: Columns = field(default_factory=Columns)
    skip_empty: bool = False
    split_seed: int = 0
    split: str = NEAR

    def __post_init__(self) -> None:
        _one_of("split", self.split, SPLITS)


@dataclass(frozen=True)
class ExperimentConfig:
    """One whole experiment; everything needed to repeat it.

    Attributes:
        head: name of the head.
        preset: name of a preset of that head, or None.
        layout: layout of the vectors; None takes the head's natural one.
        settings: those of the head that differ from its defaults, or from the preset, as text
            or values.
        seed: reaches every random choice of the training.
        seeds: how many trainings, with ``seed``, ``seed`` + 1, and so on.
        folds: how many folds the texts are dealt into, each tested once; 0: one split.
        split_of: a finished run whose sides, or folds, are taken; None: they are made here.
        runs: the folder that run folders are made in.
    """

    data: DataConfig = field(default_factory=DataConfig)
    vectors: VectorConfig = field(default_factory=VectorConfig)
    head: str = "logistic"
    preset: str | None = None
    layout: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    seeds: int = 1
    folds: int = 0
    split_of: str | None = None
    runs: Path = Path("runs")

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


def _one_of(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise SettingError(f"--{name} must be one of {listed(choices)}; got {value!r}")


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
