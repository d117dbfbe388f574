"""What a run is, at a glance: its data, head, encoder, scores and age."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.encoders.description.names import split_names
from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.result import BlendResult
from pipeline.runs.folder import METRICS, PARTS
from pipeline.runs.reader import read_config, read_scores
from pipeline.runs.run_config import RunConfig

STAMP = re.compile(r"(\d{8}-\d{6})-.+")
"""Names of runs begin with the time, in UTC, at which they began."""


@dataclass(frozen=True)
class RunFacts:
    """One run in the list of runs.

    Attributes:
        name: of its folder.
        data: the file or data set that it was trained on; of a blend, that of its first part.
        head: what was trained, or ``blend``.
        encoder: name of the encoder, or its folder; of several, joined by commas.
        layout: of the vectors; '' for a blend.
        validation, test: its scores.
        began: seconds since 1970.
    """

    name: str
    data: str
    head: str
    encoder: str
    layout: str
    validation: Score
    test: Score
    began: float

    @property
    def data_name(self) -> str:
        """Return the name of the data without its folder."""
        return self.data.rstrip("/").rpartition("/")[2] or self.data

    @property
    def encoder_name(self) -> str:
        """Return the encoder's name; of one in a folder, the folder's own name."""
        names = split_names(self.encoder)
        return ",".join(Path(one).name if Path(one).is_absolute() else one for one in names)

    @property
    def age(self) -> float:
        """Return how long ago it began, in seconds."""
        return max(0.0, time.time() - self.began)

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        began = datetime.fromtimestamp(self.began, UTC).isoformat(timespec="seconds")
        return {**asdict(self), "began": began}


def read_facts(folder: Path) -> RunFacts:
    """Return the facts of a finished run.

    Raises:
        CacheError: a file of it is missing, damaged or newer than this program.
    """
    scores = read_scores(folder)
    config = first_config(folder)
    layout = "" if isinstance(scores, BlendResult) else config.resolved.spec.get("layout", "")
    return RunFacts(
        name=folder.name,
        data=config.data.data,
        head=scores.head,
        encoder=config.vectors.encoder,
        layout=layout,
        validation=scores.validation,
        test=scores.test,
        began=_began(folder),
    )


def first_config(folder: Path) -> RunConfig:
    """Return the configuration of a run; of a blend, that of its first part.

    Raises:
        CacheError: as ``read_config``.
    """
    parts = folder / PARTS
    return read_config(parts / "1" if parts.is_dir() else folder)


def age_text(seconds: float) -> str:
    """Return an age for people, in its largest unit.

    >>> age_text(20), age_text(200), age_text(9000), age_text(500_000)
    ('20 s', '3 min', '2 h', '5 days')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{int(seconds / 3600)} h"
    return f"{int(seconds / 86400)} days"


def _began(folder: Path) -> float:
    found = STAMP.fullmatch(folder.name)
    if found:
        try:
            stamp = datetime.strptime(found[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
            return stamp.timestamp()
        except ValueError:  # digits that are no time
            pass
    return (folder / METRICS).stat().st_mtime
