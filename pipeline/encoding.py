"""``manyheads features``: encode a corpus once, for every head to come."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from features.corpus import read_corpus
from features.spec import DEFAULT_LAYOUTS
from pipeline.config import DataConfig, VectorConfig
from pipeline.progress import duration
from pipeline.vectors import Vectors, ensure_vectors


@dataclass(frozen=True)
class FeaturesResult:
    """What ``manyheads features`` reports."""

    vectors: Vectors
    seconds: float

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
            "windowed": int(self.vectors.windowed.sum()),
            "seconds": round(self.seconds, 3),
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
            limit = f"the encoder's {spec.limit} tokens"
            if spec.max_tokens:
                limit = f"the {spec.limit} tokens of --max-tokens"
            lines.append(
                f"{facts['truncated']:,} texts are longer than {limit}; "
                f"{facts['tokens_cut_share']:.1%} of all tokens are cut off and not seen"
            )
        for space in facts["spaces"]:
            layers = ",".join(map(str, space["layers"]))
            lines.append(f"  {space['layout']:<7} layer {layers:<4} {space['folder']}")
        return "\n".join(lines)


def run_features(data: DataConfig, vectors: VectorConfig, layout: str | None) -> FeaturesResult:
    """Encode a corpus in one layout, or by default in all, from one forward pass."""
    start = time.perf_counter()
    columns = replace(data.columns, label=None, split=None)
    corpus = read_corpus(data.data, columns, labels=False, skip_empty=data.skip_empty)
    layouts = DEFAULT_LAYOUTS if layout is None else (layout,)
    result = ensure_vectors(corpus.texts, vectors, layouts)
    return FeaturesResult(result, time.perf_counter() - start)
