"""Encoding speed: tokens per second, and the share of the maximum of this machine."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.encoding.devices import CPU
from features.vectors.table import SENTENCES
from pipeline.encoding.vectors import Vectors


@dataclass(frozen=True)
class Speed:
    """The speed that an encoding reached.

    Attributes:
        tokens: that it saw, special ones included.
        seconds: without loading the encoder.
        backend: what ran it.
        precision: of its matrix products.
        achieved: their operations a second; None: not asked for.
        peak: most operations a second that this machine was seen to do; None likewise.
    """

    tokens: int
    seconds: float
    backend: str
    precision: str
    achieved: float | None = None
    peak: float | None = None

    @property
    def rate(self) -> float:
        """Return tokens per second."""
        return self.tokens / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        roofline = (
            {
                "gflops": round(self.achieved / 1e9, 1),
                "roofline_gflops": round(self.peak / 1e9, 1),
                "roofline_share": round(self.achieved / self.peak, 3),
            }
            if self.achieved and self.peak
            else {}
        )
        return {
            "tokens": self.tokens,
            "tokens_a_second": round(self.rate, 1),
            "backend": self.backend,
            "precision": self.precision,
            **roofline,
        }

    def to_text(self) -> str:
        """Return one line for people."""
        by = f" with {self.backend}" if self.backend else ""
        line = f"{self.rate:,.0f} tokens per second{by} in {self.precision}"
        if self.achieved and self.peak:
            line += (
                f"; {self.achieved / self.peak:.0%} of the {self.peak / 1e9:,.0f} GFLOP/s "
                "that this machine's matrix products reach"
            )
        return line


def measure_speed(vectors: Vectors, roofline: bool = False) -> Speed | None:
    """The speed of the run that gave some vectors; None where it encoded nothing.

    Args:
        roofline: measure the machine too; imports torch, and takes half a second.

    Raises:
        EncoderError: the encoder does not say how large it is.
    """
    report = vectors.report
    if not report.encoded:
        return None
    lengths, counts = sequences(vectors)
    # Other processes may have encoded some of the texts that were planned here.
    whole = vectors.spaces[0].tokens(vectors.plan.keys[vectors.plan.missing])
    share = report.tokens / max(1, int(whole.sum(dtype=np.int64)))
    seconds = report.seconds - report.loading
    precision = vectors.spaces[0].spec.precision
    tokens = round(share * float((lengths * counts).sum()))
    if not roofline:
        return Speed(tokens, seconds, report.backend, precision)
    module = importlib.import_module("features.encoders.roofline")
    config = json.loads((vectors.model.transformer / "config.json").read_text("utf-8"))
    achieved = share * module.forward_flops(config, lengths, counts) / seconds
    gpus = [device for device in report.devices if device != CPU]
    peak = module.measured_peak(precision, gpus[0] if gpus else CPU) * max(1, len(gpus))
    return Speed(tokens, seconds, report.backend, precision, achieved, peak)


def sequences(vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Sequences that the encoder saw: (n,) mean length and (n,) count, one or two a text.

    All layouts of whole texts share a forward pass, and sentences have one of their own.
    """
    keys, lacks = vectors.plan.keys[vectors.plan.missing], vectors.plan.missing_by_space
    sentences = np.array([space.spec.layout == SENTENCES for space in vectors.spaces])
    lengths, counts = [np.zeros(0)], [np.zeros(0)]
    for space in [each for each in vectors.spaces if each.spec.layout != SENTENCES][:1]:
        seen = np.minimum(
            space.tokens(keys[lacks[:, ~sentences].any(axis=1)]), space.spec.limit
        )
        counts.append(np.ceil(seen / space.spec.max_length))  # windows, their overlap left out
        lengths.append(seen / counts[-1])
    for space, lack in zip(vectors.spaces, lacks.T, strict=True):
        if space.spec.layout == SENTENCES:
            counts.append(space.lengths(keys[lack]))
            lengths.append(space.tokens(keys[lack]) / counts[-1])
    return np.concatenate(lengths), np.concatenate(counts)
