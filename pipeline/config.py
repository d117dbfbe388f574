"""What a command was asked to do: frozen settings, checked at construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from features.corpus.columns import SPLITS, Columns
from features.corpus.corpus import Corpus
from features.corpus.recognition.dialect import Dialect
from features.corpus.source import HubName, Source, parse_source
from features.encoders.description.hub import EMBEDDED
from features.encoders.description.names import join_names, split_names
from features.encoders.options import EncoderOptions, VectorOptions
from features.encoding.devices import parse_devices
from features.errors import SettingError
from features.messages import listed
from features.options import Options, option
from features.outputs.output import check_output
from features.storage.location import Location, local_path, parse_location
from features.tables import join_layout
from features.vectors.spec import LAYOUTS
from features.vectors.table import POOLED
from features.words.table import WORDS
from heads.device import AUTO, check_device
from heads.presets import check_head, find_preset


def _example() -> Path:
    """Return where the example corpus is: in a wheel beside this file, else in the checkout."""
    folder = Path(__file__).resolve().parent
    packaged = folder / "examples" / "emotions.csv"  # setup.py puts it there
    return packaged if packaged.exists() else folder.parent / "examples" / packaged.name


EXAMPLE = _example()

MAX_MEMORY = 1e9
"""Gigabytes; more than any machine has."""

NEAR, RANDOM = "near", "random"
RULES = (NEAR, RANDOM)
"""What a split keeps on one side: near-duplicates, or only texts that are equal normalized."""


ENCODING, PLACES = "Encoding", "Where things are kept"
"""Titles of options in the help."""


def check_memory(gigabytes: float) -> None:
    """Refuse an amount of memory that is not valid. Raises ``SettingError``."""
    if not 0 <= gigabytes <= MAX_MEMORY:
        raise SettingError(
            f"--memory takes gigabytes, 0 or more, at most {MAX_MEMORY:,.0f}; got {gigabytes:g}"
        )


@dataclass(frozen=True)
class VectorConfig(EncoderOptions, VectorOptions):
    """Which vectors: the encoder, what is taken from it, and where it is done and stored."""

    GROUP: ClassVar = ENCODING

    encoder: str = option(
        EMBEDDED,
        "encode with this model: a folder, or a hub id such as owner/name or "
        "owner/name@revision; train and search take several for one head, joined by commas",
        metavar="NAME[,NAME]",
        several=join_names,
        otherwise=f"the embedded {EMBEDDED}, which reads English",
    )
    layers: str | None = option(
        None,
        "take the token vectors from these hidden states; 0 is the embeddings, -1 the last",
        metavar="N[,N]",
        otherwise="that at two thirds of the depth",
    )
    cache: Location = option(
        Path("cache"),
        "keep the vectors in this folder, here or on object storage (s3://...)",
        metavar="FOLDER",
        group=PLACES,
        parse=parse_location,
    )
    devices: str | None = option(
        None,
        "encode on these devices, with one process each: cpu, cpu*N, cuda, cuda:N",
        metavar="NAME[,NAME]",
        check=parse_devices,
        otherwise="a GPU if there is one, in this process",
    )
    memory: float | None = option(
        None,
        "keep vectors in up to so much memory; more are read from a file in the cache, with "
        "the same results",
        metavar="GB",
        parse=float,
        check=check_memory,
        otherwise="half of what is available",
        group=PLACES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prompt is not None and self.prompt_name is not None:
            raise SettingError("--prompt and --prompt-name exclude each other: give one")
        split_names(self.encoder)  # refuses what is wrong with them

    @property
    def encoders(self) -> tuple[str, ...]:
        """Return the name of each encoder."""
        return split_names(self.encoder)

    @property
    def one_encoder(self) -> str:
        """Return the name of the only encoder. Raises ``SettingError`` if there are several."""
        if len(self.encoders) > 1:
            raise SettingError(
                f"--encoder takes one encoder here, not {len(self.encoders)}: "
                f"{listed(self.encoders)}; train and search take several"
            )
        return self.encoder

    @property
    def each(self) -> tuple[VectorConfig, ...]:
        """Return a configuration per encoder, in their order."""
        return tuple(replace(self, encoder=name) for name in self.encoders)

    @property
    def memory_bytes(self) -> int | None:
        """Return ``memory`` in bytes."""
        return None if self.memory is None else int(self.memory * 1e9)


@dataclass(frozen=True)
class DataConfig(Options):
    """Which labelled texts, and how they are split.

    ``split_seed`` is not the training seed, so that runs with other seeds stay comparable.
    """

    GROUP: ClassVar = "Reading the data"

    data: Source = option(
        EXAMPLE,
        "read the labelled texts from this file: CSV, TSV, JSON, JSON Lines, Parquet or Excel, "
        "each also in .gz or .zip, or a folder of Parquet, here or on object storage "
        "(s3://...), or hub:owner/name",
        metavar="FILE",
        parse=parse_source,
        otherwise="the example corpus",
    )
    columns: Columns = field(default_factory=Columns)
    dialect: Dialect = field(default_factory=Dialect)
    skip_empty: bool = option(False, "leave out rows without a text or label")
    split: str = option(
        NEAR,
        "keep on one side of a split made here: near, near-duplicates; random, only "
        "texts that are equal but for case and spacing",
        metavar="RULE",
        choices=RULES,
        group=SPLITS,
    )
    split_seed: int = option(
        0,
        "draw the split from this seed, where the data has no split column",
        metavar="N",
        parse=int,
        group=SPLITS,
    )

    def as_read(self, corpus: Corpus) -> DataConfig:
        """Return the same with the columns and the dialect as a corpus of it was read."""
        return replace(self, columns=corpus.columns or self.columns, dialect=corpus.dialect)


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """Return ``["units=64", "dropout=0.2"]`` as a dict. The last of two equal names counts.

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


