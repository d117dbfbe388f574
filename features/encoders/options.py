"""Options of an encoder: what decides its vectors, and how it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.encoders.backends.names import BACKENDS
from features.encoders.segmentation import LANGUAGE, check_language, language_of
from features.machine.hardware import AUTO, chosen_precision
from features.options import Options, option
from features.vectors.precision import STORED_DTYPES
from features.vectors.spec import PRECISIONS, FeatureSpec, check_prompt


@dataclass(frozen=True)
class VectorOptions(Options):
    """What decides the vectors, beside the encoder, the layout and the layers."""

    dtype: str = option("float16", "store the vectors in this type", choices=STORED_DTYPES)
    precision: str = option(
        AUTO,
        "compute the encoder's matrix products in this type",
        choices=(AUTO, *PRECISIONS),
        otherwise="auto: bfloat16 where it is faster",
    )
    max_tokens: int | None = option(
        None,
        "see up to N tokens of each text, through overlapping windows joined into one sequence",
        metavar="N",
        parse=int,
        otherwise="each text is cut at the encoder's limit",
    )
    language: str = option(
        LANGUAGE,
        "end sentences by the rules of this language, such as de or zh; it decides nothing in "
        "layouts other than sentences",
        metavar="CODE",
        check=check_language,
    )
    prompt: str | None = option(
        None,
        'put these words before every text, such as "query: " for e5; "" puts none',
        metavar="TEXT",
        check=check_prompt,
        otherwise="the encoder's own",
    )

    @classmethod
    def of_spec(cls, spec: FeatureSpec) -> VectorOptions:
        """Return the options that gave the vectors of a spec."""
        return cls(
            dtype=spec.dtype,
            precision=spec.precision,
            max_tokens=spec.max_tokens or None,
            language=language_of(spec.segmentation),
            prompt=spec.prompt,
        )

    def on(self, devices: Sequence[str]) -> VectorOptions:
        """Return the options with the precision that is chosen for some torch devices.

        Args:
            devices: all that encode; none: wherever the encoder runs by itself.
        """
        return VectorOptions.of(self, precision=chosen_precision(self.precision, devices))


@dataclass(frozen=True)
class EncoderOptions(Options):
    """How an encoder is found and loaded, beside its name."""

    prompt_name: str | None = option(
        None,
        "put before every text the prompt that the encoder has under this name, such as query",
        metavar="NAME",
    )
    backend: str = option(
        AUTO,
        "run the encoder with this library",
        choices=BACKENDS,
        otherwise="auto: the fastest of those installed",
    )
    trust_remote_code: bool = option(
        False, "run the Python code that comes with the encoder: only if you have read it"
    )
