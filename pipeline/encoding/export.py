"""``manyheads export``: write the vectors of a corpus in formats that other tools read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from features.outputs.export import Export, check_export, export
from features.vectors.table import POOLED
from pipeline.config import DataConfig, VectorConfig
from pipeline.corpora import read_data
from pipeline.encoding.config import ExportConfig
from pipeline.encoding.vectors import ensure_vectors
from pipeline.progress import duration


@dataclass(frozen=True)
class Exported:
    """What ``manyheads export`` reports."""

    export: Export
    form: str
    layout: str
    encoded: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "paths": [str(path) for path in self.export.paths],
            "format": self.form,
            "layout": self.layout,
            "texts": self.export.texts,
            "rows": self.export.rows,
            "width": self.export.width,
            "dtype": self.export.dtype,
            "encoded": self.encoded,
            "seconds": round(self.seconds, 3),
        }

    def to_text(self) -> str:
        """Return one line for people."""
        shape = f"({self.export.rows:,}, {self.export.width:,}) {self.export.dtype}"
        names = " and ".join(map(str, self.export.paths))
        return f"{self.export.texts:,} texts, {shape}, in {duration(self.seconds)}: {names}"


def run_export(
    data: DataConfig, vectors: VectorConfig, layout: str | None, target: ExportConfig
) -> Exported:
    """Encode the missing texts of a corpus and write all its vectors, in its order."""
    start = time.perf_counter()
    check_export(target.out, target.form, (data.data, vectors.cache, vectors.encoder))
    corpus = read_data(data, labels=False)
    layout = layout or POOLED
    result = ensure_vectors(corpus.texts, vectors, (layout,))
    done = export(result.space(layout), corpus, target.out, target.form)
    seconds = time.perf_counter() - start
    return Exported(done, target.form, layout, result.report.encoded, seconds)
