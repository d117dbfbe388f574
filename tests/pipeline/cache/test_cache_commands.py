"""The commands that look after a cache, end to end with a tiny real encoder."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import BadVectorError
from features.store.compaction import Compaction
from pipeline.cache.maintenance import Compacted
from pipeline.cli.main import main
from pipeline.config import DataConfig, VectorConfig
from pipeline.encoding.certification import certify
from tests.support.encoders import CountingEncoder
from tests.support.transformers import save_bert

REPOSITORY = Path(__file__).resolve().parents[3]
Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, Any, str]:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in arguments else out, err

    return call


def data_file(path: Path, texts: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], *([text, "x"] for text in texts)])
    return path


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return save_bert(tmp_path / "model")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return data_file(tmp_path / "data.csv", [f"the cat sat {i} times" for i in range(30)])


def test_verify_compares_with_the_encoder(run: Run, data: Path, encoder: Path) -> None:
    run("features", "--data", data, "--encoder", encoder)
    asked = ("verify", "--data", data, "--encoder", encoder, "--sample", 10, "--json")
    code, report, _ = run(*asked)
    assert (code, report["findings"], report["compared"]) == (0, [], 20)
    shutil.rmtree(encoder)
    save_bert(encoder, seed=1)
    code, report, err = run(*asked)
    assert code == 1
    assert {found["kind"] for found in report["findings"]} == {"changed model"}
    assert "other weights" in report["findings"][0]["detail"]
    assert str(encoder) in report["findings"][0]["detail"]
    assert "nothing to compare" in err
    _, again, _ = run("features", "--data", data, "--encoder", encoder, "--json")
    assert again["encoded"] == 30, "changed weights are a new space"
    code, report, _ = run(*asked)
    assert (code, report["compared"]) == (1, 20)


def test_verify_fix_and_encode_again(run: Run, data: Path, encoder: Path) -> None:
    run("features", "--data", data, "--encoder", encoder)
    shard = next(Path("cache").glob("*/*.parquet"))
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    code, text, _ = run("verify")
    assert code == 1
    assert "corrupt shard" in text
    assert "--fix moves it away" in text
    code, report, _ = run("verify", "--fix", "--json")
    assert (code, report["fixed"], len(report["moved"])) == (1, True, 1)
    code, text, _ = run("verify")
    assert code == 0
    assert "all is well: " in text
    _, again, _ = run("features", "--data", data, "--encoder", encoder, "--json")
    assert again["encoded"] == 30
    code, text, _ = run("cache")
    assert "quarantine" in text


def test_what_is_cut_off_is_counted(run: Run, encoder: Path, tmp_path: Path) -> None:
    texts = [f"rain {i}" for i in range(9)] + ["one two three four " * 40]
    data = data_file(tmp_path / "long.csv", texts)
    _, report, _ = run("features", "--data", data, "--encoder", encoder, "--json")
    assert report["truncated"] == 1
    assert 0.5 < report["tokens_cut_share"] < 1
    _, text, _ = run("features", "--data", data, "--encoder", encoder)
    assert f"{report['tokens_cut_share']:.1%} of all tokens are cut off" in text


def test_cache_compact_collect(run: Run, data: Path, encoder: Path, tmp_path: Path) -> None:
    more = data_file(tmp_path / "more.csv", [f"rain {i}" for i in range(10)])
    for file in (data, more):
        run("features", "--data", file, "--encoder", encoder)
    _, listing, _ = run("cache", "--json")
    assert {s["layout"] for s in listing["spaces"]} == {"pooled", "tokens"}
    assert {(s["texts"], s["shards"], s["model"]) for s in listing["spaces"]} == {
        (40, 2, str(encoder))
    }
    _, text, _ = run("cache")
    assert all(word in text for word in ("layers", "last use", "tokens", "2 spaces"))
    _, done, _ = run("compact", "--json")
    assert {(s["shards_before"], s["shards_after"]) for s in done["spaces"]} == {(2, 1)}
    _, text, _ = run("compact")
    assert text.startswith("cache: nothing to join: 2 shards in 2 spaces, ")
    _, plan, _ = run("collect", "--data", more, "--json")
    assert [s["texts_removed"] for s in plan["spaces"]] == [30, 30]
    _, text, _ = run("collect", "--data", more)
    assert "would remove 30 of 40 texts" in text
    assert "--yes" in text
    assert run("collect", "--data", data, more, "--json")[1]["spaces"] == []
    _, listing, _ = run("cache", "--json")
    assert {s["texts"] for s in listing["spaces"]} == {40}, "nothing goes without --yes"
    _, done, _ = run("collect", "--data", more, "--yes", "--json")
    assert done["removed"] is True
    _, listing, _ = run("cache", "--json")
    assert {s["texts"] for s in listing["spaces"]} == {10}
    assert run("verify")[0] == 0
    run("collect", "--older-than", "2999-01-01", "--yes")
    assert run("cache", "--json")[1]["spaces"] == []


def test_compact_says_what_it_joined_by_name() -> None:
    done = {
        "1b85": Compaction(7, 2, 0),
        "24d0": Compaction(1, 1, 0),
        "33aa": Compaction(3, 1, 9),
    }
    names = {"1b85": "a, pooled", "24d0": "a, tokens", "33aa": "b, pooled"}
    assert Compacted(
        Path("cache"), done, names, 2_000_000, 1_900_000
    ).to_text().splitlines() == [
        "a, pooled: 7 shards joined into 2",
        "b, pooled: 3 shards joined into 1, 9 texts stored twice removed",
        "cache: 2.0 MB before, 1.9 MB now",
    ]


def test_export(run: Run, data: Path, encoder: Path) -> None:
    common = ("--data", data, "--encoder", encoder, "--layout", "tokens", "--json")
    _, first, _ = run("export", *common, "--out", "out.npy")
    assert (first["encoded"], first["texts"]) == (30, 30)
    values, offsets = np.load("out.npy"), np.load("out.offsets.npy")
    assert values.shape == (offsets[-1], first["width"]) == (first["rows"], 16)
    _, second, _ = run("export", *common, "--out", "out.parquet", "--format", "parquet")
    assert (second["encoded"], second["paths"]) == (0, ["out.parquet"])
    code, out, err = run("export", "--data", data, "--out", "out.npz")
    assert (code, out) == (2, "")
    assert ".npy" in err


def test_certify_measures_every_form_and_stores_nothing(
    run: Run, encoder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "labelled.csv"
    rows = [[f"the cat sat {i} times", "cats"] for i in range(20)]
    rows += [[f"nobody expected rain number {i}", "rain"] for i in range(20)]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    common = ("--data", path, "--encoder", encoder, "--precision", "float32", "--certify")
    _, report, _ = run("features", *common, "30", "--json")
    assert report["texts"] == 30
    costs = {(cost["layout"], cost["dtype"]): cost for cost in report["costs"]}
    assert set(costs) == {
        (layout, dtype)
        for layout in ("pooled", "tokens")
        for dtype in ("float32", "float16", "int8")
    }
    for layout in ("pooled", "tokens"):
        exact, half, eighth = (costs[layout, d] for d in ("float32", "float16", "int8"))
        assert exact["smallest_cosine"] == pytest.approx(1, abs=1e-6)
        assert exact["accuracy_change"] == 0
        assert half["smallest_cosine"] > 0.99999
        assert 0.999 < eighth["smallest_cosine"] <= eighth["mean_cosine"] < 1
        assert exact["bytes_per_text"] > half["bytes_per_text"] > eighth["bytes_per_text"]
        assert 0.5 < exact["accuracy"] <= 1
    assert costs["pooled", "int8"]["bytes_per_text"] == 16 + 8 + 4 + 16
    assert not Path("cache").exists()
    _, text, _ = run("features", *common)
    assert "smallest cosine" in text
    code, _, err = run("features", *common, "1")
    assert (code, err.count("\n")) == (2, 1)


def test_certify_leaves_out_texts_without_sound_vectors(encoder: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text\na cat\nrain\ndogs bark\n", encoding="utf-8")
    data = DataConfig(path)
    vectors = VectorConfig(encoder=str(encoder), precision="float32")
    done = certify(data, vectors, None, 3, lambda model: CountingEncoder(bad=["rain"]))
    assert (done.texts, done.left_out) == (2, 1)
    assert "NaN" not in json.dumps(done.to_dict())
    assert "1 more texts were left out" in done.to_text()
    every = CountingEncoder(bad=["a cat", "rain", "dogs bark"])
    with pytest.raises(BadVectorError, match="for all 3 texts"):
        certify(data, vectors, None, 3, lambda model: every)


def test_rows_without_a_text_need_no_option_that_is_not_there(
    run: Run, encoder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "texts.csv"
    path.write_text('text\na cat\n""\nrain\n', encoding="utf-8")
    run("features", "--data", path, "--encoder", encoder, "--skip-empty", "--layout", "pooled")
    code, report, _ = run("collect", "--data", path, "--json")
    assert (code, report["spaces"]) == (0, [])
    code, report, _ = run("verify", "--data", path, "--encoder", encoder, "--json")
    assert (code, report["compared"]) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("verify", "--cache", "nowhere"), "no cache folder nowhere"),
        (("cache", "--cache", "nowhere"), "no cache folder nowhere"),
        (("collect", "--cache", "."), "--older-than DATE"),
        (("collect", "--cache", ".", "--older-than", "soon"), "got 'soon'"),
        (("verify", "--cache", ".", "--sample", "3"), "takes texts of --data"),
        (("export", "--format", "csv", "--out", "x.csv"), "the formats are"),
    ],
)
def test_wrong_use_is_one_line(run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_housekeeping_imports_no_torch(data: Path, encoder: Path, run: Run) -> None:
    run("features", "--data", data, "--encoder", encoder)
    script = (
        "import sys; from pipeline.cli.main import main\n"
        "codes = [main(line.split()) for line in sys.argv[1:]]\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
        "assert codes == [0] * len(codes), codes\n"
    )
    lines = ["cache", "verify", "compact", f"collect --data {data}"]
    export = f"export --data {data} --encoder {encoder} --out vectors.npy"
    done = subprocess.run(
        [sys.executable, "-c", script, *lines, export],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
