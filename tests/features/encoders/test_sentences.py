"""The sentences layout: each sentence's pooled vector, encoded once, nothing cut off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.encoders.description.model import find_model
from features.encoders.segmentation import (
    LANGUAGES,
    language_of,
    segmentation,
    sentences,
    token_windows,
)
from features.encoders.transformer import TransformerEncoder
from features.errors import SettingError
from features.vectors.spec import FeatureSpec
from pipeline.cli.main import main
from tests.support.transformers import SENTENCES

TOLERANCE = 1e-5


def quiet(texts: int, tokens: int) -> None:
    """Nobody watches the progress."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith went home. Did he?  Yes!", ["Dr. Smith went home.", "Did he?", "Yes!"]),
        ('He said: "Hi. Bye!" Then he left.', ['He said: "Hi. Bye!"', "Then he left."]),
        ("我喜欢猫。你呢？很好！", ["我喜欢猫。", "你呢？", "很好！"]),
        ("Das ist z.B. ein Satz. Und dann?", ["Das ist z.B. ein Satz.", "Und dann?"]),
        ("Il dit : « Bonjour. » Puis il part.", ["Il dit : « Bonjour. »", "Puis il part."]),
        ("one line\n\nanother line", ["one line", "another line"]),
        ("no end", ["no end"]),
        ("  ", ["  "]),
    ],
)
def test_sentences_of_several_languages(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "de",
            "Er kam am 3. Mai um ca. 5 Uhr. Prof. Dr. Kern ging z.B. nach Hause. Und dann?",
            [
                "Er kam am 3. Mai um ca. 5 Uhr.",
                "Prof. Dr. Kern ging z.B. nach Hause.",
                "Und dann?",
            ],
        ),
        (
            "zh",
            "今天天气很好。我们去公园吧！你想去吗？她说：“好的。”然后我们出发了。",
            [
                "今天天气很好。",
                "我们去公园吧！",
                "你想去吗？",
                "她说：“好的。”",
                "然后我们出发了。",
            ],
        ),
    ],
)
def test_sentences_of_a_language_that_is_named(
    language: str, text: str, expected: list[str]
) -> None:
    assert sentences(text, language) == expected


def test_english_rules_break_at_a_german_date() -> None:
    """What naming the language is good for."""
    assert sentences("Er kam am 3. Mai.") == ["Er kam am 3.", "Mai."]
    assert sentences("Er kam am 3. Mai.", "de") == ["Er kam am 3. Mai."]


def test_every_language_of_the_list_is_known_to_the_splitter() -> None:
    for language in LANGUAGES:
        assert sentences("One. Two.", language)[0].startswith("One.")
        assert language_of(segmentation(language)) == language
    with pytest.raises(SettingError, match=r"--language 'xx'.*am, ar.*de.*zh; for any other"):
        segmentation("xx")


def test_the_language_is_part_of_the_space_and_of_its_vectors(
    tiny_models: dict[str, Path],
) -> None:
    model = find_model(str(tiny_models["bert"]))
    english, german = (model.spec("sentences", language=code) for code in ("en", "de"))
    assert english == model.spec("sentences")
    assert english.segmentation == "sentencex-1 en, windows overlapping by 1/8"
    assert english.fingerprint != german.fingerprint
    assert model.spec("tokens", language="de") == model.spec("tokens")
    encoder = TransformerEncoder(model, "cpu")
    blocks = encoder.encode(["Rain on 3. Mai."], [english, german], quiet)
    assert [block.lengths.tolist() for block in blocks] == [[2], [1]]


@given(st.text(max_size=200))
def test_no_letter_is_lost(text: str) -> None:
    pieces = sentences(text)
    assert len(pieces) >= 1
    assert "".join("".join(pieces).split()) == "".join(text.split())


@given(st.integers(1, 60), st.integers(1, 30))
def test_windows_cover_every_token_and_overlap(count: int, most: int) -> None:
    text = " ".join(f"w{i}" for i in range(count))
    words = text.split()
    ends = np.cumsum([len(word) + 1 for word in words]).tolist()
    offsets = [(end - len(word) - 1, end - 1) for end, word in zip(ends, words, strict=True)]
    cut = [window.split() for window in token_windows(text, offsets, most)]
    assert all(1 <= len(window) <= most for window in cut)
    assert {word for window in cut for word in window} == set(words)
    assert [window[0] for window in cut] == sorted((w[0] for w in cut), key=words.index)
    if len(cut) > 1:
        assert all(len(window) == most for window in cut[:-1])


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_vectors_are_those_of_the_sentences_alone(
    tiny_models: dict[str, Path], family: str
) -> None:
    model = find_model(str(tiny_models[family]))
    encoder = TransformerEncoder(model, device="cpu")
    texts = ["She laughed. Rain fell. She laughed.", "Dogs bark.", "Rain fell. A cat sat."]
    of, pooled = (model.spec(name, dtype="float32") for name in ("sentences", "pooled"))
    (block,) = encoder.encode(texts, [of], quiet)
    assert block.lengths.tolist() == [3, 1, 2]
    parts = [part for text in texts for part in sentences(text)]
    (alone,) = TransformerEncoder(model, "cpu").encode(parts, [pooled], quiet)
    assert np.abs(block.values - alone.values).max() < TOLERANCE


