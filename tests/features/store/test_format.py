"""docs/cache.md explains the format well enough: its own code reads a cache."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.store.store import FeatureStore
from features.text.keys import text_keys
from features.vectors.precision import pack, unpack
from tests.support.encoders import CountingEncoder, spec

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "cache.md").read_text("utf-8")
TEXTS = ["rain again", "né à l'aube", "a", "one two three four five six seven eight nine ten"]


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
def test_the_example_reads_a_space(tmp_path: Path, layout: str, dtype: str) -> None:
    space = FeatureStore(tmp_path).space(spec(layout, dtype=dtype))
    for some in (TEXTS[:3], TEXTS[2:]):
        encode(plan_encoding(some, [space]), some, [space], CountingEncoder)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert "features" not in code, "it must do without this project"
    names: dict = {}  # type: ignore[type-arg]
    exec(code, names)
    read = names["read_space"](space.folder)
    table = space.table(text_keys(TEXTS))
    assert len(read) == len(TEXTS)
    for row, text in enumerate(TEXTS):
        values = read[names["key"](text)]
        assert np.array_equal(values.astype(table.values.dtype), table.sequence(row))


def test_the_fingerprint_is_what_the_page_says(tmp_path: Path) -> None:
    space = FeatureStore(tmp_path).space(spec())
    encode(plan_encoding(TEXTS, [space]), TEXTS, [space], CountingEncoder)
    written = json.loads((space.folder / "space.json").read_text())["spec"]
    canonical = json.dumps(written, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode("ascii")).hexdigest()[:24] == space.folder.name
    for field in written:
        assert f"`{field}`" in PAGE


def test_int8_is_within_half_a_step() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((5000, 96)).astype(np.float32) * rng.uniform(
        1e-3, 50, (5000, 1)
    )
    values = values.astype(np.float32)
    back = unpack(pack(values, "int8"), "int8", 96).astype(np.float32)
    step = np.abs(values).max(axis=1, keepdims=True) / 127
    assert (np.abs(back - values) <= 0.5 * step + np.abs(values) * 2**-10).all()
    norms = np.linalg.norm(values, axis=1) * np.linalg.norm(back, axis=1)
    cosine = ((values * back).sum(axis=1) / norms).min()
    print(f"int8: smallest cosine {cosine:.6f}")
    assert cosine > 0.9995
    again = unpack(pack(back, "int8"), "int8", 96)
    assert np.abs(again.astype(np.float32) - back).max() <= 0.51 * step.max()
