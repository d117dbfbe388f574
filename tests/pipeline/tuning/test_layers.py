"""``manyheads layers``: the layer that knows is found, and noise is called noise."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from features.corpus.corpus import Corpus
from features.encoders.description.model import EncoderModel
from features.encoders.protocol import OnBatch
from features.errors import SettingError
from features.splits.split import make_split
from features.splits.strata import sample
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED
from heads.evaluation.metrics import accuracy_interval, mean_interval
from pipeline.cli.main import main
from pipeline.config import DataConfig, VectorConfig
from pipeline.tuning.config import LayersConfig
from pipeline.tuning.layer_scores import advice, compare, score_table
from pipeline.tuning.layers import LayersResult, draw_rows, run_layers

QUICK = {"epochs": 3, "learning_rate": 0.02, "filters": 8, "batch_size": 16}


class LayeredEncoder:
    """Random vectors; in the layers that know, feature 0 of one token is the text's class.

    Args:
        knowing: layers of the tokens layout; pooled vectors know nothing.
    """

    def __init__(self, knowing: Sequence[int]) -> None:
        self.knowing = set(knowing)
        self.seen: list[str] = []
        self.passes: list[int] = []

    def encode(
        self, texts: Sequence[str], specs: Sequence[FeatureSpec], on_batch: OnBatch
    ) -> list[Block]:
        self.seen.extend(texts)
        self.passes.append(len(specs))
        return [self._block(texts, spec) for spec in specs]

    def _block(self, texts: Sequence[str], spec: FeatureSpec) -> Block:
        count = 1 if spec.layout == POOLED else 3
        random = np.random.default_rng([len(texts), *spec.layers])
        values = random.normal(size=(len(texts), count, spec.width)) * 0.3
        if count > 1 and self.knowing & set(spec.layers):
            values[:, 1, 0] = [5.0 if "sun" in text else -5.0 for text in texts]
        lengths = np.full(len(texts), count, np.int32)
        return Block(lengths, lengths, values.reshape(-1, spec.width).astype(spec.dtype))


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label", "split"][: len(rows[0])], *rows])
    return path


def weather(count: int, tag: str = "") -> list[list[str]]:
    """Texts of two classes without near-copies."""
    words = np.random.default_rng(7).permutation(10_000 * 2)[: 2 * count].tolist()
    return [
        [
            f"{'sun' if i % 2 else 'rain'} {tag}{words[2 * i]:x} {words[2 * i + 1]:x}",
            f"c{i % 2}",
        ]
        for i in range(count)
    ]


Compare = Callable[..., LayersResult]


@pytest.fixture
def encoder() -> LayeredEncoder:
    return LayeredEncoder([2])


@pytest.fixture
def ask(tiny_models: dict[str, Path], tmp_path: Path, encoder: LayeredEncoder) -> Compare:
    def call(data: Path, layers: str | None = None, **changes: object) -> LayersResult:
        config = LayersConfig(
            data=DataConfig(data=data, split="random"),
            vectors=VectorConfig(
                encoder=str(tiny_models["bert"]), cache=tmp_path / "cache", layers=layers
            ),
            settings=QUICK,
            **{"seeds": 1, "plot": None, **changes},  # type: ignore[arg-type]
        )
        return run_layers(config, load)

    def load(model: EncoderModel) -> LayeredEncoder:
        return encoder

    return call


def test_the_layer_that_knows_is_recommended(
    ask: Compare, encoder: LayeredEncoder, tmp_path: Path
) -> None:
    result = ask(write(tmp_path / "data.csv", weather(200)), seeds=2)
    assert [one.layer for one in result.comparison.layers] == [0, 1, 2]
    report = result.to_dict()
    assert (report["default"], report["best"], report["recommended"]) == (1, 2, 2)
    assert report["layers"][2]["accuracy"] > 0.9
    assert report["layers"][0]["accuracy"] < 0.8
    assert report["pooled"]["accuracy"] < 0.8
    assert [one["within_noise"] for one in report["layers"]] == [False, False, True]
    assert len(report["layers"][0]["seeds"]) == 2
    assert report["settings"]["refit"] is False, "validation texts score, none learns from them"
    assert report["advice"][0].startswith("Use --layers 2: the default, layer 1, scores")
    assert "layer 2 (last)  " in result.to_text()
    assert "layer 1 (default)" in result.to_text()
    assert set(encoder.passes) == {4}, "all layers and pooled from one pass"


def test_a_default_that_is_as_good_is_kept(
    ask: Compare, encoder: LayeredEncoder, tmp_path: Path
) -> None:
    encoder.knowing = {1, 2}
    result = ask(write(tmp_path / "data.csv", weather(200)))
    assert result.to_dict()["recommended"] == 1
    assert result.advice[0] == "Use --layers 1, the default: no layer scores more."
    assert result.advice[1] == "Within noise of the best here: layer 2 too."


def test_a_second_run_encodes_nothing_and_says_the_same(
    ask: Compare, encoder: LayeredEncoder, tmp_path: Path
) -> None:
    data = write(tmp_path / "data.csv", weather(120))
    first, passes = ask(data).to_dict(), len(encoder.passes)
    second = ask(data).to_dict()
    assert (first.pop("encoded"), second.pop("encoded")) == (120, 0)
    assert (first.pop("seconds"), second.pop("seconds")) > (0, 0)
    assert first == second
    some = ask(data, layers="0,-1").to_dict()
    assert [one["layer"] for one in some["layers"]] == [0, 2]
    assert "The default, layer 1, was not tried." in some["advice"]
    assert len(encoder.passes) == passes


def test_test_texts_are_neither_encoded_nor_scored(
    ask: Compare, encoder: LayeredEncoder, tmp_path: Path
) -> None:
    train = [[*row, "train"] for row in weather(120)]
    held = [[*row, "validation"] for row in weather(40, "held")]
    test = [[*row, "test"] for row in weather(60, "secret")]
    data = write(tmp_path / "data.csv", [*train, *held, *test])
    one = ask(data).to_dict()
    assert (one["texts"], one["train"], one["validation"]) == (160, 120, 40)
    assert not any("secret" in text for text in encoder.seen)
    for row in test:
        row[1] = "c0"
    other = ask(write(tmp_path / "data.csv", [*train, *held, *test])).to_dict()
    assert other["encoded"] == 0
    assert {**other, "seconds": 0, "encoded": 0} == {**one, "seconds": 0, "encoded": 0}


def test_a_corpus_within_the_sample_is_split_as_train_splits_it(
    tiny_models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "data.csv", weather(100))
    common = ["--data", str(data), "--encoder", str(tiny_models["bert"]), "--json"]
    quick = ["--head", "lstm", "--set", "epochs=1", "units=4"]
    assert main(["layers", *common, *quick, "--seeds", "1", "--plot", "plot.png"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["head"] == "lstm"
    assert report["settings"]["epochs"] == 1
    assert main(["train", *common, *quick]) == 0
    run = json.loads(capsys.readouterr().out)["run"]
    rows = json.loads((Path(run) / "config.json").read_text())["resolved"]["rows"]
    assert (report["train"], report["validation"]) == (rows["train"], rows["validation"])
    with Image.open("plot.png") as image:
        assert image.size[0] > 600
    assert report["plot"] == "plot.png"
    assert main(["layers", *common[:-1], *quick, "--seeds", "1", "--plot", "none"]) == 0
    text = capsys.readouterr().out
    assert "Use --layers" in text
    assert "Plot:" not in text
    assert not Path("layers.png").exists()


def test_the_sample_is_stratified_seeded_and_kept_from_test_rows() -> None:
    labels = ("a",) * 600 + ("b",) * 300 + ("c",) * 100
    texts = tuple(f"text {i}" for i in range(1000))
    plain = Corpus(texts, labels)
    rows, test = draw_rows(plain, 100, 0)
    assert test == 0.15
    assert Counter(labels[row] for row in rows) == {"a": 60, "b": 30, "c": 10}
    assert np.array_equal(rows, draw_rows(plain, 100, 0)[0])
    assert not np.array_equal(rows, draw_rows(plain, 100, 1)[0])
    assert len(draw_rows(plain, 1000, 0)[0]) == 1000
    sides = tuple(("train", "train", "dev", "test")[i % 4] for i in range(1000))
    rows, test = draw_rows(Corpus(texts, labels, sides), 200, 0)
    assert test is None
    assert Counter(sides[row] for row in rows) == {"train": 160, "dev": 40}
    few = tuple("dev" if i < 10 else "train" for i in range(1000))
    rows, test = draw_rows(Corpus(texts, labels, few), 200, 0)
    assert test == 0.15
    assert Counter(few[row] for row in rows) == {"train": 190, "dev": 10}


def test_every_class_is_in_the_sample() -> None:
    classes = np.array([0] * 995 + [1, 2, 3, 4, 5])
    rows = sample(classes, 50, np.random.default_rng(0))
    assert set(classes[rows].tolist()) == set(range(6))
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(sample(classes, 5000, np.random.default_rng(0))) == 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--head", "logistic"], "--head logistic takes no token vectors.*cnn_lstm, lstm"),
        (["--head", "cn"], "no head is called 'cn'"),
        (["--sample", "49"], "--sample takes 50 texts or more; got 49"),
        (["--seeds", "0"], "--seeds takes 1 to 100 trainings; got 0"),
        (["--seed", "-1"], "--seed must lie between"),
        (["--plot", "plot.jpg"], r"--plot must end in .png, or be none; got 'plot.jpg'"),
        (["--plot", "no/plot.png"], r"--plot no/plot.png: there is no folder"),
        (["--layers", "3"], "layer 3 does not exist"),
        (["--set", "depth=3"], "head cnn has no setting 'depth'"),
        (["--max-tokens", "5"], "--max-tokens is 5, but this encoder sees 32"),
    ],
)
def test_wrong_input_is_one_line(
    tiny_models: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    data = write(tmp_path / "data.csv", weather(60))
    common = ["--data", str(data), "--encoder", str(tiny_models["bert"])]
    assert main(["layers", *common, *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error[-1].startswith("error: ")
    with pytest.raises(SettingError, match=message):
        raise SettingError(error[-1])
    assert not Path("cache").exists()


def rights(*shares: float, count: int = 200) -> np.ndarray:
    """(seeds, count) bool: so large a share right in each, the first texts."""
    return np.array([np.arange(count) < round(share * count) for share in shares])


def test_a_gap_within_noise_keeps_the_default_and_says_so() -> None:
    random = np.random.default_rng(0)
    answers = {layer: random.random((2, 200)) < 0.7 for layer in range(4)}
    best = max(answers, key=lambda layer: answers[layer].mean())
    default = (best + 1) % 4
    comparison = compare(answers, rights(0.2), default)
    assert comparison.best.layer == best
    assert comparison.recommended.layer == default
    words = advice(comparison, "cnn", 200)
    assert f"Use --layers {default}, the default: layer {best} scores" in words[0]
    assert "which is within noise" in words[0]
    assert "points less" in words[2]


def test_a_gap_beyond_noise_moves_from_the_default() -> None:
    comparison = compare({1: rights(0.6, 0.6), 2: rights(0.8, 0.7)}, rights(0.95), 1)
    best = comparison.best
    assert (best.layer, best.accuracy, best.seeds) == (2, 0.75, (0.8, 0.7))
    assert (best.difference, best.difference_interval) == (0, (0, 0))
    other = comparison.layers[0]
    assert other.difference == pytest.approx(-0.15)
    assert other.difference_interval[0] < -0.15 < other.difference_interval[1] < 0
    assert comparison.recommended is best
    words = advice(comparison, "cnn", 200)
    assert "logistic on pooled vectors scores 20.0 points more" in " ".join(words)
    assert score_table(comparison, 2).splitlines()[-1].startswith("pooled, logistic      95.0%")


def test_one_layer_alone_is_no_comparison() -> None:
    words = advice(compare({3: rights(0.5)}, rights(0.5), 2), "cnn", 200)
    assert words[0] == "Use --layers 3: no layer tried scores more."
    assert not any("tell layers apart" in line for line in words)


def test_heads_that_learned_nothing_are_called_alike() -> None:
    words = advice(compare({1: rights(0.1), 2: rights(0.1)}, rights(0.1), 1), "cnn", 200)
    assert words[-1] == "The heads answered alike: train longer, as with --set epochs=20."


def test_the_interval_of_a_mean_is_that_of_an_accuracy() -> None:
    right = rights(0.7)[0]
    low, high = accuracy_interval(np.ones(200, np.int64), right.astype(np.int64))
    assert mean_interval(right) == pytest.approx((low, high), abs=0.011)
    assert mean_interval(right) == mean_interval(right) != mean_interval(right, seed=1)
    assert mean_interval(np.zeros(9)) == (0, 0)


def test_a_split_may_leave_test_out() -> None:
    rows = weather(100)
    split = make_split([row[1] for row in rows], [row[0] for row in rows], test=None)
    assert (len(split.train), len(split.validation), len(split.test)) == (80, 20, 0)


def test_a_part_of_a_corpus_keeps_its_rows() -> None:
    corpus = Corpus(("a", "b", "c"), ("x", "y", "z"), rows=(4, 5, 9), groups=("g", "h", "i"))
    part = corpus.take([2, 0])
    assert (part.texts, part.labels, part.groups) == (("c", "a"), ("z", "x"), ("i", "g"))
    assert part.rows == (9, 4)
    assert part.splits is None
    assert part.digest != corpus.digest
