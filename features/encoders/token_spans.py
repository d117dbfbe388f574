"""TokenSpans: where the token vectors of a text stand in it. Loads a tokenizer, no weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.encoders.backends.kept_tokenizer import tokenizer_of
from features.encoders.description.model import EncoderModel
from features.encoders.loading import running
from features.errors import EncoderError


class TokenSpans:
    """The tokenizer of an encoder, asked for places.

    Args:
        model: which encoder.

    Raises:
        EncoderError: its tokenizer cannot be loaded, or tells no places.
    """

    def __init__(self, model: EncoderModel) -> None:
        self._model = model
        self._tokenizer = tokenizer_of(model)
        if not self._tokenizer.is_fast or self._tokenizer.truncation_side != "right":
            raise EncoderError(
                f"the tokenizer of the encoder {model.name!r} does not tell where its tokens "
                "stand in a text"
            )

    def of(
        self, texts: Sequence[str], prompt: str, lengths: np.ndarray
    ) -> list[np.ndarray | None]:
        """Return where the tokens of texts stand, in characters.

        Args:
            texts: N texts.
            prompt: what stands before each of them.
            lengths: (N,) token vectors of each text.

        Returns:
            Of each text (T, 2) int64 starts and ends; 0, 0 for special tokens and those of the
            prompt. None of a text whose tokens are others than its vectors.
        """
        with running(self._model):
            found = self._tokenizer(
                [prompt + text for text in texts],
                return_offsets_mapping=True,
                return_special_tokens_mask=True,
                return_attention_mask=False,
                verbose=False,
            )
        own = zip(found["offset_mapping"], found["special_tokens_mask"], strict=True)
        return [
            _spans(np.array(offsets, np.int64).reshape(-1, 2), special, len(prompt), length)
            for (offsets, special), length in zip(own, lengths.tolist(), strict=True)
        ]


def _spans(
    offsets: np.ndarray, special: Sequence[int], prompt: int, length: int
) -> np.ndarray | None:
    """Return the spans of the ``length`` tokens of a text that have vectors.

    Where the text is cut, or its windows are joined, the last special tokens stay.
    """
    count = len(offsets)
    if length > count or not count:
        return None
    tail = [*reversed(special), 0].index(0)
    kept = np.concatenate([np.arange(length - tail), np.arange(count - tail, count)])
    spans = offsets[kept] - prompt
    outside = (np.array(special)[kept] > 0) | (spans[:, 1] <= 0) | (spans[:, 1] <= spans[:, 0])
    spans[outside] = 0
    clipped: np.ndarray = np.maximum(spans, 0)
    return clipped
