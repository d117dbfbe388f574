"""CachedEncoder: the interface and the vectors of a SentenceTransformer, without its passes."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from features import CachedEncoder
from features.encoders.transformer import TransformerEncoder
from features.errors import SettingError
from tests.support.transformers import SENTENCES, save_bert

EXACT = {"dtype": "float32", "precision": "float32", "backend": "torch"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny sentence-transformers model with two prompts."""
    root = tmp_path_factory.mktemp("model")
    SentenceTransformer(str(save_bert(root / "bert")), device="cpu").save(str(root / "whole"))
    path = root / "whole" / "config_sentence_transformers.json"
    stated = json.loads(path.read_text()) | {
        "prompts": {"query": "dogs bark ", "document": ""},
        "similarity_fn_name": "dot",
    }
    path.write_text(json.dumps(stated))
    return root / "whole"


@pytest.fixture(scope="module")
def library(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def cached(folder: Path, cache: Path) -> CachedEncoder:
    return CachedEncoder(folder, cache=cache, device="cpu", **EXACT)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is really encoded."""
    seen: list[str] = []
    real = TransformerEncoder.encode_some

    def counting(self: Any, texts: Any, *rest: Any) -> Any:
        seen.extend(texts)
        return real(self, texts, *rest)

    monkeypatch.setattr(TransformerEncoder, "encode_some", counting)
    return seen


def test_the_arguments_are_those_of_the_library() -> None:
    ours = inspect.signature(CachedEncoder.encode).parameters
    theirs = inspect.signature(SentenceTransformer.encode).parameters
    assert list(ours) == list(theirs)
    assert [each.default for each in ours.values()] == [
        each.default for each in theirs.values()
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"convert_to_tensor": True},
        {"convert_to_numpy": False},
        {"normalize_embeddings": True},
        {"truncate_dim": 5, "normalize_embeddings": True},
        {"precision": "binary"},
        {"prompt": "rain "},
        {"prompt_name": "query"},
        {"output_value": "token_embeddings"},
        {"batch_size": 2, "show_progress_bar": False, "chunk_size": 3},
    ],
)
def test_what_encode_returns_is_what_the_library_returns(
    library: SentenceTransformer, cached: CachedEncoder, arguments: dict[str, Any]
) -> None:
    ours, theirs = (each.encode(SENTENCES, **arguments) for each in (cached, library))
    assert type(ours) is type(theirs)
    assert len(ours) == len(theirs)
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.dtype == its.dtype
        np.testing.assert_allclose(np.asarray(mine), np.asarray(its), atol=2e-5)


def test_one_text_and_none(library: SentenceTransformer, cached: CachedEncoder) -> None:
    np.testing.assert_allclose(cached.encode("rain"), library.encode("rain"), atol=2e-5)
    assert cached.encode([]).shape == library.encode([]).shape
    assert cached.encode(np.array(["rain", "rain"])).shape == (2, 16)


def test_queries_and_documents(library: SentenceTransformer, cached: CachedEncoder) -> None:
    query, document = cached.encode_query(SENTENCES), cached.encode_document(SENTENCES)
    np.testing.assert_allclose(query, library.encode_query(SENTENCES), atol=2e-5)
    assert np.abs(query - document).max() > 0.01
    theirs = library.similarity(query, document)
    torch.testing.assert_close(cached.similarity(query, document), theirs)
    assert cached.similarity_fn_name == "dot"


def test_what_programs_ask_of_a_model(
    library: SentenceTransformer, cached: CachedEncoder
) -> None:
    assert isinstance(cached, SentenceTransformer)
    assert "sentence_transformers" in str(type(cached))  # by which BERTopic recognises it
    assert cached.get_embedding_dimension() == library.get_embedding_dimension() == 16
    assert cached.max_seq_length == library.max_seq_length
    assert cached.device == torch.device("cpu")
    assert cached.tokenizer("rain")["input_ids"] == library.tokenizer("rain")["input_ids"]


def test_no_text_passes_through_the_encoder_twice(
    folder: Path, tmp_path: Path, passes: list[str]
) -> None:
    """Columns of a table, in any order, from any program: one pass per text."""
    columns = [SENTENCES, SENTENCES[::-1], [*SENTENCES[2:], "a new one"]]
    first = CachedEncoder(folder, cache=tmp_path, **EXACT)
    passes.clear()  # what the probe encoded is none of ours
    for column in columns:
        first.encode(column)
    probed = [text for text in passes if text in {*SENTENCES, "a new one"}]
    assert sorted(probed) == sorted({*SENTENCES, "a new one"})
    passes.clear()
    again = CachedEncoder(folder, cache=tmp_path, **EXACT)
    rows, inverse = np.unique(np.array(columns[2]), return_inverse=True)
    again.encode(rows, normalize_embeddings=False, batch_size=32, show_progress_bar=False)[
        inverse
    ]  # as skrub's TextEncoder calls it
    assert passes == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"inputs": ["a", 3]}, r"inputs\[1\] is a int, not a text"),
        ({"inputs": ["a"], "prompt_name": "poem"}, "no prompt is named 'poem'"),
        ({"inputs": ["a"], "device": ["cpu", "cpu"]}, "manyheads features --devices"),
        ({"inputs": ["a"], "output_value": None}, "no output_value None"),
        ({"inputs": ["a"], "processing_kwargs": {}}, "no argument 'processing_kwargs'"),
    ],
)
def test_what_the_cache_cannot_do_is_refused(
    cached: CachedEncoder, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingError, match=said):
        cached.encode(**arguments)


def test_a_frozen_model_has_no_forward_pass(cached: CachedEncoder) -> None:
    with pytest.raises(SettingError, match="frozen"):
        cached({"input_ids": torch.zeros(1, 2)})
    with pytest.raises(TypeError, match="unexpected keyword argument 'dtyp'"):
        CachedEncoder(dtyp="float32")


def test_the_page_about_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[2] / "docs" / "other-programs.md"
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(page.read_text().split("```python\n")[1].split("```")[0], names)
    assert names["vectors"].shape == (2, 384)
    np.testing.assert_allclose(np.linalg.norm(names["vectors"], axis=1), 1, atol=1e-5)


def test_bertopic_takes_it(folder: Path, tmp_path: Path, passes: list[str]) -> None:
    bertopic = pytest.importorskip("bertopic.backend._utils")
    backend = bertopic.select_backend(CachedEncoder(folder, cache=tmp_path, **EXACT))
    assert backend.embed(SENTENCES).shape == (len(SENTENCES), 16)
    passes.clear()
    backend.embed(SENTENCES)
    assert passes == []


def test_mteb_takes_it(folder: Path, tmp_path: Path) -> None:
    wrapper = pytest.importorskip("mteb.models.sentence_transformer_wrapper")
    model = CachedEncoder(folder, cache=tmp_path, **EXACT)
    assert wrapper.SentenceTransformerEncoderWrapper(model).model is model
