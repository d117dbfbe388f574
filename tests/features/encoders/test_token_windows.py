"""Windows: a text longer than the encoder sees, as one sequence of up to --max-tokens."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from features import FeatureStore, encode
from features import load_encoder as find_encoder
from features.encoders.description.model import find_model
from features.encoders.segmentation import joined_windows
from features.encoders.transformer import TransformerEncoder
from features.encoding.plan import plan_encoding
from features.errors import EncoderError, SettingError
from features.estimator import FeatureEncoder
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from pipeline.cli.main import main
from tests.support.transformers import SENTENCES, spec

TOLERANCE = 1e-5
FAMILIES = ["bert", "roberta", "xlnet"]
FRAMES = {"bert": (1, 1), "roberta": (1, 1), "xlnet": (0, 2)}
LONG = " ".join(SENTENCES * 2)


def quiet(texts: int, tokens: int) -> None:
    """Nobody watches the progress."""


@pytest.fixture(scope="module")
def encoders(tiny_models: dict[str, Path]) -> dict[str, TransformerEncoder]:
    """Every tiny model, seeing 32 tokens at once."""
    models = {name: find_model(str(path)) for name, path in tiny_models.items()}
    return {
        name: TransformerEncoder(replace(model, max_length=32), "cpu")
        for name, model in models.items()
    }


@given(st.integers(1, 400), st.integers(1, 60))
def test_every_vector_comes_once_from_where_its_token_has_most_context(
    tokens: int, most: int
) -> None:
    windows = joined_windows(tokens, most)
    assert [i for w in windows for i in range(w.first, w.last)] == list(range(tokens))
    assert (windows[0].start, windows[-1].stop) == (0, tokens)
    assert all(w.stop - w.start == min(most, tokens) for w in windows)
    for one, other in pairwise(windows):
        assert one.stop - other.start >= most // 4
    # As few as can be: one less could not cover the text with such overlaps.
    assert len(windows) == 1 or tokens > most + (len(windows) - 2) * (most - most // 4)
    for window in windows:
        for token in range(window.first, window.last):
            holding = [w for w in windows if w.start <= token < w.stop]
            context = [abs(2 * token + 1 - w.start - w.stop) for w in holding]
            own = abs(2 * token + 1 - window.start - window.stop)
            assert own <= min(context) + 1  # the middle falls between two tokens


def windows_alone(
    encoder: TransformerEncoder, family: str, text: str, layer: int, most: int
) -> list[tuple[np.ndarray, slice]]:
    """Each window through plain transformers by itself, and the rows of it that are kept."""
    folder = encoder.model.transformer
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    framed = tokenizer(text, verbose=False)
    kinds = framed.get("token_type_ids", [0] * len(framed["input_ids"]))
    bare = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    head, tail = FRAMES[family]
    assert framed["input_ids"][head : len(kinds) - tail] == bare
    seen = bare[: most - head - tail]
    alone = []
    windows = joined_windows(len(seen), 32 - head - tail)
    for window in windows:
        ids = [
            *framed["input_ids"][:head],
            *seen[window.start : window.stop],
            *framed["input_ids"][len(kinds) - tail :],
        ]
        types = [*kinds[: len(ids) - tail], *kinds[len(kinds) - tail :]]
        inputs = {"input_ids": torch.tensor([ids])}
        if "token_type_ids" in framed:
            inputs["token_type_ids"] = torch.tensor([types])
        with torch.no_grad():
            hidden = model(**inputs, output_hidden_states=True).hidden_states[layer][0]
        first = 0 if window is windows[0] else head + window.first - window.start
        last = len(ids) if window is windows[-1] else head + window.last - window.start
        alone.append((hidden.numpy(), slice(first, last)))
    return alone


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("most", [40, 61, 10_000])
def test_windows_are_those_that_plain_transformers_gives_alone(
    encoders: dict[str, TransformerEncoder], family: str, most: int
) -> None:
    encoder = encoders[family]
    specs = [
        encoder.model.spec("tokens", (1,), dtype="float32", max_tokens=most),
        encoder.model.spec("pooled", dtype="float32", max_tokens=most),
    ]
    done: list[int] = []
    sequence, pooled = encoder.encode(
        ["rain", LONG, SENTENCES[2]], specs, lambda texts, tokens: done.append(texts)
    )
    assert sum(done) == 3, "progress counts texts, not windows"
    whole = int(sequence.tokens[1])
    assert whole > 61
    assert sequence.lengths[1] == min(whole, most)
    alone = windows_alone(encoder, family, LONG, 1, most)
    expected = np.concatenate([hidden[rows] for hidden, rows in alone])
    start = sequence.lengths[0]
    got = sequence.values[start : start + sequence.lengths[1]]
    assert got.shape == expected.shape
    difference = np.abs(got - expected).max()
    print(f"{family}, {len(alone)} windows: largest difference {difference:.2e}")
    assert difference < TOLERANCE
    last = windows_alone(encoder, family, LONG, 2, most)
    weights = [rows.stop - rows.start for _, rows in last]
    mean = np.average([hidden.mean(axis=0) for hidden, _ in last], axis=0, weights=weights)
    assert np.abs(pooled.values[1] - mean).max() < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_that_fits_keeps_its_vectors_to_the_bit(
    encoders: dict[str, TransformerEncoder], family: str
) -> None:
    encoder = encoders[family]
    texts = [text for text in SENTENCES if len(text) < 60]
    for layout in ("pooled", "tokens"):
        specs = [encoder.model.spec(layout, max_tokens=most) for most in (None, 99)]
        without, within = (encoder.encode(texts, [of], quiet)[0] for of in specs)
        assert without.values.tobytes() == within.values.tobytes()
        assert without.lengths.tolist() == within.lengths.tolist()
        # Beside a long text only the batch changes.
        (mixed,) = encoder.encode([LONG, *texts], [specs[1]], quiet)
        rest = mixed.values[mixed.lengths[0] :].astype(np.float32)
        assert np.abs(rest - without.values).max() < 2e-3  # float16


def test_pooled_windows_of_a_normalised_model_have_length_1(
    encoders: dict[str, TransformerEncoder],
) -> None:
    encoder = encoders["bert"]
    model = replace(encoder.model, normalize=True)
    (block,) = encoder.encode(
        ["rain", LONG], [model.spec("pooled", dtype="float32", max_tokens=70)], quiet
    )
    assert np.abs(np.linalg.norm(block.values, axis=1) - 1).max() < TOLERANCE
    assert block.tokens[1] > 70


def test_the_prompt_stands_before_every_window_and_counts_once(
    tiny_models: dict[str, Path],
) -> None:
    model = replace(find_model(str(tiny_models["bert"])), prompt="dogs bark ")
    encoder = TransformerEncoder(model, "cpu")
    spec = model.spec("tokens", (2,), dtype="float32", max_tokens=60)
    (block,) = encoder.encode([LONG], [spec], quiet)
    assert block.lengths.tolist() == [60]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_models["bert"])
    plain = transformers.AutoModel.from_pretrained(tiny_models["bert"]).eval()
    prompt = tokenizer("dogs bark", add_special_tokens=False)["input_ids"]
    text = tokenizer(LONG, add_special_tokens=False, verbose=False)["input_ids"]
    begin, end = tokenizer("")["input_ids"]
    count = 60 - 2 - len(prompt)
    room = 32 - 2 - len(prompt)
    ids = [begin, *prompt, *text[count - room : count], end]
    with torch.no_grad():
        hidden = plain(torch.tensor([ids]), output_hidden_states=True).hidden_states[2][0]
    assert np.abs(block.values[-8:] - hidden.numpy()[-8:]).max() < TOLERANCE
    huge = replace(model, prompt="rain " * 40)
    with pytest.raises(EncoderError, match=r"prompt.*takes all of the 32 tokens"):
        TransformerEncoder(huge, "cpu").encode(
            [LONG], [replace(spec, prompt=huge.prompt)], quiet
        )


def test_the_fingerprints_of_spaces_without_windows_stay() -> None:
    """Written down from the version before windows: caches of that time must stay valid."""
    assert spec().fingerprint == "8ca8d553763c0a4071e7aeef"
    assert spec("tokens").fingerprint == "935a84391ed984b4adc6d30f"
    rules = "sentencex-1 en, windows overlapping by 1/8"
    assert spec("sentences", segmentation=rules).fingerprint == "b066bd5af8fc7742053b496c"


def test_windows_are_a_space_of_their_own(encoders: dict[str, TransformerEncoder]) -> None:
    model = encoders["bert"].model
    for layout in ("pooled", "tokens"):
        plain = model.spec(layout)
        assert not {"max_tokens", "segmentation"} & set(plain.to_dict())
        some, more = (model.spec(layout, max_tokens=most) for most in (64, 128))
        assert len({plain.fingerprint, some.fingerprint, more.fingerprint}) == 3
        assert (plain.limit, some.limit) == (32, 64)
        assert "joined in the middle" in some.segmentation
        assert FeatureSpec.from_dict(json.loads(some.to_json())) == some


@pytest.mark.parametrize(
    ("layout", "most", "message"),
    [
        ("tokens", 32, r"--max-tokens is 32.*sees 32 tokens at once.*give more"),
        ("pooled", -1, r"--max-tokens is -1"),
        ("tokens", 0, r"--max-tokens is 0"),
        ("sentences", 64, r"does not go with the layout sentences.*leave it out"),
    ],
)
def test_windows_that_are_not_needed_are_refused(
    encoders: dict[str, TransformerEncoder], layout: str, most: int, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        encoders["bert"].model.spec(layout, max_tokens=most)


def test_the_disk_estimate_follows_the_limit(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    texts = ["word " * 400]
    sizes = [
        plan_encoding(texts, [store.space(spec("tokens", max_tokens=most))]).bytes_needed
        for most in (0, 64, 128)
    ]
    assert sizes[1] > 6 * sizes[0]
    assert sizes[2] > 1.9 * sizes[1]


def test_the_python_api_takes_windows(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    encoder, store = find_encoder(tiny_models["bert"]), FeatureStore(tmp_path / "cache")
    table = encode(["rain", LONG], encoder, store, layout="tokens", max_tokens=70)
    assert table.lengths.tolist()[1] == 70
    transformer = FeatureEncoder(tiny_models["bert"], cache=tmp_path / "cache", max_tokens=70)
    pooled = encode([LONG], encoder, store, max_tokens=70).values
    assert np.array_equal(transformer.fit_transform([LONG]), pooled.astype(np.float32))
    with pytest.raises(SettingError, match="language 'xx'"):
        encode(["rain"], encoder, store, layout="sentences", language="xx")


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    assert main([*arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_every_command_honours_windows(
    tiny_models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"rain {i},good" for i in range(30)] + [f"{LONG} dogs {i},bad" for i in range(30)]
    data = tmp_path / "data.csv"
    data.write_text("\n".join(["text,label", *rows]) + "\n")
    common = ["--data", str(data), "--encoder", str(tiny_models["bert"])]
    cut = ask(capsys, "features", *common)
    assert (cut["truncated"], cut["windowed"]) == (30, 0)
    assert cut["tokens_cut_share"] > 0.3
    far = ["--max-tokens", "64"]
    seen = ask(capsys, "features", *common, *far)
    assert (seen["encoded"], seen["windowed"], seen["truncated"]) == (60, 30, 30)
    assert 0 < seen["tokens_cut_share"] < cut["tokens_cut_share"]
    assert main(["features", *common, *far]) == 0
    text = capsys.readouterr().out
    assert "30 texts are longer than the encoder's 32 tokens and were seen through" in text
    assert "30 texts are longer than the 64 tokens of --max-tokens" in text
    all_seen = ask(capsys, "features", *common, "--max-tokens", "4096")
    assert (all_seen["windowed"], all_seen["truncated"]) == (30, 0)
    quick = ["--head", "cnn", "--split", "random", "--set", "epochs=1"]
    run = ask(capsys, "train", *common, *far, *quick)
    assert (run["encoded"], run["truncated"]) == (0, 30)
    assert main(["predict", "--text", LONG, "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["predictions"][0]["label"] in ("good", "bad")
    assert "1 of 1 texts are longer than the 64 tokens that this run sees" in captured.err
    out = ["--layout", "tokens", "--out", "out.npy"]
    exported = ask(capsys, "export", *common, *far, *out)
    assert exported["encoded"] == 0
    lengths = np.diff(np.load("out.offsets.npy"))
    assert lengths[-1] == 64
    verified = ask(capsys, "verify", *common, "--sample", "9")
    assert verified["findings"] == []
    assert verified["compared"] == 9 * 6
    listing = ask(capsys, "cache")
    assert {s["max_tokens"] for s in listing["spaces"]} == {None, 64, 4096}
    assert main(["cache"]) == 0
    assert "tokens to 4096" in capsys.readouterr().out
    assert main(["train", *common, "--max-tokens", "8"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: --max-tokens is 8, but this encoder sees 32 tokens")


def test_verify_notices_sequences_cut_elsewhere(
    encoders: dict[str, TransformerEncoder], tmp_path: Path
) -> None:
    from features.encoding.recheck import compare_sample

    encoder = encoders["roberta"]
    space = FeatureStore(tmp_path).space(encoder.model.spec("tokens", max_tokens=64))
    (block,) = encoder.encode([LONG], [space.spec], quiet)
    plan = plan_encoding([LONG], [space])
    shifted = Block(block.tokens, block.lengths, np.roll(block.values, 1, axis=0))
    space.commit(plan.keys, shifted)
    compared, findings = compare_sample(space, [LONG], encoder, 4)
    assert (compared, len(findings)) == (1, 1)
