"""``features.ray.encode_dataset``: a stage of Ray Data that gives the cache's own vectors.

The example of docs/scale.md runs here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features import FeatureStore, encode, load_encoder
from features.errors import BadVectorError, CacheError, CorpusError, SettingError
from features.ray import EncodingStage, encode_dataset
from features.store.space import Space
from features.store.store import FeatureStore as Store
from features.store.verification import verify_cache
from features.vectors.spec import FeatureSpec
from tests.repository.test_documents import blocks
from tests.support.encoders import CountingEncoder, fake_vectors, spec
from tests.support.transformers import SENTENCES

TEXTS = [*SENTENCES, SENTENCES[0]]


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> CountingEncoder:
    """Make the stage encode with a counting encoder."""
    counting = CountingEncoder()

    class Lazy:
        def __init__(self, *arguments: object) -> None:
            pass

        def loaded(self) -> CountingEncoder:
            return counting

        def encode(self, *arguments: Any) -> Any:
            return counting.encode(*arguments)

    monkeypatch.setattr("features.ray.LazyEncoder", Lazy)
    monkeypatch.setattr("features.ray.find_same", lambda model: model)
    return counting


def stage(root: Path, chosen: FeatureSpec, output: str | None = "vectors") -> EncodingStage:
    place = (Store(root).root / chosen.fingerprint, chosen, "fake")
    Space(*place).write_manifest()  # as ``encode_dataset`` does
    return EncodingStage("text", output, place, None, ("torch", "cpu", 1))  # type: ignore[arg-type]


def batch(texts: list[Any]) -> dict[str, np.ndarray]:
    return {"text": np.array(texts, object), "id": np.arange(len(texts))}


@pytest.mark.parametrize("layout", ["pooled", "tokens"])
def test_a_batch_gets_its_vectors_and_each_text_is_encoded_once(
    tmp_path: Path, fakes: CountingEncoder, layout: str
) -> None:
    own = stage(tmp_path, spec(layout))
    texts = ["one two", "three", "one two", "four five six"]
    for _ in range(2):
        given = own(batch(texts))
        assert list(given) == ["text", "id", "vectors"]
        for text, vectors in zip(texts, given["vectors"], strict=True):
            assert np.array_equal(np.atleast_2d(vectors), fake_vectors(text, layout, 8))
    assert sorted(fakes.seen) == sorted(set(texts))
    other = stage(tmp_path, spec(layout), output=None)
    assert list(other(batch(["three", "seven"]))) == ["text", "id"]
    assert fakes.seen[-1] == "seven"
    del own, other  # as Ray Data does at the end
    assert not verify_cache(tmp_path)


def test_a_machine_that_does_not_see_the_cache_is_refused_and_makes_none(
    tmp_path: Path, fakes: CountingEncoder
) -> None:
    place = (Store(tmp_path / "cache").root / spec().fingerprint, spec(), "fake")
    with pytest.raises(CacheError, match="does not see the cache folder"):
        EncodingStage("text", None, place, None, ("torch", "cpu", 1))  # type: ignore[arg-type]
    assert not (tmp_path / "cache").exists()
    assert not fakes.seen


@pytest.mark.parametrize("cell", [None, "", "  ", 7])
def test_what_is_no_text_is_named(tmp_path: Path, fakes: CountingEncoder, cell: object) -> None:
    with pytest.raises(CorpusError, match=r"column 'text' holds .*, which is no text"):
        stage(tmp_path, spec())(batch(["one", cell]))


def test_bad_vectors_are_refused_and_all_others_stay(
    tmp_path: Path, fakes: CountingEncoder
) -> None:
    fakes.bad = {"bad"}
    own = stage(tmp_path, spec())
    with pytest.raises(BadVectorError, match="text 2: 'bad'"):
        own(batch(["good", "bad"]))
    own(batch(["good"]))
    assert fakes.seen.count("good") == 1


of_ray = pytest.mark.filterwarnings("ignore")  # Ray warns of settings of its own


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray on this machine."""
    found = pytest.importorskip("ray", reason="needs ray: pip install 'manyheads[ray]'")
    from features.encoding.cluster.connection import connected
    from features.encoding.cluster.resources import Cluster

    with connected(Cluster()):
        found.data.DataContext.get_current().enable_progress_bars = False
        yield found


@of_ray
@pytest.mark.slow
def test_the_example_of_the_page_gives_the_vectors_of_the_cache(
    ray: Any, encoder: Path, tmp_path: Path
) -> None:
    (code,) = blocks("docs/scale.md", "python")
    ray.data.from_items([{"text": text} for text in TEXTS]).write_parquet(
        str(tmp_path / "texts")
    )
    code = code.replace('"text",', f'"text", {str(encoder)!r},')
    for name in ("texts", "with-vectors"):  # Ray's processes stand in another folder
        code = code.replace(f'"{name}"', repr(str(tmp_path / name)))
    names: dict[str, Any] = {}
    exec(code, names)
    rows = ray.data.read_parquet(str(tmp_path / "with-vectors")).take_all()
    found = {row["text"]: np.asarray(row["vectors"]) for row in rows}
    table = encode(TEXTS, load_encoder(encoder, device="cpu"), FeatureStore("cache"))
    for row, text in enumerate(TEXTS):
        assert np.array_equal(found[text], table.values[row])
    assert not verify_cache(tmp_path / "cache")


@of_ray
@pytest.mark.slow
def test_wrong_use_is_refused_before_anything_runs(ray: Any, encoder: Path) -> None:
    ds = ray.data.from_items([{"body": "one"}])
    with pytest.raises(SettingError, match="the data set has no column 'text', but body"):
        encode_dataset(ds, "text", encoder)
    with pytest.raises(SettingError, match="device is cpu or cuda on a cluster; got 'cpu:1'"):
        encode_dataset(ds, "body", encoder, device="cpu:1")
    assert not Path("cache").exists()


@of_ray
@pytest.mark.slow
def test_a_data_set_ends_with_what_a_machine_does_not_see(
    ray: Any, encoder: Path, tmp_path: Path
) -> None:
    ds = ray.data.from_items([{"text": text} for text in TEXTS])
    ds = encode_dataset(ds, "text", encoder, cache=tmp_path / "cache", workers=1)
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="does not see the cache folder"):
        ds.take_all()
