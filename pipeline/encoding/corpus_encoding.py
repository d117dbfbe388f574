"""``manyheads features``: encode a corpus once, for all heads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from features.encoding.cluster.resources import Cluster
from features.vectors.spec import DEFAULT_LAYOUTS
from pipeline.config import DataConfig, VectorConfig
from pipeline.corpora import stream_texts
from pipeline.encoding.speed import Speed, measure_speed
from pipeline.encoding.vectors import Vectors, ensure_vectors, tokens_to_see, with_pooled
from pipeline.progress import duration


@dataclass(frozen=True)
class FeaturesResult:
    """What ``manyheads features`` reports."""

    vectors: Vectors
    seconds: float
    speed: Speed | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        plan = self.vectors.plan
        return {
            "texts": len(plan.keys),
            "distinct": plan.distinct,
            "encoded": self.vectors.report.encoded,
            "cached": plan.distinct - self.vectors.report.encoded,
            "truncated": int(self.vectors.truncated.sum()),
            "tokens_cut_share": round(self.vectors.cut_share(), 6),
            "windowed": int(self.vectors.windowed.sum()),
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
        """Return the lines for people."""
        facts = self.to_dict()
        spec = self.vectors.spaces[0].spec
        lines = [
            f"{facts['encoded']:,} of {facts['distinct']:,} texts encoded, "
            f"{facts['cached']:,} cached, in {duration(self.seconds)}"
        ]
        if facts["windowed"]:
            lines.append(
                f"{facts['windowed']:,} texts are longer than the encoder's {spec.max_length} "
                f"tokens and were seen through overlapping windows, up to {spec.limit} tokens"
            )
        if facts["truncated"]:
            more = tokens_to_see(self.vectors.tokens, spec.limit)
            limit = f"the encoder's {spec.limit} tokens"
            if spec.max_tokens:
                limit = f"the {spec.limit} tokens of --max-tokens"
            lines.append(
                f"{facts['truncated']:,} texts are longer than {limit}; "
                f"{facts['tokens_cut_share']:.1%} of all tokens are cut off and not seen"
                + (f"; --max-tokens {more} sees more of them" if more > spec.limit else "")
            )
        if self.speed:
            lines.append(self.speed.to_text())
        for space in facts["spaces"]:
            layers = ",".join(map(str, space["layers"]))
            lines.append(f"  {space['layout']:<7} layer {layers:<4} {space['folder']}")
        return "\n".join(lines)


def run_features(
    data: DataConfig,
    vectors: VectorConfig,
    layout: str | None,
    roofline: bool = False,
    *,
    model: EncoderModel | None = None,
    load: Callable[[EncoderModel], Encoder] | None = None,
    cluster: Cluster | None = None,
) -> FeaturesResult:
    """Encode a corpus in one layout and pooled, by which ``train`` finds near-duplicates.

    By default in all layouts that one forward pass gives.

    The texts stream from the file; memory grows by some 100 bytes per text only.

    Args:
        roofline: compare the speed with what the machine can do at most.
        model, load, cluster: as in ``ensure_vectors``.
    """
    start = time.perf_counter()
    texts = stream_texts(data)
    layouts = DEFAULT_LAYOUTS if layout is None else with_pooled(layout)
    result = ensure_vectors(texts, vectors, layouts, model=model, load=load, cluster=cluster)
    seconds = time.perf_counter() - start
    return FeaturesResult(result, seconds, measure_speed(result, roofline))
