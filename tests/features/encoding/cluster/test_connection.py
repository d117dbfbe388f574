"""A Ray cluster of this machine is started again where Ray waited too short a time for it."""

from __future__ import annotations

import pytest

from features.encoding.cluster.resources import Cluster
from features.errors import SettingError

ray = pytest.importorskip("ray", reason="needs ray: pip install 'manyheads[ray]'")
connection = pytest.importorskip("features.encoding.cluster.connection")

SLOW = "The current node timed out during startup. This could happen because ..."


class Starts:
    """Fails to start so many times, and counts."""

    def __init__(self, failures: int, message: str = SLOW) -> None:
        self.failures, self.message, self.tried, self.ended = failures, message, 0, 0

    def init(self, *arguments: object, **options: object) -> None:
        self.tried += 1
        if self.tried <= self.failures:
            raise Exception(self.message)

    def shutdown(self) -> None:
        self.ended += 1


def connected(starts: Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(connection.ray, "nodes", list)
    monkeypatch.setattr(connection.ray, "init", starts.init)
    monkeypatch.setattr(connection.ray, "shutdown", starts.shutdown)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with connection.connected(Cluster(workers=2)) as workers:
        assert workers.count == 2


def test_a_start_that_takes_too_long_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = Starts(failures=2)
    connected(starts, monkeypatch)
    assert (starts.tried, starts.ended) == (3, 3)  # the last end is that of the work


@pytest.mark.parametrize(("message", "tried"), [(SLOW, 3), ("no permission", 1)])
def test_a_start_that_fails_for_good_is_one_line(
    message: str, tried: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = Starts(99, message)
    with pytest.raises(SettingError, match="a Ray cluster does not start here"):
        connected(starts, monkeypatch)
    assert starts.tried == tried
