"""Text keys for the cache, and normalized texts for finding duplicates."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from functools import partial

import numpy as np

from features.errors import CorpusError

KEY_BYTES = 16
"""Bytes of a text's key."""


def text_key(text: str) -> bytes:
    """Return the 16-byte BLAKE2b hash of the exact UTF-8 bytes of a text.

    Raises:
        CorpusError: the text holds half of a surrogate pair, which UTF-8 cannot encode.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"a lone surrogate at character {error.start + 1} of the text {text[:60]!r}; write "
            "the character whole, or drop it"
        ) from error
    return hashlib.blake2b(data, digest_size=KEY_BYTES).digest()


def text_keys(texts: Iterable[str]) -> np.ndarray:
    """Return (N,) array of ``S16``: the key of each text, in order."""
    return np.fromiter(map(text_key, texts), f"S{KEY_BYTES}")


def normalize_text(text: str) -> str:
    """Return ``text`` without case, compatibility forms and spacing, to compare duplicates.

    Two texts normalize to the same string exactly if they are a compatibility caseless match
    (Unicode Standard, 3.13, D146) after runs of white space are replaced by one space.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    nfkd = partial(unicodedata.normalize, "NFKD")
    decomposed = unicodedata.normalize("NFD", text)
    caseless = nfkd(nfkd(decomposed.casefold()).casefold())
    return " ".join(unicodedata.normalize("NFKC", caseless).split())
