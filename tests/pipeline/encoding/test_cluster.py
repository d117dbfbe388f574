"""``manyheads features --executor ray`` as a user would type it, with real encoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.encoders.description.model import find_model
from features.store.store import FeatureStore
from features.text.keys import text_keys
from tests.support.cli import Command, Run, write
from tests.support.s3 import S3Server

pytest.importorskip("ray", reason="needs ray: pip install 'manyheads[ray]'")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray warns of itself

TEXTS = [f"the cat sat on the mat {i} times and then " + "again " * (i % 5) for i in range(30)]


@pytest.mark.parametrize("cache", ["here", "s3://bucket/cache"])
def test_a_cluster_on_this_machine_gives_what_one_process_gives(
    cache: str, encoder: Path, tmp_path: Path, run: Run, command: Command, s3: S3Server
) -> None:
    data = write(tmp_path / "data.csv", [["text"], *([text] for text in TEXTS)])
    asked = ("features", "--data", data, "--encoder", encoder, "--precision", "float32")
    first = command(*asked, "--cache", cache, "--executor", "ray", "--workers", "2")
    assert (first["encoded"], first["cached"]) == (30, 0)
    assert first["speed"]["backend"] == "torch"
    assert command(*asked, "--cache", cache)["encoded"] == 0
    assert command(*asked, "--cache", "alone")["encoded"] == 30
    for layout in ("pooled", "tokens"):
        spec = find_model(str(encoder)).spec(layout)
        one, other = (
            FeatureStore(root).space(spec).table(text_keys(TEXTS)).values.astype(float)
            for root in (cache, "alone")
        )
        assert np.abs(one - other).max() < 1e-2
    assert run("verify", "--cache", cache).code == 0
