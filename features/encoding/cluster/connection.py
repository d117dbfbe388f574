"""The connection to a Ray cluster, or to one that is started on this machine for a while."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import ray
from ray import exceptions

from features.encoding.cluster.resources import Cluster, Workers, plan_workers
from features.encoding.devices import core_count
from features.errors import SettingError

LOCAL = "local"
"""Address of a cluster that is started on this machine."""

CONNECT_SECONDS = 10.0
"""Seconds in which the machine of an address must answer."""

STARTS, TOO_SLOW = 3, "timed out during startup"
"""How often a cluster of this machine is started, and what Ray says after 30 seconds."""

DEATHS = (
    exceptions.RayActorError,
    exceptions.ObjectLostError,
    exceptions.OutOfMemoryError,
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
)
"""What Ray says of a worker that died, and of a result that died with it."""


def short(error: Exception) -> str:
    """Return the beginning and the end of an error of Ray, which may be many lines long."""
    words = " ".join(str(error).split())
    return words if len(words) < 200 else f"{words[:80]} ... {words[-110:]}"


def answer_of(reference: Any) -> Any:
    """Return what a task of Ray answered, or the error of Ray if its worker died.

    Raises:
        Exception: what the task raised.
    """
    try:
        return ray.get(reference)
    except DEATHS as error:
        return error
    except exceptions.RayTaskError as error:
        raise error.as_instanceof_cause() from None


def actor_pool(workers: int | None) -> Any:
    """Return Ray Data's pool of a number of workers; None: as many as help."""
    from ray.data import ActorPoolStrategy  # slow to import, and only this needs it

    return ActorPoolStrategy(size=workers) if workers else ActorPoolStrategy(min_size=1)


@contextmanager
def connected(cluster: Cluster) -> Iterator[Workers]:
    """Connect to a cluster, or start one on this machine; yield the workers that suit it.

    Raises:
        SettingError: no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray would have its workers yield to all else on a machine; processes of --devices do not.
    os.environ.setdefault("RAY_worker_niceness", "0")
    if ray.is_initialized():
        yield _suitable(cluster)
        return
    address = _address(cluster)
    here = {"num_cpus": core_count(), "include_dashboard": False} if address == LOCAL else {}
    with redirect_stdout(sys.stderr):  # stdout is for results; Ray tells of dead workers there
        try:
            _check_answers(address)
            _start(address, here)
        except Exception as error:  # Ray raises that itself where its start takes too long
            raise _no_cluster(address, error) from error
        try:
            yield _suitable(cluster)
        finally:
            ray.shutdown()


def _start(address: str, here: dict[str, Any]) -> None:
    """Connect to a cluster, or start one; a busy machine may take longer than Ray waits."""
    for again in reversed(range(STARTS)):
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **here)
            return
        except Exception as error:
            if not (again and here and TOO_SLOW in str(error)):
                raise
            ray.shutdown()


def check_cluster(cluster: Cluster) -> None:
    """Refuse a cluster that does not answer. Raises ``SettingError``."""
    address = _address(cluster)
    try:
        _check_answers(address)
    except OSError as error:
        raise _no_cluster(address, error) from error


def _address(cluster: Cluster) -> str:
    """Return what ``ray.init`` takes."""
    return cluster.address or os.environ.get("RAY_ADDRESS") or LOCAL


def _no_cluster(address: str, error: Exception) -> SettingError:
    what = "does not start here" if address == LOCAL else f"does not answer at {address}"
    return SettingError(
        f"a Ray cluster {what} ({short(error)}); give the address of one with --address, or "
        "leave it out to use this machine"
    )


def _check_answers(address: str) -> None:
    """Raise ``OSError`` if nothing listens at ``HOST:PORT``, which Ray tries for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and "://" not in address and port.isdigit():
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS):
            pass


def _suitable(cluster: Cluster) -> Workers:
    """Return the workers that suit the cluster to which this process is connected."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return plan_workers(cluster, [(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes])