def test_a_sentence_is_encoded_once_across_the_corpus(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = find_model(str(tiny_models["bert"]))
    encoder, seen = TransformerEncoder(model, device="cpu"), []
    real = encoder._tokenizer.tokenize
    monkeypatch.setattr(
        encoder._tokenizer,
        "tokenize",
        lambda texts, *rest: seen.extend(texts) or real(texts, *rest),
    )
    of = model.spec("sentences")
    first = encoder.encode(["Rain fell. Dogs bark.", "Rain fell."], [of], quiet)
    second = encoder.encode(["Dogs bark. A cat sat. Rain fell."], [of], quiet)
    assert sorted(seen) == ["A cat sat.", "Dogs bark.", "Rain fell."]
    assert np.array_equal(second[0].values[2], first[0].values[0])


def test_nothing_of_a_long_sentence_is_cut_off(tiny_models: dict[str, Path]) -> None:
    model = find_model(str(tiny_models["bert"]))
    encoder = TransformerEncoder(model, device="cpu")
    long = " ".join(SENTENCES)
    layouts = [model.spec(name, dtype="float32") for name in ("pooled", "sentences", "tokens")]
    pooled, cut, tokens = encoder.encode(["Rain fell. " + long, "Rain."], layouts, quiet)
    assert tokens.tokens[0] > model.max_length
    assert cut.lengths[0] > 2
    assert cut.lengths[1] == 1
    assert np.abs(cut.values[-1] - pooled.values[1]).max() < TOLERANCE
    (pieces,) = encoder._tokenizer.fitted([long], "")
    lengths = [len(ids) for ids in encoder._tokenizer.library(pieces)["input_ids"]]
    assert max(lengths) <= model.max_length
    assert pieces[0].split()[0] == long.split()[0]
    assert pieces[-1].split()[-1] == long.split()[-1]


def test_the_rules_of_cutting_are_part_of_the_spec(tiny_models: dict[str, Path]) -> None:
    model = find_model(str(tiny_models["bert"]))
    of = model.spec("sentences")
    assert "sentencex" in json.loads(of.to_json())["segmentation"]
    assert FeatureSpec.from_dict(of.to_dict()) == of
    assert "segmentation" not in model.spec("pooled").to_dict(), "other spaces stay as they are"


def test_train_and_predict_on_sentences(
    tiny_models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = (
        "Rain fell. She laughed out loud {}.",
        "Dogs bark over and over. Nobody came {}.",
    )
    rows = [f"{good.format(i)},good" for i in range(40)] + [
        f"{bad.format(i)} {'word ' * 60},bad" for i in range(40)
    ]
    data = tmp_path / "data.csv"
    data.write_text("\n".join(["text,label", *rows]) + "\n")
    common = ["--encoder", str(tiny_models["bert"])]
    quick = ["--split", "random", "--head", "cnn", "--layout", "sentences", "--set", "epochs=2"]
    assert main(["train", "--data", str(data), *common, *quick, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["layout"], result["truncated"]) == ("sentences", 0)
    assert main(["predict", "--text", "Rain fell. Dogs bark.", *common, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"][0]["label"] in ("good", "bad")
    assert main(["train", "--data", str(data), *common, *quick, "--language", "de"]) == 0
    capsys.readouterr()
    assert main(["predict", "--text", "Rain on 3. Mai.", *common, "--json"]) == 0
    assert "error" not in capsys.readouterr().err
    assert main(["cache"]) == 0
    assert "sentences de" in capsys.readouterr().out
    assert main(["features", "--data", str(data), "--language", "german"]) == 2
    assert capsys.readouterr().err.startswith("error: --language 'german' is none that the")
    out = ["--layout", "sentences", "--out", "out.npy", "--json"]
    assert main(["export", "--data", str(data), *common, *out]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] > 160
    assert main(["verify", "--data", str(data), *common, "--sample", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
