"""``manyheads features``: encode a corpus once, for every head to come."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from features.corpus import read_corpus
from features.spec import DEFAULT_LAYOUTS
from pipeline.config import DataConfig, VectorConfig
from pipeline.progress import duration
from pipeline.speed import Speed, measure_speed
from pipeline.vectors import Vectors, chosen_devices, ensure_vectors


@dataclass(frozen=True)
class FeaturesResult:
    """What ``manyheads features`` reports."""

    vectors: Vectors
    seconds: float
    speed: Speed | None = None

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        plan = self.vectors.plan
        return {
            "texts": len(plan.keys),
            "distinct": plan.distinct,
            "encoded": self.vectors.report.encoded,
            "cached": plan.distinct - self.vectors.report.encoded,
            "truncated": int(self.vectors.truncated.sum()),
            "tokens_cut_share": round(self.vectors.cut_share, 6),
            "seconds": round(self.seconds, 3),
            "speed": self.speed and self.speed.to_dict(),
            "spaces": [
                {
                    "fingerprint": space.spec.fingerprint,
                    "layout": space.spec.layout,
                    "layers": list(space.spec.layers),
                    "folder": str(space.folder),
                }
                for space in self.vectors.spaces
            ],
        }

    def to_text(self) -> str:
        """The lines for people."""
        facts = self.to_dict()
        limit = self.vectors.model.max_length
        lines = [
            f"{facts['encoded']:,} of {facts['distinct']:,} texts encoded, "
            f"{facts['cached']:,} cached, in {duration(self.seconds)}"
        ]
        if facts["truncated"]:
            lines.append(
                f"{facts['truncated']:,} texts are longer than the encoder's {limit} tokens; "
                f"{facts['tokens_cut_share']:.1%} of all tokens are cut off and not seen"
            )
        if self.speed:
            lines.append(self.speed.to_text())
        for space in facts["spaces"]:
            layers = ",".join(map(str, space["layers"]))
            lines.append(f"  {space['layout']:<7} layer {layers:<4} {space['folder']}")
        return "\n".join(lines)


def run_features(
    data: DataConfig, vectors: VectorConfig, layout: str | None, roofline: bool = False
) -> FeaturesResult:
    """Encode a corpus in one layout, or by default in all, from one forward pass.

    Args:
        roofline: compare the speed with what the machine can do at most.
    """
    start = time.perf_counter()
    columns = replace(data.columns, label=None, split=None)
    corpus = read_corpus(data.data, columns, labels=False, skip_empty=data.skip_empty)
    layouts = DEFAULT_LAYOUTS if layout is None else (layout,)
    result = ensure_vectors(corpus.texts, vectors, layouts)
    seconds = time.perf_counter() - start
    devices = chosen_devices(vectors) if result.report.encoded else ()
    return FeaturesResult(result, seconds, measure_speed(result, roofline, devices))
