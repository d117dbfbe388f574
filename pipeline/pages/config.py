"""What ``manyheads report`` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from features.corpus.source import Source, parse_source
from features.options import Options, option
from features.storage.location import Location, local_path, parse_location

PCA, UMAP = "pca", "umap"
"""How the texts of a map are placed."""


@dataclass(frozen=True)
class ReportConfig(Options):
    """Where the page goes, and where the texts and vectors of the run are now."""

    GROUP: ClassVar = "Where things are kept"

    out: Path | None = option(
        None,
        "write the page to this file",
        metavar="FILE",
        parse=local_path,
        otherwise="report.html in the folder of the run; comparison.html here for two runs",
    )
    map: str = option(
        PCA,
        f"place the texts of the map by {PCA}, or by {UMAP}, which is slower and shows groups",
        choices=(PCA, UMAP),
    )
    data: Source | None = option(
        None,
        "read the texts from this file, if that of the training has moved",
        metavar="FILE",
        parse=parse_source,
        otherwise="the file that the run was trained on",
    )
    cache: Location | None = option(
        None,
        "read vectors for the map from this cache",
        metavar="FOLDER",
        parse=parse_location,
        otherwise="the cache that the run was trained with",
    )
