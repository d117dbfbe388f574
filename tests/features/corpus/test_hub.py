"""Data sets of the hub, read without a network: folders that the same loader reads."""

from __future__ import annotations

import sys
from pathlib import Path

import datasets
import pytest

from features.corpus.columns import Columns
from features.corpus.corpus import read_corpus
from features.corpus.source import HubName, parse_source
from features.errors import CorpusError, SettingError
from pipeline.cli.main import main
from pipeline.config import DataConfig, ExperimentConfig

TEXTS = {
    "train": ["what a lovely day", "rain again", "she laughed out loud"],
    "validation": ["he cried all night", "the sun came out"],
    "test": ["über alles", "no bus today"],
    "unsupervised": ["nobody said"],
}
FEATURES = datasets.Features(
    {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub-cache")


def rows(part: str, **columns: list[object]) -> datasets.Dataset:
    texts = TEXTS[part]
    labels = [-1 if part == "unsupervised" else i % 2 for i in range(len(texts))]
    made = datasets.Dataset.from_dict({"text": texts, "label": labels}, features=FEATURES)
    for name, values in columns.items():
        made = made.add_column(name, values)
    return made


def saved(folder: Path, *splits: str) -> str:
    datasets.DatasetDict({split: rows(split) for split in splits}).save_to_disk(folder)
    return f"hub:{folder}"


def parquet_folder(folder: Path, *splits: str) -> str:
    """As a data set lies on the hub: Parquet files, named by their split."""
    (folder / "data").mkdir(parents=True)
    for split in splits:
        rows(split).to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
    return f"hub:{folder}"


@pytest.mark.parametrize("made", [saved, parquet_folder])
def test_splits_and_class_names(tmp_path: Path, made: object) -> None:
    name = made(tmp_path / "set", "train", "validation", "test")  # type: ignore[operator]
    corpus = read_corpus(name)
    assert corpus.texts == (*TEXTS["train"], *TEXTS["validation"], *TEXTS["test"])
    assert corpus.labels == ("bad", "good", "bad", "bad", "good", "bad", "good")
    assert corpus.splits == ("train",) * 3 + ("validation",) * 2 + ("test",) * 2
    assert (corpus.name, str(corpus.path)) == ("set", name)


def test_one_split_leaves_the_splitting_to_us(tmp_path: Path) -> None:
    corpus = read_corpus(saved(tmp_path / "set", "train"))
    assert corpus.splits is None
    alone = tmp_path / "alone"
    rows("train").save_to_disk(alone)
    assert read_corpus(f"hub:{alone}").texts == corpus.texts


def test_splits_that_are_none_of_ours_stay_out(tmp_path: Path) -> None:
    name = saved(tmp_path / "set", "train", "test", "unsupervised")
    assert read_corpus(name).texts == (*TEXTS["train"], *TEXTS["test"])
    everything = {"a": rows("train"), "b": rows("test")}
    datasets.DatasetDict(everything).save_to_disk(tmp_path / "other")
    with pytest.raises(CorpusError, match="no split to train or test on among a, b"):
        read_corpus(f"hub:{tmp_path / 'other'}")


def test_a_split_column_of_its_own_counts(tmp_path: Path) -> None:
    own = rows("train", split=["test", "train", "train"])
    both = {"train": own, "test": rows("test", split=["train", "test"])}
    datasets.DatasetDict(both).save_to_disk(tmp_path / "set")
    name = f"hub:{tmp_path / 'set'}"
    assert read_corpus(name).splits == ("test", "train", "train", "train", "test")
    assert read_corpus(name, Columns(split=None)).splits is None


def test_a_row_without_a_label_is_named(tmp_path: Path) -> None:
    datasets.DatasetDict({"train": rows("train"), "test": rows("unsupervised")}).save_to_disk(
        tmp_path / "set"
    )
    with pytest.raises(CorpusError, match=r"empty label \(column 'label'\) in 1 row: 4;"):
        read_corpus(f"hub:{tmp_path / 'set'}")
    assert read_corpus(f"hub:{tmp_path / 'set'}", skip_empty=True).skipped == 1


def test_a_missing_column_is_named_with_those_there(tmp_path: Path) -> None:
    name = saved(tmp_path / "set", "train", "test")
    with pytest.raises(CorpusError, match=r"no column 'body'; the columns are 'text' \(such"):
        read_corpus(name, Columns(text="body"))


def test_offline_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", "--data", "hub:owner/name"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: hub:owner/name: not in the hub's cache here")
    assert "HF_HUB_OFFLINE is set" in line


def test_what_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    name = parquet_folder(tmp_path / "set", "train")
    with pytest.raises(CorpusError, match="BuilderConfig 'other' not found") as caught:
        read_corpus(f"{name}#other")
    assert "\n" not in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="cannot be loaded"):
        read_corpus(f"hub:{tmp_path / 'empty'}")
    garbled = tmp_path / "set" / "data" / "train-00000-of-00001.parquet"
    garbled.write_bytes(garbled.read_bytes()[:-30])
    with pytest.raises(CorpusError, match="cannot be loaded") as caught:
        read_corpus(name)
    assert "\n" not in str(caught.value)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(CorpusError, match=r"pip install 'manyheads\[hub\]'"):
        read_corpus("hub:owner/name")


def test_names() -> None:
    full = parse_source("hub:owner/name@v1.0#german")
    assert full == HubName("owner/name", "v1.0", "german")
    assert str(full) == "hub:owner/name@v1.0#german"
    assert parse_source("hub:glue#sst2") == HubName("glue", "", "sst2")
    with pytest.raises(SettingError, match="names no data set"):
        parse_source("hub:")
    plain = ExperimentConfig(data=DataConfig(data=full)).to_dict()
    assert plain["data"]["data"] == "hub:owner/name@v1.0#german"
    assert plain["data"]["columns"]["text"] == "text"
