"""The probe: before a space is filled, some texts show whether its vectors will be right.

    prepare(encoder, spaces, say)     looks into space.json, probes what is new, notes it there

A dozen texts go through the reference library one by one, and through the encoder one by one
and together in batches. An encoder whose vectors change with padding is then run without it;
a back end or a precision that gives something else is refused, or left for torch.
"""

from __future__ import annotations

import copy
import importlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import compress, cycle, islice
from typing import Any

import numpy as np

from features.agreement import Agreement, agreement
from features.card import SPACE_NAME, SpaceCard, card_of
from features.durable import make_folder, put
from features.encoding import Encoder, backend_name
from features.errors import EncoderError, ManyheadsError, listed
from features.processor import OPENVINO, TORCH
from features.shard import Block
from features.spec import FeatureSpec
from features.store import Space
from features.table import POOLED, SENTENCES, TOKENS

LONGEST_PROBED = 512
"""Tokens of the longest probe texts: at a limit of 8,192 each would take a minute."""

BATCH = 3
"""Of the longest texts in a batch: the two, and one of a quarter; the short ones in another."""

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

Say = Callable[[str], None]


def prepare(encoder: Encoder, spaces: Sequence[Space], say: Say | None = None) -> None:
    """Set an encoder up to fill some spaces, as the probe of each asks.

    A space that the encoder's back end was not probed for on this kind of device is probed
    now, and the outcome noted in its ``space.json``. Encoders without padding of their own,
    such as tests' fakes, are left alone.

    Args:
        say: takes one line for people, if anything is out of the ordinary; None: a warning of
            the logger ``manyheads``.

    Raises:
        EncoderError: its vectors are not those of the reference library; says what to do.
        CacheError, DiskSpaceError: the outcome cannot be noted.
    """
    if not hasattr(encoder, "unpadded"):
        return
    own: Any = encoder
    cards = [_card(space) for space in spaces]
    way = _way(own)
    fresh = [place for place, card in enumerate(cards) if way not in card.probes]
    own.unpadded = own.model.unpadded or any(card.unpadded for card in cards)
    if not fresh:
        return
    note = say or logging.getLogger("manyheads").warning
    found = probe(own, [spaces[place].spec for place in fresh], note)
    way = _way(own)  # another, where auto left a back end that gives something else
    for place, one in zip(fresh, found, strict=True):
        space, card = spaces[place], cards[place]
        if one.unpadded and len(space) and not card.probes:
            note(
                f"warning: the {len(space):,} texts in {space.folder} are from a version that "
                "did not check, and may be wrong: compare them with manyheads verify --data "
                "FILE --encoder NAME, or delete that folder"
            )
        _note(space, replace(card, probes={**card.probes, way: one}))
    # Another process may have noted something meanwhile: all do the same.
    own.unpadded |= any(_card(space).unpadded for space in spaces)


def settle(encoder: Encoder, space: Space) -> None:
    """Set an encoder up as a space was filled, without probing anything."""
    if hasattr(encoder, "unpadded"):
        own: Any = encoder
        own.unpadded = own.model.unpadded or _card(space).unpadded


def probe(encoder: Any, specs: Sequence[FeatureSpec], say: Say) -> list[Agreement]:
    """Compare an encoder with the reference library, one result per spec.

    Sets ``encoder.unpadded`` where padding changes the vectors, and takes torch where the
    choice of back end was left to the encoder and the other gives something else.

    Args:
        encoder: a ``TransformerEncoder``.
        specs: those of one run; they agree in precision and prompt.

    Raises:
        EncoderError: its vectors are not those of the reference library; says what to do.
    """
    plain = [_whole(spec) for spec in specs]
    sample = _sample(encoder, list(dict.fromkeys(plain)))
    torch = encoder.on_torch()
    torch.unpadded = False
    found = sample.measure(torch, "float32")
    if not all(one.exact for one in found):
        padded, torch.unpadded = found, True
        found = sample.measure(torch, "float32")
        if not all(one.exact for one in found):
            raise EncoderError(_unlike(encoder, sample, found))
        found = [
            replace(one, padded=was.difference) for one, was in zip(found, padded, strict=True)
        ]
        say(
            f"note: vectors of the encoder {encoder.model.name!r} change with padding (by up "
            f"to {_shown(found, 'padded')}), so it is encoded unpadded: a batch holds only "
            "texts of the same number of tokens"
        )
    for note in encoder.model.notes:
        say(f"note: {note}")
    encoder.unpadded = torch.unpadded or encoder.model.unpadded
    found = _as_chosen(encoder, sample, found, say)
    by_spec = dict(zip(sample.specs, found, strict=True))
    return [by_spec[spec] for spec in plain]


