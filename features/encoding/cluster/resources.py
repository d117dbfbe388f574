"""Resources: the machines of a cluster, and the workers that suit them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.encoding.devices import CPU, CUDA
from features.errors import SettingError

WORKER_CORES = 4
"""Cores of a worker on a cluster, where nobody says how many workers there are."""


def check_workers(count: int | None) -> None:
    """Refuse a number of workers that is none. Raises ``SettingError``."""
    if count is not None and count < 1:
        raise SettingError(f"--workers is how many to start, 1 or more; got {count}")


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and how many workers to start there.

    Attributes:
        address: of the cluster, such as ``10.0.0.1:6379``; None: what the environment variable
            ``RAY_ADDRESS`` names, or else one that is started on this machine.
        workers: number of processes that encode; None: one per GPU, or else one per
            ``WORKER_CORES`` cores.
        device: ``cpu`` or ``cuda``; None: ``cuda`` if the cluster has GPUs.
    """

    address: str | None = None
    workers: int | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        check_workers(self.workers)
        if self.device not in (None, CPU, CUDA):
            raise SettingError(
                f"--devices is {CPU} or {CUDA} with --executor ray, and --workers how many "
                f"processes to start; got {self.device!r}"
            )


@dataclass(frozen=True)
class Workers:
    """The workers of a cluster.

    Attributes:
        count: number of processes.
        device: that of each, ``cpu`` or ``cuda``.
        cores: that each takes; a fraction where there are more workers than cores.
    """

    count: int
    device: str
    cores: float

    @property
    def threads(self) -> int:
        """Number of threads of a worker."""
        return max(1, int(self.cores))


def plan_workers(cluster: Cluster, nodes: Sequence[tuple[float, float]]) -> Workers:
    """Return the workers that suit a cluster; more than fit now wait for machines to join.

    >>> plan_workers(Cluster(), [(16, 0), (8, 0)])
    Workers(count=6, device='cpu', cores=4)
    >>> plan_workers(Cluster(workers=3), [(16, 0), (8, 0)])
    Workers(count=3, device='cpu', cores=8)

    Args:
        cluster: what was asked for.
        nodes: cores and GPUs of each machine.

    Raises:
        SettingError: GPUs are asked for, and there are none.
    """
    gpus = int(sum(gpu for _, gpu in nodes))
    if cluster.device == CUDA and not gpus:
        raise SettingError(
            f"--devices {CUDA}: the Ray cluster has no GPU; leave --devices out, or join a "
            "machine with one"
        )
    if gpus and cluster.device != CPU:
        return Workers(cluster.workers or gpus, CUDA, 1)
    cores = [int(core) for core, _ in nodes if core >= 1] or [1]
    if cluster.workers is None:
        each = min(WORKER_CORES, max(cores))
        return Workers(sum(core // each for core in cores), CPU, each)
    for each in range(max(cores), 0, -1):
        if sum(core // each for core in cores) >= cluster.workers:
            return Workers(cluster.workers, CPU, each)
    return Workers(
        cluster.workers, CPU, max(0.01, int(100 * sum(cores) / cluster.workers) / 100)
    )
