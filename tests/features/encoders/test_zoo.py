"""Every model of the zoo gives what the reference libraries give for each text alone.

``pytest tests/features/encoders/test_zoo.py -s`` prints the largest difference of each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer

from features.encoders.description import files
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.loading import steady
from features.encoders.transformer import TransformerEncoder
from features.errors import EncoderError
from tests.support.zoo import REFUSED, ZOO

TOLERANCE = 1e-5

NOT_HASHED = {
    "config.json": "its entries are hashed, but for those that name where it came from",
    "modules.json": "its modules are hashed, or stand in the spec as the pooling",
    "config_sentence_transformers.json": "the prompt stands in the spec; a cut width is hashed",
    "generation_config.json": "it shapes the writing of text, which nothing here does",
    "README.md": "the library keeps it for a new model card",
}
"""Files of a model that loading opens without their bytes being hashed, and why."""

POOLING_FILES = ("Pooling/config.json", "Normalize/config.json")
"""These too, where this project pools by itself: what they say stands in the spec."""


def quiet(texts: int, tokens: int) -> None:
    """Nobody watches the progress."""


@pytest.fixture(scope="module", autouse=True)
def _own_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Code of models is copied into a folder of the tests."""
    folder = str(tmp_path_factory.mktemp("modules"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", folder)
        yield


class Watch:
    """The files that are hashed, and those that Python opens, while it is ``on``.

    A hook that sees opens stays as long as the process, so there is one for all tests.
    """

    def __init__(self) -> None:
        self.on = False
        self.opened: set[Path] = set()
        self.hashed: set[Path] = set()
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event == "open" and isinstance(arguments[0], str | bytes | Path):
            self.opened.add(Path(str(arguments[0])).absolute())


@pytest.fixture(scope="module")
def only_watch() -> Watch:
    return Watch()


@pytest.fixture
def watch(only_watch: Watch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Watch the files of one test from here on."""
    sha256 = files.sha256

    def noted(path: Path) -> str:
        only_watch.hashed.add(path.absolute())
        return sha256(path)

    monkeypatch.setattr(files, "sha256", noted)
    only_watch.opened.clear()
    only_watch.hashed.clear()
    only_watch.on = True
    yield only_watch
    only_watch.on = False


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a model of the zoo, made once."""
    root = tmp_path_factory.mktemp("zoo")

    def folder(name: str) -> Path:
        if not (root / name).exists():
            {**ZOO, **REFUSED}[name].make(root / name)
        return root / name

    return folder


def reference(folder: Path, name: str) -> Any:
    """sentence-transformers' own model; where it has no limit that holds, that of the zoo."""
    whole = SentenceTransformer(
        str(folder),
        device="cpu",
        local_files_only=True,
        trust_remote_code=ZOO[name].trust,
        model_kwargs={"dtype": torch.float32},
    ).eval()
    if ZOO[name].unlimited:
        whole.max_seq_length = ZOO[name].limit
    if whole.tokenizer.pad_token is None:  # it refuses even one text alone
        whole.tokenizer.pad_token = whole.tokenizer.eos_token
    return whole


def hidden_states(whole: Any, text: str, layers: tuple[int, ...]) -> np.ndarray:
    """(T, D): those of transformers for the library's tokens of one text."""
    prompt = whole.prompts.get(whole.default_prompt_name) or None
    inputs = whole.preprocess([text], prompt=prompt)
    names = ("input_ids", "attention_mask", "token_type_ids")
    with torch.no_grad():
        found = (
            whole[0]
            .model(
                **{name: inputs[name] for name in names if name in inputs},
                output_hidden_states=True,
                return_dict=True,
            )
            .hidden_states
        )
    return torch.cat([found[layer][0] for layer in layers], dim=-1).numpy()


@pytest.mark.parametrize("name", ZOO)
def test_vectors_are_those_of_the_reference(
    name: str, zoo: Callable[[str], Path], watch: Watch
) -> None:
    case, folder = ZOO[name], zoo(name)
    model = find_model(str(folder), trust_remote_code=case.trust)
    assert model.max_length == case.limit
    watch.opened.clear()  # loading is what counts
    encoder = TransformerEncoder(model, "cpu", token_budget=200, backend="torch")
    specs = [
        model.spec("pooled", dtype="float32"),
        model.spec("tokens", (0, model.depth), dtype="float32"),
    ]
    if not case.tokens:
        with pytest.raises(EncoderError, match="only the layout pooled can be made of it"):
            encoder.encode(case.texts, specs, quiet)
    pooled, *tokens = encoder.encode(case.texts, specs[: 1 + case.tokens], quiet)
    watch.on = False
    every_file_that_loading_opens_is_in_the_fingerprint(name, folder, model, watch)
    whole = reference(folder, name)
    steady(whole[0])
    wanted = np.stack([whole.encode([text], batch_size=1)[0] for text in case.texts])
    assert pooled.values.shape == wanted.shape
    largest = float(np.abs(pooled.values - wanted).max())
    apart = 0.0
    for found in tokens:
        states = [hidden_states(whole, text, specs[1].layers) for text in case.texts]
        assert found.lengths.tolist() == [len(each) for each in states]
        apart = float(np.abs(found.values - np.concatenate(states)).max())
    print(f"zoo: {name:28} pooled {largest:.1e}  tokens {apart:.1e}  {model.pooling}")
    assert apart < TOLERANCE
    if case.differs:
        assert largest > 0.01
        assert model.notes
    else:
        assert largest < TOLERANCE


def every_file_that_loading_opens_is_in_the_fingerprint(
    name: str, folder: Path, model: EncoderModel, watch: Watch
) -> None:
    """Python's own opens are seen by an audit hook; what Rust opens lies in the folder too."""

    def inside(some: set[Path]) -> set[str]:
        return {
            file.relative_to(folder).as_posix()
            for file in some
            if file.is_relative_to(folder) and file.is_file()
        }

    opened = inside(watch.opened)
    assert opened or name != "own-head", "the hook sees nothing"
    lying = inside({file for file in folder.rglob("*") if "__pycache__" not in file.parts})
    left = (opened | lying) - inside(watch.hashed)
    own = model.pooling != "modules"
    odd = {
        file
        for file in left
        if Path(file).name not in NOT_HASHED and not (own and file.endswith(POOLING_FILES))
    }
    assert not odd, name
    inner = {file for file in left if file.endswith("/config.json")}
    assert all(own or "0_Transformer" in file for file in inner), name


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_one_line(name: str, zoo: Callable[[str], Path]) -> None:
    case, folder = REFUSED[name], zoo(name)

    def use() -> None:
        model = find_model(str(folder), trust_remote_code=case.trust)
        encoder = TransformerEncoder(model, "cpu", backend="torch")
        encoder.encode(case.texts, [model.spec("pooled")], quiet)

    with pytest.raises(EncoderError, match=case.refused) as caught:
        use()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
