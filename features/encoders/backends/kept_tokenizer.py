"""KeptTokenizer: a fast tokenizer of transformers, read again without that library.

    tokenizer_of(model)    read from $XDG_CACHE_HOME/manyheads/results, or loaded and kept there

The library takes longer to import, and to find a model's class, than it takes to encode some
hundred texts. What tokenizes is the package ``tokenizers`` either way: the state is what it
writes of itself, after transformers has read the model's files and settings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer as Rust

from features.encoders.description.model import EncoderModel
from features.encoders.loading import load_tokenizer
from features.storage import results
from features.storage.location import user_folder

CODE = (
    "features.encoders.backends.kept_tokenizer",
    "features.encoders.loading",
    "features.encoders.text_tokenizer",
)
PACKAGES = ("transformers", "tokenizers")
"""Modules and packages that decide how a tokenizer is made and used."""

STATE = "tokenizer"
TYPES = "token_type_ids"
STRATEGY = "longest_first"
"""What is cut off first, as transformers names it; there is only one sequence."""

NUMBERS = ("pad_token_id", "pad_token_type_id", "cls_token_id")

COMPARED = [
    "Rain.",
    "naïve Ünïcode 日本語 \U0001f327",
    "  two  blanks \n",
    "x" * 99,
    "a b " * 9,
]
"""Texts by which a tokenizer and what is made of its state are compared."""


class KeptTokenizer:
    """A tokenizer that is called as that of transformers which it was made of.

    Args:
        state: what ``state_of`` gave.

    Attributes:
        pad_token_id, pad_token_type_id, cls_token_id: as transformers has them.
        is_fast: always True.
        truncation_side: ``right`` or ``left``.
    """

    is_fast = True

    def __init__(self, state: str) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # its threads are not forked
        kept = json.loads(state)
        self._rust = Rust.from_str(kept["tokenizer"])
        self._rust.no_padding()
        self._rust.encode_special_tokens = kept["split_special_tokens"]
        self._types: bool = kept["types"]
        self.truncation_side: str = kept["truncation_side"]
        self.pad_token_id, self.pad_token_type_id, self.cls_token_id = (
            kept[name] for name in NUMBERS
        )

    def __call__(
        self,
        texts: str | Sequence[str],
        truncation: bool = False,
        max_length: int | None = None,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        add_special_tokens: bool = True,
        **_: object,
    ) -> dict[str, Any]:
        """Return the token ids of texts, and what else was asked for; lists per text.

        Args:
            texts: one text, or several.
            truncation: whether to cut texts longer than ``max_length`` tokens.
            **_: what changes nothing here: ``verbose``, ``return_attention_mask``.
        """
        if truncation and max_length:
            side = self.truncation_side
            self._rust.enable_truncation(max_length, strategy=STRATEGY, direction=side)
        else:
            self._rust.no_truncation()
        single = isinstance(texts, str)
        found = self._rust.encode_batch(
            [texts] if single else list(texts), add_special_tokens=add_special_tokens
        )
        asked = {
            "input_ids": (True, "ids"),
            TYPES: (self._types, "type_ids"),
            "special_tokens_mask": (return_special_tokens_mask, "special_tokens_mask"),
            "offset_mapping": (return_offsets_mapping, "offsets"),
        }
        lists = {
            name: [getattr(each, attribute) for each in found]
            for name, (wanted, attribute) in asked.items()
            if wanted
        }
        return {name: each[0] for name, each in lists.items()} if single else lists

    def tokenize(self, text: str) -> list[str]:
        """Return the tokens of a text, without special tokens."""
        self._rust.no_truncation()
        tokens: list[str] = self._rust.encode(text, add_special_tokens=False).tokens
        return tokens

    def num_special_tokens_to_add(self) -> int:
        """Return how many special tokens stand around a text."""
        return int(self._rust.num_special_tokens_to_add(False))


def tokenizer_of(model: EncoderModel) -> Any:
    """Return the tokenizer that an earlier run kept, or that of transformers, which is kept.

    Raises:
        EncoderError: it cannot be loaded.
    """
    found = find(model)
    if found is None:
        found = load_tokenizer(model)
        keep(model, found)
    return found


def find(model: EncoderModel) -> KeptTokenizer | None:
    """Return the tokenizer of a model that an earlier run on this machine kept, if any did."""
    path = _path(model)
    kept = None if path is None else results.read(path)
    return None if kept is None else KeptTokenizer(kept[STATE].tobytes().decode())


def keep(model: EncoderModel, tokenizer: Any) -> None:
    """Keep the tokenizer of transformers for a model, where it can be read without it."""
    path = _path(model)
    state = None if path is None else state_of(tokenizer)
    if path is not None and state is not None:
        results.write(path, {STATE: np.frombuffer(state.encode(), np.uint8)})


def _path(model: EncoderModel) -> Path | None:
    """Return the file of a model's tokenizer; None where nothing is kept: of models that run
    Python code of their own, and without a home folder."""
    if model.trust_remote_code:
        return None
    try:
        root = user_folder()
    except RuntimeError:
        return None
    parts = (STATE, model.weights, model.tokenizer, model.family)
    return results.path_of(root, parts, CODE, PACKAGES)


def state_of(tokenizer: Any) -> str | None:
    """Return the state of a tokenizer of transformers; None if it does more than ``tokenizers``
    does, or if what is made of it tokenizes in another way.
    """
    from transformers import PreTrainedTokenizerFast

    own = type(tokenizer)
    if not isinstance(tokenizer, PreTrainedTokenizerFast) or any(
        getattr(own, name) is not getattr(PreTrainedTokenizerFast, name)
        for name in ("__call__", "_encode_plus", "_convert_encoding", "tokenize")
    ):
        return None
    try:
        written = tokenizer.backend_tokenizer.to_str()
    except Exception:  # as tokenizers raises it where a part is written in Python
        return None
    state = json.dumps(
        {
            "tokenizer": written,
            "types": TYPES in tokenizer.model_input_names,
            "truncation_side": tokenizer.truncation_side,
            "split_special_tokens": bool(tokenizer.split_special_tokens),
            **{name: getattr(tokenizer, name) for name in NUMBERS},
        }
    )
    return state if _alike(tokenizer, KeptTokenizer(state)) else None


def _alike(tokenizer: Any, kept: KeptTokenizer) -> bool:
    """Return whether both give the same ids of some texts, whole and cut."""
    limit = kept.num_special_tokens_to_add() + 4
    quiet = {"return_attention_mask": False, "verbose": False}
    return dict(tokenizer(COMPARED, **quiet)) == kept(COMPARED) and dict(
        tokenizer(COMPARED, truncation=True, max_length=limit, **quiet)
    ) == kept(COMPARED, truncation=True, max_length=limit)
