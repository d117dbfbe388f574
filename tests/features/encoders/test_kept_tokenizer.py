"""A kept tokenizer gives what that of transformers gives, or it is not kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers.pre_tokenizers import PreTokenizer

from features.encoders.backends.kept_tokenizer import KeptTokenizer, find, keep, state_of
from features.encoders.description.hub import EMBEDDED
from features.encoders.description.model import find_model
from features.encoders.loading import load_tokenizer
from features.encoders.text_tokenizer import TextTokenizer
from features.encoders.transformer import TransformerEncoder
from features.storage.location import user_folder
from tests.support.transformers import SENTENCES

FAMILIES = ["bert", "roberta", "xlnet"]
TEXTS = [*SENTENCES, "", " ", "\U0001f327 naïve 日本語", "rain " * 60, "[CLS] <s> a [SEP]"]
PROMPTS = ["", "query: "]


def both(folder: Path | str) -> tuple[Any, KeptTokenizer]:
    library = load_tokenizer(find_model(str(folder)))
    state = state_of(library)
    assert state is not None
    return library, KeptTokenizer(state)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("side", ["right", "left"])
def test_it_is_called_like_the_library(
    tiny_models: dict[str, Path], family: str, side: str
) -> None:
    library = load_tokenizer(find_model(str(tiny_models[family])))
    library.truncation_side = side
    state = state_of(library)
    assert state is not None
    kept = KeptTokenizer(state)
    asked = {"return_special_tokens_mask": True, "return_offsets_mapping": True}
    plain = {"return_attention_mask": False, "verbose": False}
    for texts in (TEXTS, TEXTS[0]):
        for more in ({}, asked, {"truncation": True, "max_length": 9}):
            assert kept(texts, **plain, **more) == dict(library(texts, **plain, **more))
    bare = {"add_special_tokens": False, "return_offsets_mapping": True, **plain}
    assert kept(TEXTS[0], **bare) == dict(library(TEXTS[0], **bare))
    assert [kept.tokenize(text) for text in TEXTS] == [library.tokenize(each) for each in TEXTS]
    assert kept.num_special_tokens_to_add() == library.num_special_tokens_to_add()
    for name in ("pad_token_id", "pad_token_type_id", "cls_token_id", "is_fast"):
        assert getattr(kept, name) == getattr(library, name)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("limit", [0, 50])
def test_texts_become_the_same_tokens(
    tiny_models: dict[str, Path], prompt: str, limit: int
) -> None:
    model = find_model(str(tiny_models["bert"]))
    one, other = (
        TextTokenizer(model, each).tokenize(TEXTS, prompt, limit)
        for each in both(tiny_models["bert"])
    )
    assert one.ids == other.ids
    assert one.types == other.types
    assert max(map(len, one.ids)) == model.max_length
    for name in ("tokens", "text", "first", "last"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


def test_a_tokenizer_that_does_more_is_not_kept(tiny_models: dict[str, Path]) -> None:
    library = load_tokenizer(find_model(str(tiny_models["bert"])))

    class Own(type(library)):  # type: ignore[misc]
        def _encode_plus(self, *arguments: Any, **named: Any) -> Any:
            return super()._encode_plus(*arguments, **named)

    assert state_of(library) is not None
    library.__class__ = Own
    assert state_of(library) is None


def test_a_tokenizer_with_a_part_in_python_is_not_kept(tiny_models: dict[str, Path]) -> None:
    library = load_tokenizer(find_model(str(tiny_models["bert"])))

    class Own:
        def pre_tokenize(self, text: Any) -> None:
            text.split(lambda number, part: [part])

    library.backend_tokenizer.pre_tokenizer = PreTokenizer.custom(Own())
    assert state_of(library) is None


def test_a_tokenizer_that_differs_is_not_kept(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = load_tokenizer(find_model(str(tiny_models["bert"])))
    monkeypatch.setattr(KeptTokenizer, "num_special_tokens_to_add", lambda self: 5)
    assert state_of(library) is not None  # cut elsewhere, and so are both
    real = KeptTokenizer.__call__
    monkeypatch.setattr(
        KeptTokenizer, "__call__", lambda self, texts, **named: real(self, texts[:1])
    )
    assert state_of(library) is None


def test_what_is_damaged_is_read_anew(tiny_models: dict[str, Path]) -> None:
    model = find_model(str(tiny_models["bert"]))
    assert find(model) is None
    library = load_tokenizer(model)
    for _ in range(2):
        keep(model, library)
        kept = find(model)
        assert kept is not None
        assert kept(SENTENCES) == dict(library(SENTENCES, return_attention_mask=False))
        (path,) = (user_folder() / "results").iterdir()
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
        assert find(model) is None


WITHOUT = """
import sys
from features.encoders.description.model import find_model
from features.encoders.transformer import load_encoder
model = find_model(sys.argv[1])
encoder = load_encoder(model, "cpu", "openvino")
(block,) = encoder.encode(["Rain fell."], [model.spec("pooled")], lambda texts, tokens: None)
print("transformers" in sys.modules, block.values.tobytes().hex())
"""


def test_with_a_kept_conversion_a_later_run_does_not_import_transformers() -> None:
    pytest.importorskip("openvino")
    model = find_model(EMBEDDED)
    command = [sys.executable, "-c", WITHOUT, EMBEDDED]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    assert first == ["True", second[1]]
    assert second[0] == "False"
    (block,) = TransformerEncoder(model, "cpu", backend="torch").encode(
        ["Rain fell."], [model.spec("pooled")], lambda texts, tokens: None
    )
    assert np.frombuffer(bytes.fromhex(second[1]), block.values.dtype) == pytest.approx(
        block.values[0], abs=1e-2
    )


def test_a_pause_tokenizes_nothing_twice(
    tiny_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = find_model(str(tiny_models["bert"]))
    encoder = TransformerEncoder(model, "cpu", token_budget=32, backend="torch")
    seen: list[str] = []
    real = encoder._tokenizer._ids
    monkeypatch.setattr(
        encoder._tokenizer,
        "_ids",
        lambda texts, prompt, cut: seen.extend(texts) or real(texts, prompt, cut=cut),
    )
    spec = model.spec("pooled", dtype="float32")
    left, vectors = [*SENTENCES], {}
    pauses = 0
    while left:
        rows, (block,) = encoder.encode_some(
            left, [spec], lambda texts, tokens: None, lambda share: True
        )
        vectors |= {left[row]: block.values[i] for i, row in enumerate(rows)}
        left = [text for row, text in enumerate(left) if row not in rows]
        pauses += 1
    assert pauses > 2
    assert sorted(seen) == sorted(SENTENCES)
    (whole,) = TransformerEncoder(model, "cpu", 32, "torch").encode(
        SENTENCES, [spec], lambda texts, tokens: None
    )
    got = np.stack([vectors[text] for text in SENTENCES])
    assert np.abs(got - whole.values).max() < 1e-6
    # Other texts than those that were left are tokenized.
    encoder.encode_some(SENTENCES, [spec], lambda texts, tokens: None, lambda share: True)
    seen.clear()
    encoder.encode(["Another text."], [spec], lambda texts, tokens: None)
    assert seen == ["Another text."]
