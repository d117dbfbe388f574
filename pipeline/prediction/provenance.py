"""Which run answers: what it was trained on, when, and how well it did on test."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.errors import CacheError
from pipeline.console import one_line
from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.result import Scores
from pipeline.models.hub import shown_name
from pipeline.models.opening import OpenedModel
from pipeline.runs.folder import METRICS
from pipeline.runs.reader import read_config, read_scores

TIME = re.compile(r"\d{8}-\d{6}(?=-)")
"""How the name of a run begins, in UTC."""

LONGEST_NAME = 60


@dataclass(frozen=True)
class Provenance:
    """Where predictions come from.

    Attributes:
        run: the run or model folder.
        head: the head, or ``blend of cnn, lstm``.
        data: name of the file that it was trained on; "" where that is not known, as in an
            exported model.
        trained: when, as ISO 8601 in UTC; "" where that is not known.
        test: its test score; None where that is not known.
        folds: of how many folds the head is that of the first; 0 without folds.
    """

    run: Path
    head: str
    data: str = ""
    trained: str = ""
    test: Score | None = None
    folds: int = 0

    @classmethod
    def of(cls, opened: OpenedModel) -> Provenance:
        """Return that of an opened model. What its folder does not tell is left out."""
        heads = ", ".join(part.head.head for part in opened.parts)
        head = heads if opened.temperature is None else f"blend of {heads}"
        try:
            scores = read_scores(opened.folder)
            data = read_config(opened.folders[0]).data.data
        except CacheError:  # an exported model, or a file that prediction does not need
            return cls(opened.folder, head)
        return cls(
            opened.folder,
            head,
            Path(data).name,
            _trained(scores, opened.folder),
            scores.test,
            scores.folds,
        )

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints under ``model``."""
        return {**asdict(self), "run": str(self.run)}

    def lines(self) -> list[str]:
        """Return one or two lines for people."""
        name = one_line(shown_name(self.run), LONGEST_NAME)
        if not self.data or self.test is None:
            return [f"model: {name} ({self.head})"]
        when = f", {self.trained[:16].replace('T', ' ')} UTC" if self.trained else ""
        lines = [
            f"run: {name} ({self.head}, trained on {one_line(self.data, LONGEST_NAME)}{when}); "
            f"test accuracy: {self.test.told}"
        ]
        if self.folds:
            lines.append(
                f"note: this head is that of fold 1 of {self.folds}, trained without its test "
                "texts; the score is that of all folds; train without --folds for a head that "
                "learned from more texts"
            )
        return lines


def _trained(scores: Scores, folder: Path) -> str:
    """Return when a run was trained: by its name, or else by its last file."""
    for name in (folder.name, scores.run.name):
        if found := TIME.match(name):
            moment = datetime.strptime(found[0], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
            return moment.isoformat()
    moment = datetime.fromtimestamp((folder / METRICS).stat().st_mtime, UTC)
    return moment.replace(microsecond=0).isoformat()
