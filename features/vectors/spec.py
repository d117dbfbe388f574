"""FeatureSpec: everything that determines the vectors of a space, and its fingerprint.

Two vectors may be compared, mixed or reused only if their specs are equal. The fingerprint of
a spec names the folder of its vectors. So the spec holds everything that changes a vector and
nothing else: no path, no model name, no branch name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from features.errors import SettingError
from features.messages import listed
from features.vectors.precision import vector_bytes
from features.vectors.table import POOLED, SENTENCES, TOKENS

FORMAT = 1
"""Version of the shard format and of every rule that turns a text into stored bytes."""

LAYOUTS = (POOLED, TOKENS, SENTENCES)
DEFAULT_LAYOUTS = (POOLED, TOKENS)
"""The layouts that one forward pass gives; sentences need a pass of their own."""

PRECISIONS = ("float32", "bfloat16")
OPTIONAL: dict[str, Any] = {"segmentation": "", "max_tokens": 0}
"""Later fields -> the value at which they are left out of the JSON, so that spaces from before
them keep their fingerprint."""


@dataclass(frozen=True)
class FeatureSpec:
    """Everything that changes a vector.

    Attributes:
        weights: digest of the weights and of the configuration that shapes them.
        tokenizer: digest of the tokenizer's files.
        layout: ``pooled`` (one vector per text), ``tokens`` (one per token, special tokens
            included) or ``sentences`` (one pooled vector per sentence).
        layers: hidden states taken, 0 being the embeddings; several are concatenated.
        pooling: ``mean``, ``cls``, ``max``, ``last``, ``modules`` (the modules of the
            sentence-transformers model), or ``none`` in the tokens layout.
        normalize: whether a pooled vector is scaled to Euclidean length 1.
        prompt: text put before every text.
        max_length: maximum tokens per forward pass, special tokens included; without
            windows the rest of a text is cut off.
        width: D, features per vector.
        dtype: stored form, one of ``precision.STORED_DTYPES``.
        precision: type of the matrix products, ``float32`` or ``bfloat16`` (autocast).
        format: ``FORMAT`` at the time of writing.
        segmentation: how texts are cut into sentences, or into token windows if
            ``max_tokens`` is set; otherwise '' and left out of the JSON.
        max_tokens: maximum tokens per text, encoded in overlapping token windows of
            ``max_length``; 0 and left out of the JSON without windows.
    """

    weights: str
    tokenizer: str
    layout: str
    layers: tuple[int, ...]
    pooling: str
    normalize: bool
    prompt: str
    max_length: int
    width: int
    dtype: str
    precision: str
    format: int = FORMAT
    segmentation: str = ""
    max_tokens: int = 0

    def to_json(self) -> str:
        """Return canonical JSON: sorted names, no spaces, ASCII. The fingerprint hashes it."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, for ``from_dict``, without those that do not apply."""
        values = asdict(self)
        return {name: value for name, value in values.items() if OPTIONAL.get(name) != value}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSpec:
        """Return the spec of ``to_dict``. Raises ``SettingError``: missing or unknown names."""
        known = {field.name for field in fields(cls)}
        values = {**OPTIONAL, **values}
        if set(values) != known:
            odd = listed(sorted(set(values) ^ known))
            raise SettingError(
                f"a feature spec has other fields than this version writes ({odd}): it was "
                "written by another version of manyheads; encode again with this one"
            )
        return cls(**{**values, "layers": tuple(values["layers"])})

    @property
    def fingerprint(self) -> str:
        """24 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode("ascii")).hexdigest()[:24]

    @property
    def limit(self) -> int:
        """Maximum tokens of a text that are encoded; the sentences layout has no maximum."""
        return self.max_tokens or self.max_length

    @property
    def bytes_per_vector(self) -> int:
        """Stored bytes of one vector."""
        return vector_bytes(self.dtype, self.width)


def parse_layers(layers: str | None, depth: int) -> tuple[int, ...] | None:
    """Return layers from a comma-separated option; negative numbers count from the last layer.

    Raises:
        SettingError: they are not whole numbers, or not layers 0 to ``depth`` of the model.
    """
    if layers is None:
        return None
    try:
        numbers = [int(part) for part in layers.split(",")]
    except ValueError:
        raise SettingError(
            f"--layers takes whole numbers joined by commas, such as 4 or 3,4; got {layers!r}"
        ) from None
    return check_layers(numbers, depth)


def check_layers(layers: Sequence[int], depth: int) -> tuple[int, ...]:
    """Return the layers, negative ones resolved. Raises ``SettingError`` outside 0 to
    ``depth``."""
    resolved = tuple(layer if layer >= 0 else depth + 1 + layer for layer in layers)
    for given, layer in zip(layers, resolved, strict=True):
        if not 0 <= layer <= depth:
            raise SettingError(
                f"layer {given} does not exist: this encoder has layers 0 (embeddings) to "
                f"{depth} (last)"
            )
    if len(set(resolved)) < len(resolved):
        raise SettingError(f"a layer is named twice in {listed(layers)}")
    return resolved


def check_prompt(prompt: str | None) -> None:
    """Raise ``SettingError`` if a prompt is not a string that UTF-8 can encode."""
    if prompt is not None and not isinstance(prompt, str):
        raise SettingError(f"a prompt is a text put before every text; got {prompt!r}")
    try:
        (prompt or "").encode("utf-8")
    except UnicodeEncodeError as error:
        raise SettingError(
            f"the prompt {prompt!r} holds bytes that are no UTF-8 at character "
            f"{error.start + 1}; write it in UTF-8"
        ) from error


def check_layout(layout: str) -> str:
    """Return the layout itself. Raises ``SettingError`` for an unknown one, naming the
    known."""
    if layout not in LAYOUTS:
        raise SettingError(f"unknown layout {layout!r}; the layouts are {listed(LAYOUTS)}")
    return layout
