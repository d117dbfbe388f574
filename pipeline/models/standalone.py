"""A folder that needs no manyheads: the encoder beside the head, and a program for both.

    encoder.onnx     token ids to the vectors that the head reads
    tokenizer.json   for the package tokenizers
    predict.py       texts to labels, with onnxruntime, tokenizers and numpy alone

What the program answers is compared with what manyheads answers before the folder is given.
"""

from __future__ import annotations

import importlib
import logging
import runpy
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from features.encoders.description.model import EncoderModel
from features.errors import FaultError, SettingError
from features.tables import FeatureTables
from features.vectors.spec import FeatureSpec
from heads.trained import TrainedHead
from pipeline.encoding.direct_vectors import encode_directly
from pipeline.encoding.vectors import load_encoder
from pipeline.models.config import QUANTIZED
from pipeline.models.encoder_onnx import encoder_onnx

ENCODER, TOKENIZER, PROGRAM = "encoder.onnx", "tokenizer.json", "predict.py"
FILES = (ENCODER, TOKENIZER, PROGRAM)
(INT8,) = QUANTIZED

PROBE_TEXTS = ("a", "An example of a text, with 12 numbers!", "日本 ok", "word " * 600)
COMPARED = 256
"""Texts that are compared, at most: the beginnings of training texts, and a few others."""

TOLERANCE = 1e-3
"""Largest difference of a probability that is no fault. It is 1e-6 or so, and more only where
two roundings of a vector to float16 fall on either side."""


@dataclass(frozen=True)
class Agreement:
    """What the program answers, beside what manyheads answers.

    Attributes:
        texts: how many were compared.
        same_labels: of how many the label is the same.
        largest: difference of a probability.
        megabytes: of the encoder.
        milliseconds: per text on this machine, the fastest of two.
    """

    texts: int
    same_labels: int
    largest: float
    megabytes: float
    milliseconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return asdict(self)


@dataclass(frozen=True)
class StandaloneReport:
    """How the exported encoder agrees.

    Attributes:
        exact: the encoder in float32, with float32 vectors of manyheads.
        trained: the same with the vectors of the training, where they are of bfloat16
            products; otherwise None.
        quantized: the encoder in int8, where asked for, with float32 vectors.
    """

    exact: Agreement
    trained: Agreement | None = None
    quantized: Agreement | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        found = {"float32": self.exact, "bfloat16": self.trained, INT8: self.quantized}
        return {name: each.to_dict() for name, each in found.items() if each}

    def lines(self) -> list[str]:
        """Return lines for people."""
        lines = [f"{PROGRAM} gives {_told(self.exact)}"]
        if self.trained:
            lines.append(
                "the vectors of this run are of bfloat16 products, which ONNX runs in float32: "
                f"beside them it gives {_told(self.trained)}; train with --precision float32 "
                "for the same numbers"
            )
        if self.quantized:
            one, other = self.exact, self.quantized
            lines.append(
                f"in {INT8} it gives {_told(other)}; {other.megabytes:.1f} MB instead of "
                f"{one.megabytes:.1f}, and {other.milliseconds:.2f} ms per text on this "
                f"machine instead of {one.milliseconds:.2f}"
            )
        return lines


def _told(found: Agreement) -> str:
    return (
        f"{found.same_labels} of {found.texts} texts the same label, and probabilities that "
        f"differ by {found.largest:.1g} at most"
    )


def check_runtime() -> None:
    """Refuse to go on without onnxruntime. Raises ``SettingError``."""
    try:
        importlib.import_module("onnxruntime")
    except ImportError as error:
        raise SettingError(
            "--with-encoder needs onnxruntime, which is not installed; install it with: "
            "pip install 'manyheads[onnx]'"
        ) from error


def write_standalone(
    folder: Path,
    head: TrainedHead,
    spec: FeatureSpec,
    model: EncoderModel,
    texts: Sequence[str],
    quantize: str | None = None,
) -> StandaloneReport:
    """Write encoder, tokenizer and program beside a head, and compare what they answer.

    Args:
        folder: has ``head.onnx`` and ``model.json`` already.
        head: the head.
        spec: of the vectors that it was trained on.
        model: the encoder.
        texts: some to compare on.
        quantize: ``int8``: store the encoder's weights in 8 bits; None: in float32.

    Raises:
        SettingError: the encoder cannot be written.
        FaultError: the program answers otherwise than manyheads.
    """
    check_runtime()
    onnx, tokenizer = encoder_onnx(model, spec)
    (folder / ENCODER).write_bytes(onnx)
    (folder / TOKENIZER).write_bytes(tokenizer)
    program = resources.files("pipeline") / "templates" / PROGRAM
    (folder / PROGRAM).write_text(program.read_text(encoding="utf-8"), encoding="utf-8")
    sample = [*texts[: COMPARED - len(PROBE_TEXTS)], *PROBE_TEXTS]
    encoder = load_encoder(model, "torch", "cpu")
    exact_spec = replace(spec, precision="float32")

    def expected(own: FeatureSpec) -> np.ndarray:
        table = encode_directly(encoder, sample, [own]).tables[spec.layout]
        return head.predict_proba(FeatureTables((table,)), np.arange(len(sample)))

    reference = expected(exact_spec)
    found, exact = _compared(folder, sample, reference)
    if not exact.largest <= TOLERANCE:
        raise FaultError(
            "the exported encoder must give the probabilities of manyheads within "
            f"{TOLERANCE:g}, but one differs by {exact.largest:.2g}: report this, with the "
            f"name of the encoder, {model.name}, and leave --with-encoder out"
        )
    trained = None
    if spec.precision != exact_spec.precision:
        trained = _agreement(folder, expected(spec), found, exact.milliseconds)
    quantized = None
    if quantize:
        _quantize(folder / ENCODER)
        _, quantized = _compared(folder, sample, reference)
    return StandaloneReport(exact, trained, quantized)


def _compared(
    folder: Path, texts: Sequence[str], expected: np.ndarray
) -> tuple[np.ndarray, Agreement]:
    """Return what the program of a folder answers, and how that agrees."""
    program = runpy.run_path(str(folder / PROGRAM))
    model = program["Model"](folder)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        found = model.probabilities(list(texts))
        seconds.append(time.perf_counter() - start)
    return found, _agreement(folder, expected, found, 1000 * min(seconds) / len(texts))


def _agreement(
    folder: Path, expected: np.ndarray, found: np.ndarray, milliseconds: float
) -> Agreement:
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    return Agreement(
        len(found),
        int(same.sum()),
        float(np.abs(found - expected).max()),
        round((folder / ENCODER).stat().st_size / 1e6, 1),
        round(milliseconds, 3),
    )


def _quantize(path: Path) -> None:
    """Store the weights of a graph in 8 bits; values are rounded while it runs."""
    quantization = importlib.import_module("onnxruntime.quantization")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a preparation that is done by the exporter
    try:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            whole = Path(folder) / path.name
            path.rename(whole)
            quantization.quantize_dynamic(
                whole, path, weight_type=quantization.QuantType.QInt8, per_channel=True
            )
    finally:
        root.setLevel(level)
