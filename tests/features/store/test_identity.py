"""A space's folder, manifest, index and shards agree on the fingerprint at every read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.errors import CacheError, ManyheadsError
from features.store.index import Index
from features.store.store import FeatureStore
from features.store.verification import repair, verify_cache
from features.text.keys import text_keys
from features.vectors.spec import FeatureSpec
from tests.support.encoders import CountingEncoder, fake_vectors, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(20)]
POOLED, TOKENS = spec("pooled"), spec("tokens")


def fill(root: Path) -> None:
    spaces = [FeatureStore(root).space(one, "fake") for one in (POOLED, TOKENS)]
    encode(plan_encoding(TEXTS, spaces), TEXTS, spaces, CountingEncoder)


def whole_folder(pooled: Path, tokens: Path) -> None:
    shutil.rmtree(tokens)
    shutil.copytree(pooled, tokens)


def all_but_the_card(pooled: Path, tokens: Path) -> None:
    manifest = (tokens / "space.json").read_bytes()
    whole_folder(pooled, tokens)
    (tokens / "space.json").write_bytes(manifest)


def index_without_a_fingerprint(pooled: Path, tokens: Path) -> None:
    """As older versions wrote it."""
    all_but_the_card(pooled, tokens)
    index = Index.from_bytes((tokens / "index.arrow").read_bytes())
    assert index
    (tokens / "index.arrow").write_bytes(index.to_bytes())


def no_index(pooled: Path, tokens: Path) -> None:
    all_but_the_card(pooled, tokens)
    (tokens / "index.arrow").unlink()


def card_alone(pooled: Path, tokens: Path) -> None:
    shutil.copy(pooled / "space.json", tokens)


def garbled_card(pooled: Path, tokens: Path) -> None:
    (tokens / "space.json").write_bytes(b"[" * 5000)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "harm",
    [
        whole_folder,
        all_but_the_card,
        index_without_a_fingerprint,
        no_index,
        card_alone,
        garbled_card,
    ],
    ids=lambda harm: harm.__name__,
)
def test_a_space_under_another_name_is_refused(
    tmp_path: Path, harm: Callable[[Path, Path], None], reverse: bool
) -> None:
    fill(tmp_path)
    one, other = (TOKENS, POOLED) if reverse else (POOLED, TOKENS)
    harm(tmp_path / one.fingerprint, tmp_path / other.fingerprint)
    with pytest.raises(CacheError, match="verify --fix") as caught:
        FeatureStore(tmp_path).space(other).table(text_keys(TEXTS))
    assert "\n" not in str(caught.value)
    findings = verify_cache(tmp_path)
    assert findings
    repair(tmp_path, findings)
    assert verify_cache(tmp_path) == []
    fill(tmp_path)
    table = FeatureStore(tmp_path).space(other).table(text_keys(TEXTS))
    assert (table.sequence(3) == fake_vectors(TEXTS[3], other.layout, 8)).all()


def test_the_index_of_another_space_is_drawn_anew(tmp_path: Path) -> None:
    fill(tmp_path)
    pooled, tokens = (tmp_path / one.fingerprint for one in (POOLED, TOKENS))
    shutil.copy(pooled / "index.arrow", tokens)
    assert [f.kind for f in verify_cache(tmp_path)] == ["bad index"]
    space = FeatureStore(tmp_path).space(TOKENS)
    assert not space.missing(text_keys(TEXTS)).any()
    assert (
        space.table(text_keys(TEXTS)).sequence(3) == fake_vectors(TEXTS[3], "tokens", 8)
    ).all()
    space.save_index()
    assert verify_cache(tmp_path) == []


def refusal(root: Path, one: FeatureSpec, otherwise: str) -> str:
    """The one line with which a read is refused; another text where it is not."""
    try:
        FeatureStore(root).space(one).table(text_keys(TEXTS))
    except ManyheadsError as error:
        return str(error)
    return otherwise


@pytest.mark.parametrize("column", ["shard", "start", "length"])
def test_an_index_with_impossible_positions_is_no_traceback(
    tmp_path: Path, column: str
) -> None:
    fill(tmp_path)
    for one in (POOLED, TOKENS):
        space = FeatureStore(tmp_path).space(one)
        for number in (-5, 0, 10**6):
            values = getattr(space.index, column).copy()
            values[2] = number
            lying = Index(**{**vars(space.index), column: values})
            (space.folder / "index.arrow").write_bytes(lying.to_bytes(one.fingerprint))
            assert "index.arrow" in refusal(tmp_path, one, "index.arrow")


def test_a_card_may_say_more_than_this_version_knows(tmp_path: Path) -> None:
    fill(tmp_path)
    manifest = tmp_path / POOLED.fingerprint / "space.json"
    manifest.write_text(
        json.dumps({**json.loads(manifest.read_text()), "probe": {"largest": 0.1}})
    )
    assert not FeatureStore(tmp_path).space(POOLED).missing(text_keys(TEXTS)).any()
    assert verify_cache(tmp_path) == []


@pytest.mark.parametrize("name", ["index.arrow", "space.json", "0" * 32 + ".parquet"])
def test_a_named_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    fill(tmp_path)
    pipe = tmp_path / POOLED.fingerprint / name
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    assert "verify --fix" in refusal(tmp_path, POOLED, "verify --fix")

    findings = verify_cache(tmp_path)
    assert pipe.relative_to(tmp_path) in {finding.path for finding in findings}
    repair(tmp_path, findings)
    assert verify_cache(tmp_path) == []
    fill(tmp_path)
    assert not FeatureStore(tmp_path).space(POOLED).missing(text_keys(TEXTS)).any()


def test_a_pipe_among_temporary_files_is_not_waited_for(tmp_path: Path) -> None:
    fill(tmp_path)
    os.mkfifo(tmp_path / POOLED.fingerprint / ".tmp-0123456789abcdef")
    FeatureStore(tmp_path).space(POOLED).sweep()
    assert verify_cache(tmp_path) == []
