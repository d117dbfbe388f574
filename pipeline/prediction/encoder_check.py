"""Check that an encoder is the one that a model was trained on."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from features.encoders.description.model import EncoderModel, with_other_trust
from features.encoders.options import VectorOptions
from features.errors import EncoderError
from features.messages import listed
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED

LONGEST_SHOWN, DIGITS_SHOWN = 40, 12


def check_encoder(model: EncoderModel, spec: FeatureSpec, folder: Path) -> None:
    """Refuse another encoder than that of the training: its labels would be wrong.

    Raises:
        EncoderError: its vectors differ from those of ``spec``; the message says how.
    """
    found = differing(model, spec)
    if not found:
        return
    remedy = "pass the right one with --encoder, or train again"
    twin = with_other_trust(model)
    if twin and not differing(twin, spec):
        remedy = (
            "the Python code that comes with it was run then: pass --trust-remote-code if you "
            "have read it and trust it"
            if twin.trust_remote_code
            else "the Python code that comes with it was not run then: leave "
            "--trust-remote-code out"
        )
    raise EncoderError(
        f"the encoder {model.name!r} is not the one that {folder} was trained on: it "
        f"differs in {listed(found, len(found))}; {remedy}"
    )


def differing(model: EncoderModel, spec: FeatureSpec) -> list[str]:
    """Return how the vectors of an encoder differ from those of ``spec``, for people."""
    layers = None if spec.layout == POOLED else spec.layers
    same_size = max(spec.layers) <= model.depth
    # An encoder with a higher limit makes no windows; it then differs in max_length.
    windows = spec.max_tokens > model.max_length
    own = model.spec(
        spec.layout,
        layers if same_size else None,
        VectorOptions.of_spec(spec if windows else replace(spec, max_tokens=0)),
    )
    if spec.max_tokens and not windows:
        own = replace(
            own,
            max_tokens=spec.max_tokens,
            segmentation=spec.segmentation,
            normalize=spec.normalize,
        )
    if own == spec:
        return []
    own = replace(own, prompt=model.prompt)  # predict would use the prompt of the run
    return [
        f"{field.name} ({_shown(getattr(own, field.name))}, "
        f"not {_shown(getattr(spec, field.name))})"
        for field in fields(spec)
        if getattr(own, field.name) != getattr(spec, field.name)
    ]


def _shown(value: object) -> str:
    """Return a value of a spec; of a digest only the beginning."""
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    if not text or " " in text:
        return repr(text)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:DIGITS_SHOWN]}..."
