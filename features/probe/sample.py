"""ProbeSample: the probe texts and their reference vectors.

One sample serves all specs of a run. The reference vectors come from the reference library, or,
for a back end to which a run may change, from torch.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress, cycle, islice
from typing import Any

import numpy as np

from features.encoders.description.model import LAST_CLS
from features.errors import EncoderError, ManyheadsError
from features.vectors.agreement import Agreement, agreement
from features.vectors.block import Block
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES, TOKENS

LONGEST_PROBED = 512
"""Maximum tokens of the probe texts; at a limit of 8,192 a text would take a minute."""

BATCH = 3
"""Batch size in texts of the maximum length: two long texts and a shorter one share a batch."""

SENTENCE = "the rain fell on the old town and we ran home to sit by the fire"

SHORT_TEXTS = (
    "rain",
    "cat",
    "NASA and the BBC met Mary O'Neil in NEW YORK",
    "\u200b",
    "今天下了大雨，我们都留在家里。",
    "هطل المطر اليوم على المدينة القديمة",
    "Сегодня шёл сильный дождь, и мы остались дома.",
    "so good 👍🏽🎉 thank you ❤️",
    "  A naïve café\n\n— 3.5 % off, http://example.org/a_b?c=1 ",
)
"""One token, capitals, nothing to see, other scripts, emoji, odd spaces and signs."""


@dataclass(frozen=True, eq=False)
class ProbeSample:
    """The probe texts and their reference vectors.

    Attributes:
        texts: n texts.
        specs: distinct specs of complete texts.
        truth: per spec, one (T, D) array per text.
    """

    texts: Sequence[str]
    specs: Sequence[FeatureSpec]
    truth: Sequence[Sequence[np.ndarray]]

    def measure(self, encoder: Any, precision: str) -> list[Agreement]:
        """Return the agreement of an encoder per spec, over single texts and batches."""
        specs = [replace(spec, precision=precision) for spec in self.specs]
        beside = copy.copy(encoder)
        beside.token_budget = BATCH * min(specs[0].max_length, LONGEST_PROBED)
        together = beside.encode_plain(self.texts, specs)
        alone = [encoder.encode_plain([text], specs) for text in self.texts]
        return [
            agreement(
                [*_vectors(together[index]), *(block[index].values for block in alone)],
                [*truth, *truth],
            )
            for index, truth in enumerate(self.truth)
        ]


def reference_sample(encoder: Any, specs: Sequence[FeatureSpec]) -> ProbeSample:
    """Return the texts that can be compared, with the vectors of the reference library.

    Args:
        encoder: a ``TransformerEncoder``.
        specs: as ``whole`` gives them, with the same precision and prompt.

    Raises:
        EncoderError: the library cannot encode with the model, or gives NaN for every text.
    """
    texts = _seen_texts(encoder, specs)
    truth = _reference(encoder, texts, specs)
    sound = [all(np.isfinite(each[row]).all() for each in truth) for row in range(len(texts))]
    if not any(sound):
        raise EncoderError(
            f"the encoder {encoder.model.name!r} gives NaN or infinite numbers for every text, "
            "in float32 too: copy it again, or choose another with --encoder"
        )
    return ProbeSample(
        list(compress(texts, sound)), specs, [list(compress(each, sound)) for each in truth]
    )


def torch_sample(encoder: Any, specs: Sequence[FeatureSpec]) -> ProbeSample:
    """Return the sample with the encoder's own vectors, by torch in float32, text by text."""
    texts = _seen_texts(encoder, specs)
    return ProbeSample(texts, specs, [_alone(encoder, texts, spec) for spec in specs])


def whole(spec: FeatureSpec) -> FeatureSpec:
    """Return the spec of complete, unrounded texts from whose forward pass a spec's vectors
    come.
    """
    layout = POOLED if spec.layout == SENTENCES else spec.layout
    return replace(spec, layout=layout, dtype="float32", segmentation="", max_tokens=0)


def probe_texts(limit: int) -> list[str]:
    """Return a dozen texts: short ones, and some around ``limit`` tokens."""
    lengths = (limit // 4, limit - 2, limit + limit // 4)
    return [
        *SHORT_TEXTS,
        *(" ".join(islice(cycle(SENTENCE.split()), max(1, n))) for n in lengths),
    ]


def _seen_texts(encoder: Any, specs: Sequence[FeatureSpec]) -> list[str]:
    """Return the probe texts of which the model sees at least one token."""
    (prompt,) = {spec.prompt for spec in specs}
    limit = specs[0].max_length
    if prompt and encoder.tokens([prompt], "")[0] >= limit:
        raise EncoderError(
            f"the prompt {prompt[:60]!r} takes all of the {limit} tokens that the encoder "
            f"{encoder.model.name!r} sees; shorten it"
        )
    texts = probe_texts(min(limit, LONGEST_PROBED))
    return list(compress(texts, encoder.tokens(texts, prompt).tolist()))


def _reference(
    encoder: Any, texts: Sequence[str], specs: Sequence[FeatureSpec]
) -> list[list[np.ndarray]]:
    """Return, per spec, one (T, D) array per text; one pass gives all layers of the tokens."""
    reference = importlib.import_module("features.probe.reference")
    model, device = encoder.model, str(encoder.device)
    layers = sorted({layer for spec in specs if spec.layout == TOKENS for layer in spec.layers})
    known: dict[str, list[np.ndarray]] = {}
    try:
        for spec in specs:
            # There the library takes another token than the model was trained with.
            if spec.layout == POOLED and spec.pooling == "cls" and model.family in LAST_CLS:
                known[POOLED] = _alone(encoder, texts, spec)
            if spec.layout not in known:
                whole = replace(spec, layers=tuple(layers)) if spec.layout == TOKENS else spec
                known[spec.layout] = reference.reference_vectors(model, texts, whole, device)
    except ManyheadsError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EncoderError(
            f"the encoder {model.name!r} cannot be compared with sentence-transformers, which "
            f"does not encode with it ({reason}); choose another with --encoder"
        ) from error
    return [
        [_layers(vectors, spec, layers) for vectors in known[spec.layout]] for spec in specs
    ]


def _alone(encoder: Any, texts: Sequence[str], spec: FeatureSpec) -> list[np.ndarray]:
    """Return the encoder's own vectors (1, D), text by text, by torch in float32."""
    torch, exact = encoder.on_torch(), replace(spec, precision="float32")
    return [torch.encode_plain([text], [exact])[0].values for text in texts]


def _layers(vectors: np.ndarray, spec: FeatureSpec, layers: Sequence[int]) -> np.ndarray:
    """Return the (T, D) vectors of one spec from the concatenated vectors of several layers."""
    if spec.layout != TOKENS:
        return np.atleast_2d(vectors)
    parts = np.split(vectors, len(layers), axis=1)
    return np.concatenate([parts[layers.index(layer)] for layer in spec.layers], axis=1)


def _vectors(block: Block) -> list[np.ndarray]:
    return np.split(block.values, np.cumsum(block.lengths)[:-1])