def settings_option(whose: str) -> Mapping[str, object]:
    """Return the field of the settings of a head that differ from its own."""
    no_settings: Mapping[str, object] = {}
    return option(
        no_settings,
        f"change settings of the {whose}, such as epochs=5; manyheads heads NAME lists them",
        name="set",
        metavar="NAME=VALUE",
        several=parse_settings,
    )


def plot_option(name: str, words: str) -> Path | None:
    """Return the field of a picture to draw.

    Args:
        name: of the file where none is named.
        words: the help.
    """
    return option(
        Path(name), f"{words} as this PNG, or none", metavar="FILE", parse=local_path, none=True
    )


def device_option() -> str:
    """Return the option for what a head learns and predicts on."""
    return option(
        AUTO,
        "learn and predict with the head on this device: auto, cpu, cuda, cuda:N or mps; those "
        "that encode are --devices",
        metavar="NAME",
        check=check_device,
        otherwise="auto, a GPU if torch finds one",
    )


@dataclass(frozen=True)
class ExperimentConfig:
    """One whole experiment; everything needed to repeat it.

    Attributes:
        head: name of the head; '' is made that of the preset, or ``HEAD``.
        preset: name of a preset of that head, or None; an alias is made its name.
        settings: those of the head that differ from its defaults, or from the preset, as text
            or values.
    """

    GROUP: ClassVar = "What is trained"
    HEAD: ClassVar = "logistic"

    data: DataConfig = field(default_factory=DataConfig)
    vectors: VectorConfig = field(default_factory=VectorConfig)
    head: str = option(
        "",
        "train this classifier; manyheads heads lists them",
        metavar="NAME",
        otherwise="the preset's, or logistic",
    )
    preset: str | None = option(
        None,
        "train a published system, such as A1, or long, ours for long texts; manyheads heads "
        "presets lists them",
        metavar="NAME",
    )
    layout: str | None = option(
        None,
        f"train on vectors in this layout, one of {', '.join(LAYOUTS)}; on {WORDS}, which need "
        f"no encoder; or on both, such as {join_layout(POOLED, True)}",
        metavar="NAME[,NAME]",
        otherwise="the head's natural one",
    )
    settings: Mapping[str, object] = settings_option("head or preset")
    seed: int = option(
        0, "draw every random choice of the training from this seed", metavar="N", parse=int
    )
    device: str = device_option()
    seeds: int = option(
        1,
        "train with N seeds, --seed and those after it, and report mean and spread",
        metavar="N",
        parse=int,
    )
    folds: int = option(
        0,
        "divide the texts into K folds and test each of them once",
        metavar="K",
        parse=int,
        otherwise="one split",
    )
    explain: str | None = option(
        None,
        f"{WORDS}: say in errors.jsonl and on the page of the run which words decided, for the "
        "200 surest errors",
        metavar=WORDS,
        choices=(WORDS,),
    )
    split_of: str | None = option(
        None,
        "train, validate and test on the texts that a finished run did, for a fair comparison "
        "or a blend",
        metavar="RUN",
        group=SPLITS,
    )
    runs: Path = option(
        Path("runs"),
        "keep run folders in this folder",
        metavar="FOLDER",
        parse=local_path,
        group=PLACES,
    )

    def __post_init__(self) -> None:
        check_device(self.device)
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
        if self.explain not in (None, WORDS):
            raise SettingError(f"--explain takes {WORDS}; got {self.explain!r}")
        made = (self.data.split, self.data.split_seed, self.data.columns.group)
        if self.split_of is not None and made != (NEAR, 0, None):
            raise SettingError(
                f"--split-of {self.split_of} takes the sides of that run: leave --split, "
                "--split-seed and --group-column out"
            )
        preset = None if self.preset is None else find_preset(self.preset)
        # A frozen dataclass can complete its fields only in this way.
        if preset:
            object.__setattr__(self, "preset", preset.name)
        if not self.head:
            object.__setattr__(self, "head", preset.head if preset else self.HEAD)
        if preset:
            check_head(self.head, preset.name)

    def overrides(self, classes: int) -> dict[str, object]:
        """Return the settings that differ from the head's defaults for C ``classes``."""
        preset = find_preset(self.preset).overrides(classes) if self.preset else {}
        return {**preset, **self.settings}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; absolute paths let the run be repeated."""
        values: dict[str, Any] = plain_values(self)
        values["vectors"]["encoder"] = join_names(
            [full_name(name) for name in self.vectors.encoders]
        )
        return values


def check_plot(path: Path, data: DataConfig, vectors: VectorConfig) -> None:
    """Refuse a plot that cannot be written, or is a file that is read, before any work.

    Raises:
        SettingError: the suffix is not .png, or the path cannot be used.
        OutputError: a file that cannot be written.
    """
    if path.suffix != ".png":
        raise SettingError(f"--plot must end in .png, or be none; got {str(path)!r}")
    check_output(path, "--plot", (data.data, vectors.cache, vectors.encoder))


def full_name(encoder: str) -> str:
    """Return the name of an encoder; of a folder its absolute path."""
    return str(Path(encoder).absolute()) if Path(encoder).is_dir() else encoder


def plain_values(value: Any) -> Any:
    """Return a configuration as plain values for JSON, with absolute paths."""
    if isinstance(value, Location):
        return str(value.absolute())
    if isinstance(value, HubName):
        return str(value)
    if is_dataclass(value):
        return {one.name: plain_values(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(item) for item in value]
    return value
