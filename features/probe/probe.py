"""The probe: encode a few texts before a space is filled, to check that its vectors will be
right.

    prepare(encoder, spaces, warn)     reads space.json, probes what is new, records the result

A dozen texts go through the reference library one by one, and through the encoder one by one
and together in batches. If padding changes the encoder's vectors, it is run without padding. A
back end or a precision that gives other vectors is refused; where a run may change to such a
back end, it stays in torch.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from features.encoders.backends.names import OPENVINO, TORCH
from features.encoders.description.stack import MODULES
from features.encoders.protocol import Encoder, backend_name
from features.errors import EncoderError
from features.messages import listed
from features.probe import known
from features.probe.sample import ProbeSample, reference_sample, torch_sample, whole
from features.store.manifest import SPACE_NAME, SpaceManifest, manifest_of
from features.store.space import Space
from features.vectors.agreement import Agreement
from features.vectors.spec import FeatureSpec

Warn = Callable[[str], None]
"""Called with one line for the user."""


def prepare(encoder: Encoder, spaces: Sequence[Space], warn: Warn | None = None) -> None:
    """Set up an encoder to fill some spaces, as their probes require.

    A space whose encoder was not probed with this back end (torch, where a run may change to
    another) and kind of device is probed now,
    unless that was done for another space on this machine before (``known``), and the result is
    recorded in its ``space.json``. Encoders without padding, such as fakes in
    tests, are not probed.

    Args:
        encoder: the encoder.
        spaces: the spaces that it will fill.
        warn: called with one line for the user if there is anything unusual; None: a warning of
            the logger ``manyheads``.

    Raises:
        EncoderError: its vectors are not those of the reference library; the message has a
            remedy.
        CacheError, DiskSpaceError: the result cannot be recorded.
    """
    if not hasattr(encoder, "unpadded"):
        return
    own: Any = encoder
    known_manifests = [_manifest(space) for space in spaces]
    warn = warn or logging.getLogger("manyheads").warning
    if _may_change(own):
        own.backend.check = partial(_check_other, own, [space.spec for space in spaces], warn)
    way = _way(own)
    fresh = [
        index for index, manifest in enumerate(known_manifests) if way not in manifest.probes
    ]
    own.unpadded = own.model.unpadded or any(manifest.unpadded for manifest in known_manifests)
    if not fresh:
        return
    specs = [spaces[index].spec for index in fresh]
    plain = [whole(spec) for spec in specs]
    found = known.find(own, plain, way)
    if found is None:
        found = probe(own, specs, warn)
        known.keep(own, plain, way, found)
    else:
        _tell(own, warn)
    for index, one in zip(fresh, found, strict=True):
        space, manifest = spaces[index], known_manifests[index]
        if one.unpadded and len(space) and not manifest.probes:
            warn(
                f"warning: the {len(space):,} texts in {space.folder} are from a version that "
                "did not check, and may be wrong: compare them with manyheads verify --data "
                "FILE --encoder NAME, or delete that folder"
            )
        _note(space, replace(manifest, probes={**manifest.probes, way: one}))
    # Another process may have noted something meanwhile: all do the same.
    own.unpadded |= any(_manifest(space).unpadded for space in spaces)


def settle(encoder: Encoder, space: Space) -> None:
    """Set up an encoder as it was when a space was filled, without probing."""
    if hasattr(encoder, "unpadded"):
        own: Any = encoder
        own.unpadded = own.model.unpadded or _manifest(space).unpadded


def probe(encoder: Any, specs: Sequence[FeatureSpec], warn: Warn) -> list[Agreement]:
    """Compare an encoder with the reference library; return one result per spec.

    Sets ``encoder.unpadded`` if padding changes the vectors. Where a run may change to another
    back end, torch is compared: the other one is when the run changes (``check``).

    Args:
        encoder: a ``TransformerEncoder``.
        specs: specs of one run, with the same precision and prompt.
        warn: called with one line for the user.

    Raises:
        EncoderError: its vectors are not those of the reference library; the message has a
            remedy.
    """
    plain = [whole(spec) for spec in specs]
    sample = reference_sample(encoder, list(dict.fromkeys(plain)))
    torch = encoder.on_torch()
    torch.unpadded = False
    found = sample.measure(torch, "float32")
    alike = all(one.exact for one in found)
    if encoder.model.unpadded or not alike:
        padded, torch.unpadded = found, True
        found = sample.measure(torch, "float32")
        if not all(one.exact for one in found):
            raise EncoderError(_unlike(encoder, sample, found))
        found = [
            replace(one, padded=was.difference) for one, was in zip(found, padded, strict=True)
        ]
        if not alike:
            warn(_padding_line(encoder, found))
    _tell(encoder, warn)
    encoder.unpadded = torch.unpadded
    found = _as_chosen(torch if _may_change(encoder) else encoder, sample, found)
    precision = sample.specs[0].precision
    if not all(one.close(precision) for one in found):
        warn(
            f"note: {precision} rounds the vectors of the encoder {encoder.model.name!r} to a "
            f"cosine of {min(one.cosine for one in found):.4f}; --precision float32 is exact"
        )
    by_spec = dict(zip(sample.specs, found, strict=True))
    return [by_spec[spec] for spec in plain]


def _tell(encoder: Any, warn: Warn) -> None:
    for note in encoder.model.notes:
        warn(f"note: {note}")


def _as_chosen(encoder: Any, sample: ProbeSample, found: list[Agreement]) -> list[Agreement]:
    """Return the agreement with the chosen back end and precision.

    Args:
        found: the agreement of torch in float32.

    Raises:
        EncoderError: the chosen back end or precision gives other vectors.
    """
    precision, name = sample.specs[0].precision, encoder.model.name
    if backend_name(encoder) == OPENVINO:
        chosen, reason = _tried(encoder, sample, precision)
        if not reason:
            return _with_padding(chosen, found)
        right = not _tried(encoder.on_torch(), sample, precision)[1]
        remedy = f"--backend {TORCH}" if right else "--precision float32"
        raise EncoderError(
            f"OpenVINO does not give the vectors of the encoder {name!r} ({reason}); pass "
            f"{remedy}"
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


def _check_other(
    encoder: Any,
    specs: Sequence[FeatureSpec],
    warn: Warn,
    other: Any,
    layers: Sequence[int],
    precision: str,
) -> None:
    """Compare a back end to which a run would change with torch, which was probed already.

    Raises:
        EncoderError: it gives other vectors.
    """
    own = dict.fromkeys(whole(spec) for spec in specs if spec.pooling != MODULES)
    seen = [spec for spec in own if set(spec.layers) <= set(layers)]
    if not seen:
        return
    way = f"{other.name} in place of torch, {'un' if encoder.unpadded else ''}padded"
    if known.find(encoder, seen, way) is not None:
        return
    sample = torch_sample(encoder, seen)
    moved = copy.copy(encoder)
    moved.backend = other
    found, reason = _tried(moved, sample, precision)
    if reason:
        warn(_left_line(encoder, reason))
        raise EncoderError(reason)
    known.keep(encoder, sample.specs, way, found)


def _tried(encoder: Any, sample: ProbeSample, precision: str) -> tuple[list[Agreement], str]:
    """Return how an encoder agrees, and what is wrong with that; '' if nothing is."""
    try:
        found = sample.measure(encoder, precision)
    except (EncoderError, RuntimeError) as error:
        return [], " ".join(str(error).split())
    if all(one.within(precision) for one in found):
        return found, ""
    if any(math.isinf(one.difference) for one in found):
        return found, "NaN or infinite numbers"
    return found, f"smallest cosine {min(one.cosine for one in found):.4f}"


def _left_line(encoder: Any, reason: str) -> str:
    return (
        f"note: OpenVINO does not give the vectors of the encoder {encoder.model.name!r} "
        f"({reason}), so torch runs it"
    )


def _with_padding(chosen: list[Agreement], found: list[Agreement]) -> list[Agreement]:
    return [replace(one, padded=was.padded) for one, was in zip(chosen, found, strict=True)]


def _padding_line(encoder: Any, found: Sequence[Agreement]) -> str:
    return (
        f"note: vectors of the encoder {encoder.model.name!r} change with padding (by up to "
        f"{_shown(found, 'padded')}), so it is encoded unpadded: a batch holds only texts of "
        "the same number of tokens"
    )


def _unlike(encoder: Any, sample: ProbeSample, found: Sequence[Agreement]) -> str:
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
    """Return the largest of some differences, as text."""
    largest = max(getattr(one, name) for one in found)
    return "NaN" if math.isinf(largest) else f"{largest:.2g} of a vector of length 1"


def _way(encoder: Any) -> str:
    """Return back end and kind of device that are probed, such as ``torch on cpu``."""
    name = TORCH if _may_change(encoder) else backend_name(encoder)
    return f"{name} on {encoder.device.type}"


def _may_change(encoder: Any) -> bool:
    """Return whether a run begins in torch and may change to another back end."""
    return hasattr(encoder.backend, "check")


def _manifest(space: Space) -> SpaceManifest:
    return manifest_of(space.folder, space.spec, space.model)


def _note(space: Space, manifest: SpaceManifest) -> None:
    space.storage.put(SPACE_NAME, manifest.to_bytes())
