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
    through, _ = encoded(tmp_path / "through", model, kind)
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


def test_a_commit_is_due_within_seconds_but_not_just_before_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr("features.encoding.pace.time.perf_counter", lambda: now)
    clock = CommitClock()
    now = MIN_SECONDS * 0.9
    assert not clock.due(0.01)
    now = MIN_SECONDS * 1.1
    assert clock.due(0.01)
    assert not clock.due(0.9), "the rest takes no time"
    now = 1000.0
    clock.stop()
    clock.restart()
    now += MAX_SECONDS * 0.9
    assert not clock.due(0.01), "commits come less often when much has been done"
    now += MAX_SECONDS * 0.2
    assert clock.due(0.01)
