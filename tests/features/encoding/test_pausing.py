"""Encoders stop between batches for a commit; vectors do not depend on where they stop."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from features.encoders.description.model import EncoderModel, find_model
from features.encoders.transformer import TransformerEncoder
from features.encoding.pace import MAX_SECONDS, MIN_SECONDS, CommitClock
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.store.space import Space
from features.store.store import FeatureStore
from tests.support.transformers import SENTENCES, save_bert

TEXTS = [
    " ".join(random.Random(i).choices(" ".join(SENTENCES).split(), k=1 + i % 23))
    for i in range(120)
]
SPECS = {
    "pooled": {},
    "tokens": {"precision": "bfloat16"},
    "sentences": {},
    "windows": {"layout": "tokens", "max_tokens": 64},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> EncoderModel:
    return find_model(str(save_bert(tmp_path_factory.mktemp("bert"))))


def encoded(root: Path, model: EncoderModel, kind: str) -> tuple[np.ndarray, Space]:
    options = {"layout": kind, **SPECS[kind]}
    space = FeatureStore(root).space(model.spec(**options))
    plan = plan_encoding(TEXTS, [space])
    encode(plan, TEXTS, [space], lambda: TransformerEncoder(model, token_budget=100))
    return space.table(plan.keys).values, space


@pytest.mark.parametrize("kind", SPECS)
def test_the_vectors_are_the_same_bits_wherever_the_encoder_stopped(
    kind: str, tmp_path: Path, model: EncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.encoders.transformer.GROUP_TOKENS", 100)
    through, whole = encoded(tmp_path / "through", model, kind)
    keys = plan_encoding(TEXTS, [whole]).keys
    commits = []
    commit = Space.commit
    monkeypatch.setattr(Space, "commit", lambda *a: commits.append(a) or commit(*a))
    for seed in range(3):
        draw = random.Random(seed).random
        monkeypatch.setattr(CommitClock, "due", lambda *_, draw=draw: draw() < 0.3)
        commits.clear()
        stopped, space = encoded(tmp_path / str(seed), model, kind)
        assert len(commits) > 3
        assert len(space.shard_names()) == 1, "joined at the end"
        assert stopped.tobytes() == through.tobytes()
        assert space.tokens(keys).tolist() == whole.tokens(keys).tolist()


class Timed:
    """A commit clock, and the time by which it goes."""

    def __init__(self) -> None:
        self.now = self.share = 0.0
        self.clock = CommitClock(lambda: self.now)

    def due(self, seconds: float, share: float) -> bool:
        """Let one more batch take some seconds for a share of the unit."""
        self.now += seconds
        self.share += share
        return self.clock.due(self.share)

    def commit(self) -> None:
        self.clock.stop()
        self.clock.restart()
        self.share = 0.0


@pytest.fixture
def timed() -> Timed:
    timed = Timed()
    assert not timed.due(0.1, 0.001)
    timed.commit()
    return timed


def test_a_commit_is_due_within_seconds(timed: Timed) -> None:
    assert not timed.due(MIN_SECONDS * 0.9, 0.01)
    assert timed.due(MIN_SECONDS * 0.2, 0.002)


def test_no_commit_is_due_just_before_the_end(timed: Timed) -> None:
    assert not timed.due(MIN_SECONDS * 1.1, 0.9)


def test_commits_come_less_often_when_much_has_been_done(timed: Timed) -> None:
    timed.now += 1000.0
    timed.commit()
    assert not timed.due(MAX_SECONDS * 0.9, 0.01)
    assert timed.due(MAX_SECONDS * 0.2, 0.002)


def test_a_first_batch_that_starts_the_device_is_no_reason_to_pause() -> None:
    """It took a second for 8 of 2048 texts, but a second is all that the others take."""
    timed = Timed()
    assert not timed.due(1.0, 8 / 2048)
    assert not any(timed.due(share, share) for share in (32 / 2048, 128 / 2048, 512 / 2048))


def test_a_first_batch_of_a_very_slow_encoder_is_committed() -> None:
    assert Timed().due(MAX_SECONDS, 8 / 2048)
    assert not Timed().due(MAX_SECONDS, 1.0)