def probe_texts(limit: int) -> list[str]:
    """A dozen texts: short ones, and some of about ``limit`` tokens, less and more."""
    lengths = (limit // 4, limit - 2, limit + limit // 4)
    return [
        *SHORT_TEXTS,
        *(" ".join(islice(cycle(SENTENCE.split()), max(1, n))) for n in lengths),
    ]


@dataclass(frozen=True, eq=False)
class _Sample:
    """The probe texts, and what the reference gives for them.

    Attributes:
        texts: n texts.
        specs: of whole texts, each once.
        truth: for each spec an array (T, D) per text.
    """

    texts: Sequence[str]
    specs: Sequence[FeatureSpec]
    truth: Sequence[Sequence[np.ndarray]]

    def measure(self, encoder: Any, precision: str) -> list[Agreement]:
        """How an encoder agrees, for each spec: each text alone, and all together."""
        specs = [replace(spec, precision=precision) for spec in self.specs]
        beside = copy.copy(encoder)
        beside.token_budget = BATCH * min(specs[0].max_length, LONGEST_PROBED)
        together = beside.encode_plain(self.texts, specs)
        alone = [encoder.encode_plain([text], specs) for text in self.texts]
        return [
            agreement(
                [*_vectors(together[place]), *(block[place].values for block in alone)],
                [*truth, *truth],
            )
            for place, truth in enumerate(self.truth)
        ]


def _sample(encoder: Any, specs: Sequence[FeatureSpec]) -> _Sample:
    """The texts that can be compared: of some the model sees no token at all."""
    (prompt,) = {spec.prompt for spec in specs}
    limit = specs[0].max_length
    if prompt and encoder.tokens([prompt], "")[0] >= limit:
        raise EncoderError(
            f"the prompt {prompt[:60]!r} takes all of the {limit} tokens that the encoder "
            f"{encoder.model.name!r} sees; shorten it"
        )
    texts = probe_texts(min(limit, LONGEST_PROBED))
    texts = list(compress(texts, encoder.tokens(texts, prompt).tolist()))
    truth = _reference(encoder, texts, specs)
    sound = [all(np.isfinite(each[row]).all() for each in truth) for row in range(len(texts))]
    if not any(sound):
        raise EncoderError(
            f"the encoder {encoder.model.name!r} gives NaN or infinite numbers for every text, "
            "in float32 too: copy it again, or choose another with --encoder"
        )
    return _Sample(
        list(compress(texts, sound)), specs, [list(compress(each, sound)) for each in truth]
    )


def _reference(
    encoder: Any, texts: Sequence[str], specs: Sequence[FeatureSpec]
) -> list[list[np.ndarray]]:
    """For each spec an array (T, D) per text; all layers of the tokens come from one pass."""
    reference = importlib.import_module("features.reference")
    model, device = encoder.model, str(encoder.device)
    layers = sorted({layer for spec in specs if spec.layout == TOKENS for layer in spec.layers})
    known: dict[str, list[np.ndarray]] = {}
    try:
        for spec in specs:
            if spec.layout == POOLED and model.notes:  # the library is known to be wrong
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
    """The encoder's own vectors (1, D) of each text by itself, by torch in float32."""
    torch, exact = encoder.on_torch(), replace(spec, precision="float32")
    return [torch.encode_plain([text], [exact])[0].values for text in texts]


def _layers(vectors: np.ndarray, spec: FeatureSpec, layers: Sequence[int]) -> np.ndarray:
    """(T, D) of one spec, out of the vectors of some layers side by side."""
    if spec.layout != TOKENS:
        return np.atleast_2d(vectors)
    parts = np.split(vectors, len(layers), axis=1)
    return np.concatenate([parts[layers.index(layer)] for layer in spec.layers], axis=1)


def _as_chosen(
    encoder: Any, sample: _Sample, found: list[Agreement], say: Say
) -> list[Agreement]:
    """How the chosen back end and precision agree; ``found`` is torch in float32.

    Raises:
        EncoderError: they do not.
    """
    precision, name = sample.specs[0].precision, encoder.model.name
    if backend_name(encoder) == OPENVINO:
        chosen, reason = _tried(encoder, sample, precision)
        if not reason:
            return _with_padding(chosen, found)
        backends = importlib.import_module("features.backends")
        if not isinstance(encoder.backend, backends.FasterBackend):
            right = not _tried(encoder.on_torch(), sample, precision)[1]
            remedy = f"--backend {TORCH}" if right else "--precision float32"
            raise EncoderError(
                f"OpenVINO does not give the vectors of the encoder {name!r} ({reason}); pass "
                f"{remedy}"
            )
        encoder.backend = encoder.on_torch().backend
        say(
            f"note: OpenVINO does not give the vectors of the encoder {name!r} ({reason}), so "
            "torch runs it"
        )
    if precision == "float32":
        return found
    chosen, reason = _tried(encoder, sample, precision)
    if reason:
        raise EncoderError(
            f"the encoder {name!r} gives other vectors in {precision} than in float32 "
            f"({reason}); pass --precision float32"
        )
    return _with_padding(chosen, found)


def _tried(encoder: Any, sample: _Sample, precision: str) -> tuple[list[Agreement], str]:
    """How an encoder agrees, and what is wrong with that; '' where nothing is."""
    try:
        found = sample.measure(encoder, precision)
    except (EncoderError, RuntimeError) as error:
        return [], " ".join(str(error).split())
    if all(one.within(precision) for one in found):
        return found, ""
    if any(math.isinf(one.difference) for one in found):
        return found, "NaN or infinite numbers"
    return found, f"smallest cosine {min(one.cosine for one in found):.4f}"


def _with_padding(chosen: list[Agreement], found: list[Agreement]) -> list[Agreement]:
    return [replace(one, padded=was.padded) for one, was in zip(chosen, found, strict=True)]


def _unlike(encoder: Any, sample: _Sample, found: Sequence[Agreement]) -> str:
    layouts = listed(
        dict.fromkeys(
            spec.layout for spec, one in zip(sample.specs, found, strict=True) if not one.exact
        )
    )
    return (
        f"the vectors of the encoder {encoder.model.name!r} ({layouts}) would not be those "
        f"that its own library gives for the same text (difference "
        f"{_shown(found, 'difference')}), with padding or without: this kind of model cannot "
        "be used; choose another with --encoder"
    )


def _shown(found: Sequence[Agreement], name: str) -> str:
    """The largest of some differences, for people."""
    largest = max(getattr(one, name) for one in found)
    return "NaN" if math.isinf(largest) else f"{largest:.2g} of a vector of length 1"


def _vectors(block: Block) -> list[np.ndarray]:
    return np.split(block.values, np.cumsum(block.lengths)[:-1])


def _whole(spec: FeatureSpec) -> FeatureSpec:
    """The spec of whole texts, unrounded, whose forward pass a spec's vectors come from."""
    layout = POOLED if spec.layout == SENTENCES else spec.layout
    return replace(spec, layout=layout, dtype="float32", segmentation="", max_tokens=0)


def _way(encoder: Any) -> str:
    """What runs an encoder where, such as ``torch on cpu``."""
    return f"{backend_name(encoder)} on {encoder.device.type}"


def _card(space: Space) -> SpaceCard:
    return card_of(space.folder, space.spec, space.model)


def _note(space: Space, card: SpaceCard) -> None:
    make_folder(space.folder)
    put(space.folder, SPACE_NAME, card.to_bytes())
