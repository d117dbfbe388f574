"""The commands that look after a cache, end to end with a tiny real encoder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.errors import BadVectorError
from features.store.compaction import Compaction
from pipeline.cache.maintenance import Compacted
from pipeline.config import DataConfig, VectorConfig
from pipeline.encoding.certification import certify
from tests.support.cli import Command, Run, write
from tests.support.encoders import CountingEncoder
from tests.support.transformers import save_bert

REPOSITORY = Path(__file__).resolve().parents[3]


def data_file(path: Path, texts: list[str]) -> Path:
    return write(path, [["text", "label"], *([text, "x"] for text in texts)])


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return save_bert(tmp_path / "model")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return data_file(tmp_path / "data.csv", [f"the cat sat {i} times" for i in range(30)])


def test_verify_compares_with_the_encoder(
    run: Run, command: Command, data: Path, encoder: Path
) -> None:
    run("features", "--data", data, "--encoder", encoder)
    asked = ("verify", "--data", data, "--encoder", encoder, "--sample", 10, "--json")
    report = run(*asked).json
    assert (report["findings"], report["compared"]) == ([], 20)
    shutil.rmtree(encoder)
    save_bert(encoder, seed=1)
    done = run(*asked)
    (finding,) = {(each["kind"], each["detail"]) for each in done.report["findings"]}
    assert (done.code, finding[0]) == (1, "changed model")
    assert "other weights" in finding[1]
    assert str(encoder) in finding[1]
    assert "nothing to compare" in done.err
    again = command("features", "--data", data, "--encoder", encoder)
    assert again["encoded"] == 30, "changed weights are a new space"
    done = run(*asked)
    assert (done.code, done.report["compared"]) == (1, 20)


def test_verify_fix_and_encode_again(
    run: Run, command: Command, data: Path, encoder: Path
) -> None:
    run("features", "--data", data, "--encoder", encoder)
    shard = next(Path("cache").glob("*/*.parquet"))
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    done = run("verify")
    assert done.code == 1
    assert "corrupt shard" in done.out
    assert "--fix moves it away" in done.out
    done = run("verify", "--fix", "--json")
    assert (done.code, done.report["fixed"], len(done.report["moved"])) == (1, True, 1)
    done = run("verify")
    assert done.code == 0
    assert "all is well: " in done.out
    again = command("features", "--data", data, "--encoder", encoder)
    assert again["encoded"] == 30
    assert "quarantine" in run("cache").out


def test_what_is_cut_off_is_counted(
    run: Run, command: Command, encoder: Path, tmp_path: Path
) -> None:
    texts = [f"rain {i}" for i in range(9)] + ["one two three four " * 40]
    data = data_file(tmp_path / "long.csv", texts)
    report = command("features", "--data", data, "--encoder", encoder)
    assert report["truncated"] == 1
    assert 0.5 < report["tokens_cut_share"] < 1
    text = run("features", "--data", data, "--encoder", encoder).out
    assert f"{report['tokens_cut_share']:.1%} of all tokens are cut off" in text


def test_cache_compact_collect(
    run: Run, command: Command, data: Path, encoder: Path, tmp_path: Path
) -> None:
    more = data_file(tmp_path / "more.csv", [f"rain {i}" for i in range(10)])
    for file in (data, more):
        run("features", "--data", file, "--encoder", encoder)
    listing = command("cache")
    assert {s["layout"] for s in listing["spaces"]} == {"pooled", "tokens"}
    assert {(s["texts"], s["shards"], s["model"]) for s in listing["spaces"]} == {
        (40, 2, str(encoder))
    }
    text = run("cache").out
    assert all(word in text for word in ("layers", "last use", "tokens", "2 spaces"))
    done = command("compact")
    assert {(s["shards_before"], s["shards_after"]) for s in done["spaces"]} == {(2, 1)}
    text = run("compact").out
    assert text.startswith("cache: nothing to join: 2 shards in 2 spaces, ")
    plan = command("collect", "--data", more)
    assert [s["texts_removed"] for s in plan["spaces"]] == [30, 30]
    text = run("collect", "--data", more).out
    assert "would remove 30 of 40 texts" in text
    assert "--yes" in text
    assert command("collect", "--data", data, more)["spaces"] == []
    listing = command("cache")
    assert {s["texts"] for s in listing["spaces"]} == {40}, "nothing goes without --yes"
    done = command("collect", "--data", more, "--yes")
    assert done["removed"] is True
    listing = command("cache")
    assert {s["texts"] for s in listing["spaces"]} == {10}
    assert run("verify").code == 0
    run("collect", "--older-than", "2999-01-01", "--yes")
    assert command("cache")["spaces"] == []


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


def test_export(run: Run, command: Command, data: Path, encoder: Path) -> None:
    common = ("--data", data, "--encoder", encoder, "--layout", "tokens")
    first = command("export", *common, "--out", "out.npy")
    assert (first["encoded"], first["texts"]) == (30, 30)
    values, offsets = np.load("out.npy"), np.load("out.offsets.npy")
    assert values.shape == (offsets[-1], first["width"]) == (first["rows"], 16)
    second = command("export", *common, "--out", "out.parquet", "--format", "parquet")
    assert (second["encoded"], second["paths"]) == (0, ["out.parquet"])
    done = run("export", "--data", data, "--out", "out.npz")
    assert done.out == ""
    assert ".npy" in done.refusal


def test_certify_measures_every_form_and_stores_nothing(
    run: Run, command: Command, encoder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "labelled.csv"
    rows = [[f"the cat sat {i} times", "cats"] for i in range(20)]
    rows += [[f"nobody expected rain number {i}", "rain"] for i in range(20)]
    write(path, [["text", "label"], *rows])
    common = ("--data", path, "--encoder", encoder, "--precision", "float32", "--certify")
    report = command("features", *common, "30")
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
    text = run("features", *common).out
    assert "smallest cosine" in text
    done = run("features", *common, "1")
    assert done.err == f"{done.refusal}\n"


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
    run: Run, command: Command, encoder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "texts.csv"
    path.write_text('text\na cat\n""\nrain\n', encoding="utf-8")
    run("features", "--data", path, "--encoder", encoder, "--skip-empty", "--layout", "pooled")
    assert command("collect", "--data", path)["spaces"] == []
    assert command("verify", "--data", path, "--encoder", encoder)["compared"] == 2


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
    done = run(*arguments)
    assert message in done.refusal
    assert (done.out, done.err) == ("", f"{done.refusal}\n")


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
