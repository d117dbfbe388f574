"""What ``manyheads features`` and ``manyheads export`` are asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.options import option, required_option
from features.storage.location import local_path


@dataclass(frozen=True)
class FeaturesConfig:
    """How a corpus is encoded.

    Attributes:
        roofline: measure the speed of the encoder against that of this machine.
        certify: texts to measure the stored forms on, storing nothing; None: encode.
        estimate: measure what it would take, storing nothing.
    """

    roofline: bool = option(
        False,
        "say which share of this machine's speed in matrix products the encoder reached",
    )
    certify: int | None = option(
        None,
        "store nothing; measure on N texts what each stored form costs",
        metavar="N",
        parse=int,
        bare=1000,
        otherwise="1000",
    )
    estimate: bool = option(
        False,
        "store nothing; say how many tokens, minutes and gigabytes it would take, here and on "
        "a cluster",
    )


@dataclass(frozen=True)
class ExportConfig:
    """Where vectors are written to.

    Attributes:
        form: the format.
        out: the file or folder.
    """

    form: str = option(
        "npy",
        "write npy, arrow, parquet, or hf, a folder of a Hugging Face data set",
        name="format",
        metavar="NAME",
    )
    out: Path = required_option(
        "write the vectors to this file or folder", metavar="PATH", parse=local_path
    )
