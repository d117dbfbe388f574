"""TextTokenizer: texts as token ids, whole, cut at the model's limit, or in windows.

It remembers the token ids of texts that a pause left (``encode_some``), so that none is
tokenized twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from features.encoders.description.model import EncoderModel
from features.encoders.loading import running
from features.encoders.segmentation import SPARE_TOKENS, token_windows
from features.encoders.tokens import Frame, Ids, TokenizedTexts, in_windows
from features.errors import EncoderError

Tokenized = Callable[..., tuple[Ids, Ids | None]]
"""Texts, prompt, ``cut`` -> token ids of each text, and segment ids, if any."""


class TextTokenizer:
    """The tokenizer of one model.

    Args:
        model: which encoder.
        library: a tokenizer of transformers, or one that was kept of it.
        chain: tokenizes texts instead, as the modules of sentence-transformers do; None if the
            model has none.

    Attributes:
        library: as above.
    """

    def __init__(
        self, model: EncoderModel, library: Any, chain: Tokenized | None = None
    ) -> None:
        self.library = library
        self._model, self._chain = model, chain
        self._rest: tuple[list[str], str, TokenizedTexts] | None = None

    def tokenize(
        self, texts: Sequence[str], prompt: str, max_tokens: int = 0
    ) -> TokenizedTexts:
        """Return the texts as the model sees them.

        Args:
            max_tokens: maximum tokens of a text, in windows; 0: cut at the model's limit.
        """
        rest, self._rest = self._rest, None
        if rest is not None and not max_tokens and rest[:2] == ([*texts], prompt):
            return rest[2]
        return self._tokenized(texts, prompt, max_tokens)

    def keep_rest(
        self, encoded: np.ndarray, texts: Sequence[str], prompt: str, tokenized: TokenizedTexts
    ) -> None:
        """Remember the tokens of the texts that are left, for the next ``tokenize``.

        Args:
            encoded: (n,) bool, whether a text is not left.
            texts, prompt, tokenized: n texts, one row each, and their tokens.
        """
        left = np.flatnonzero(~encoded)
        self._rest = [texts[row] for row in left.tolist()], prompt, tokenized.take(left)

    def fitted(self, texts: Sequence[str], prompt: str) -> list[list[str]]:
        """Return the parts of each text that fit the encoder: itself, or windows of it."""
        prompted = [prompt + text for text in texts]
        ids = self.library(prompted, return_attention_mask=False, verbose=False)["input_ids"]
        specials = self.library.num_special_tokens_to_add() + SPARE_TOKENS
        spare = specials + (len(self.library.tokenize(prompt)) if prompt else 0)
        max_length = self._model.max_length
        return [
            [text]
            if len(row) <= max_length
            else token_windows(text, self._offsets(text), max(1, max_length - spare))
            for text, row in zip(texts, ids, strict=True)
        ]

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        """Return where each token begins and where it ends, in characters."""
        if not self.library.is_fast:
            return [(start, start + 1) for start in range(len(text))]
        return list(
            self.library(
                text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )["offset_mapping"]
        )

    def _tokenized(self, texts: Sequence[str], prompt: str, max_tokens: int) -> TokenizedTexts:
        max_length = self._model.max_length
        ids, types = self._ids(texts, prompt, cut=False)
        tokens = np.array([len(row) for row in ids], dtype=np.int32)
        long = np.flatnonzero(tokens > max_length).tolist()
        if long and not max_tokens:
            short, kinds = self._ids([texts[row] for row in long], prompt, cut=True)
            for index, row in enumerate(long):
                ids[row] = short[index]
                if types is not None and kinds is not None:
                    types[row] = kinds[index]
        for row in np.flatnonzero(tokens == 0).tolist():
            # A text without tokens: a padding token stands for it, and its vector is refused.
            ids[row] = [self.library.pad_token_id or 0]
            if types is not None:
                types[row] = [0]
        tokenized = TokenizedTexts.whole(ids, types, tokens)
        if long and max_tokens:
            frame = self._frame(prompt + texts[long[0]], prompt, ids[long[0]])
            tokenized = in_windows(tokenized, frame, max_length, max_tokens)
        return tokenized

    def _ids(self, texts: Sequence[str], prompt: str, *, cut: bool) -> tuple[Ids, Ids | None]:
        """Return the token ids of each text after the prompt, and segment ids, if any."""
        if self._chain is not None:
            return self._chain(texts, prompt, cut=cut)
        with running(self._model):
            found = self.library(
                [prompt + text for text in texts],
                truncation=cut,
                max_length=self._model.max_length if cut else None,
                return_attention_mask=False,
                verbose=False,
            )
        return found["input_ids"], found.get("token_type_ids")

    def _frame(self, text: str, prompt: str, ids: list[int]) -> Frame:
        """Return the tokens around every text, found with a text that is not empty."""
        special = self.library(text, return_special_tokens_mask=True, verbose=False)
        mask = special["special_tokens_mask"]
        if special["input_ids"] != ids:
            raise EncoderError(
                f"the encoder {self._model.name!r} has its texts tokenized in a way of its "
                "own, which cannot be cut into windows; leave --max-tokens out"
            )
        head, tail = mask.index(0), mask[::-1].index(0)
        # White space at the prompt's end belongs to the first word after it.
        taken = len(self.library.tokenize(prompt.rstrip()))
        if head + tail + taken >= self._model.max_length:
            raise EncoderError(
                f"the prompt of the encoder {self._model.name!r} takes all of the "
                f"{self._model.max_length} tokens that it sees; shorten it"
            )
        return Frame(head, tail, taken)
