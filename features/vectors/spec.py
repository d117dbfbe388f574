"""FeatureSpec: what a space of vectors is, its fingerprint, and the key of a text.

Two vectors may be compared, mixed or reused only if their specs are equal. The fingerprint
names the folder that holds them, so everything that changes a vector stands in the spec and
nothing else does: no path, no model name, no moving revision.
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
"""Those that one forward pass gives; sentences are passed through by themselves."""
PRECISIONS = ("float32", "bfloat16")
OPTIONAL: dict[str, Any] = {"segmentation": "", "max_tokens": 0}
"""Fields that came later, at the value with which they are left out: what was stored before
them keeps its fingerprint."""


@dataclass(frozen=True)
class FeatureSpec:
    """Everything that changes a vector.

    Attributes:
        weights: digest of the weights and of the configuration that shapes them.
        tokenizer: digest of the tokenizer's files.
        layout: ``pooled`` (one vector a text), ``tokens`` (one a token, special ones too) or
            ``sentences`` (one pooled vector a sentence).
        layers: hidden states taken, 0 being the embeddings; several are concatenated.
        pooling: ``mean``, ``cls``, ``max``, ``last``, ``modules`` (the sentence-transformers
            model's own), or ``none`` in the tokens layout.
        normalize: whether a pooled vector is scaled to Euclidean length 1.
        prompt: text put before every text.
        max_length: tokens seen, special ones included; the rest is cut off.
        width: D, features a vector.
        dtype: stored form, one of ``precision.STORED_DTYPES``.
        precision: type of the matrix products, ``float32`` or ``bfloat16`` (autocast).
        format: ``FORMAT`` at the time of writing.
        segmentation: how texts are cut into sentences, or into windows where ``max_tokens``
            asks for them; otherwise '' and left out.
        max_tokens: tokens seen of a text through overlapping windows of ``max_length``;
            0 and left out without windows.
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
        """Canonical JSON: sorted names, no spaces, ASCII. The fingerprint hashes this."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def to_dict(self) -> dict[str, Any]:
        """Its fields by name, for ``from_dict``; what does not apply is left out."""
        values = asdict(self)
        return {name: value for name, value in values.items() if OPTIONAL.get(name) != value}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSpec:
        """The spec that ``to_json`` described. Unknown names raise ``SettingError``."""
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
        """Tokens of a text that are seen, special ones included; sentences see all."""
        return self.max_tokens or self.max_length

    @property
    def bytes_per_vector(self) -> int:
        """Stored bytes of one vector."""
        return vector_bytes(self.dtype, self.width)


def parse_layers(layers: str | None, depth: int) -> tuple[int, ...] | None:
    """Layers from a comma-separated option; negative numbers count from the last layer.

    Raises:
        SettingError: not whole numbers, or none of the model's layers 0 to ``depth``.
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
    """The layers, negative ones resolved. Raises ``SettingError`` outside 0 to ``depth``."""
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
    """Refuse what is no text. Raises ``SettingError``."""
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
    """The layout itself. Raises ``SettingError`` for an unknown one, naming the known."""
    if layout not in LAYOUTS:
        raise SettingError(f"unknown layout {layout!r}; the layouts are {listed(LAYOUTS)}")
    return layout
