"""What ``manyheads features`` and ``manyheads export`` are asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from features.encoding.cluster.resources import Cluster, check_workers
from features.errors import SettingError
from features.options import option, required_option
from features.storage.location import local_path

HERE, RAY = "here", "ray"
"""What does the work of a command."""

CLUSTER = "On a cluster"
"""Title of options in the help."""


@dataclass(frozen=True)
class ClusterOptions:
    """Whether a command works on this machine or on a Ray cluster.

    Attributes:
        executor: what does the work, ``here`` or ``ray``.
        address: of the Ray cluster; None: that of the environment, or one on this machine.
        workers: number of processes on the cluster; None: what suits it.
    """

    HERE_INSTEAD: ClassVar = ""
    """What starts several processes on this machine, for the message."""

    executor: str = option(
        HERE,
        "work on this machine, or with the extra ray on a Ray cluster: here or ray",
        metavar="NAME",
        group=CLUSTER,
    )
    address: str | None = option(
        None,
        "use the Ray cluster at this address, such as 10.0.0.1:6379",
        metavar="ADDR",
        otherwise="that of RAY_ADDRESS, or one that is started here",
        group=CLUSTER,
    )
    workers: int | None = option(
        None,
        "start N processes that work, each with its share of the cores or with a GPU",
        metavar="N",
        parse=int,
        otherwise="one per GPU of the cluster, or else per 4 cores",
        group=CLUSTER,
    )

    def check_cluster(self, planned: bool = False) -> None:
        """Refuse options that do not belong together. Raises ``SettingError``.

        Args:
            planned: nothing is run on the cluster, and ``workers`` is a number to plan with.
        """
        if self.executor not in (HERE, RAY):
            raise SettingError(f"--executor takes {HERE} or {RAY}; got {self.executor!r}")
        check_workers(self.workers)
        if self.executor == RAY:
            if find_spec(RAY) is None and not planned:
                raise SettingError(
                    f"--executor {RAY} needs a package that is not installed: pip install "
                    "'manyheads[ray]'"
                )
            return
        if self.address is not None:
            raise SettingError(f"--address belongs to --executor {RAY}: give that too")
        if self.workers is not None and not planned:
            raise SettingError(
                f"--workers belongs to --executor {RAY}: give that too; on this machine "
                f"{self.HERE_INSTEAD}"
            )

    def cluster(self, device: str | None) -> Cluster | None:
        """Return the cluster to work on; None: this machine.

        Args:
            device: of each worker, as ``Cluster`` takes it.
        """
        if self.executor != RAY:
            return None
        return Cluster(self.address, self.workers, device)


@dataclass(frozen=True)
class FeaturesConfig(ClusterOptions):
    """How a corpus is encoded.

    Attributes:
        roofline: measure the speed of the encoder against that of this machine.
        certify: texts to measure the stored forms on, storing nothing; None: encode.
        estimate: measure what it would take, storing nothing.
    """

    HERE_INSTEAD: ClassVar = "--devices cpu*N starts N processes"

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

    def __post_init__(self) -> None:
        self.check_cluster(planned=self.estimate)
        if self.certify is not None and self.estimate:
            raise SettingError("--certify and --estimate exclude each other: give one")
        if self.executor == RAY and (self.certify is not None or self.roofline):
            measuring = "--certify" if self.certify is not None else "--roofline"
            raise SettingError(f"{measuring} measures this machine: leave --executor out")


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
