"""Which workers suit a cluster: no Ray is needed to say so."""

from __future__ import annotations

import pytest

from features.encoding.cluster.resources import Cluster, Workers, plan_workers
from features.errors import SettingError

TWO_MACHINES = [(16.0, 0.0), (8.0, 0.0)]
WITH_GPUS = [(4.0, 0.0), (32.0, 4.0), (32.0, 2.0)]


@pytest.mark.parametrize(
    ("cluster", "nodes", "expected"),
    [
        (Cluster(), [(2, 0)], Workers(1, "cpu", 2)),
        (Cluster(), TWO_MACHINES, Workers(6, "cpu", 4)),
        (Cluster(), [(4, 0), (3, 0)], Workers(1, "cpu", 4)),
        (Cluster(workers=2), [(2, 0)], Workers(2, "cpu", 1)),
        (Cluster(workers=3), TWO_MACHINES, Workers(3, "cpu", 8)),
        (Cluster(workers=24), TWO_MACHINES, Workers(24, "cpu", 1)),
        (Cluster(workers=4), [(2, 0)], Workers(4, "cpu", 0.5)),
        (Cluster(), WITH_GPUS, Workers(6, "cuda", 1)),
        (Cluster(workers=2), WITH_GPUS, Workers(2, "cuda", 1)),
        (Cluster(workers=99), WITH_GPUS, Workers(99, "cuda", 1)),
        (Cluster(device="cpu", workers=2), WITH_GPUS, Workers(2, "cpu", 32)),
        (Cluster(), [(0, 0)], Workers(1, "cpu", 1)),
    ],
)
def test_workers_fit_the_machines(
    cluster: Cluster, nodes: list[tuple[float, float]], expected: Workers
) -> None:
    found = plan_workers(cluster, nodes)
    assert found == expected
    assert found.threads >= 1


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"workers": 0}, "--workers is how many to start, 1 or more; got 0"),
        ({"device": "cpu*2"}, r"--devices is cpu or cuda with --executor ray.*got 'cpu\*2'"),
        ({"device": "cuda:1"}, "got 'cuda:1'"),
    ],
)
def test_what_no_cluster_has_is_refused(facts: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Cluster(**facts)  # type: ignore[arg-type]


def test_gpus_that_the_cluster_lacks_are_refused() -> None:
    with pytest.raises(SettingError, match="--devices cuda: the Ray cluster has no GPU"):
        plan_workers(Cluster(device="cuda"), TWO_MACHINES)
