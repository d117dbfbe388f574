"""The campaign of benchmarks.campaign in short: some faults, kills, full disks, bad inputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.campaign import disks, faults, inputs, kills
from benchmarks.campaign.world import Outcome, World

Part = Callable[[World, int, int], Iterator[str]]

pytestmark = pytest.mark.filterwarnings("default")  # commands are run as users run them


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    before = Path.cwd()
    root = tmp_path_factory.mktemp("world")
    os.chdir(root)
    try:
        return World(root)
    finally:
        os.chdir(before)


@pytest.mark.parametrize(
    ("part", "count"),
    [
        pytest.param(faults.campaign, len(faults.FAULTS), id="faults"),
        pytest.param(kills.campaign, 3, id="kills"),
        pytest.param(disks.campaign, 2, id="disks"),
        pytest.param(inputs.campaign, 20, id="inputs"),
        pytest.param(faults.campaign, 64, id="more faults", marks=pytest.mark.slow),
        pytest.param(kills.campaign, 14, id="more kills", marks=pytest.mark.slow),
        pytest.param(inputs.campaign, 160, id="more inputs", marks=pytest.mark.slow),
    ],
)
def test_every_promise_holds(world: World, part: Part, count: int) -> None:
    assert list(part(world, count, 1)) == []


def test_the_campaign_notices_wrong_vectors_and_lost_texts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = world.copy("damaged")
    assert faults.judge(world, cache, []) == ""
    true = world.vectors
    try:
        world.vectors = true + 1
        assert faults.judge(world, cache, ["export"]) == "export gave wrong vectors"
    finally:
        world.vectors = true
    for path in faults.shards(cache):
        path.write_bytes(b"")
    assert "are encoded again" in faults.judge(world, cache, [], texts_per_shard=1)


@pytest.mark.parametrize(
    ("code", "err", "broken"),
    [
        (0, "plan: 3 texts\n", ""),
        (2, "plan: 3 texts\nerror: no such file\n", ""),
        (1, "fault: diverged\n", ""),
        (2, "error: one\nand a second line\n", "not one line"),
        (2, "", "not one line"),
        (None, "Traceback (most recent call last):\nKeyError: 3\n", "KeyError: 3"),
        (-7, "", "exit code -7"),
    ],
)
def test_what_counts_as_a_broken_promise(code: int | None, err: str, broken: str) -> None:
    found = Outcome(code, "", err).broken_promise
    assert broken in found if broken else not found
