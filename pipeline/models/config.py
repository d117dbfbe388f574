"""What ``manyheads export-model`` and ``manyheads predict`` are asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from features.options import Options, option, required_option
from features.storage.location import local_path
from pipeline.evaluation.abstention import check_precision
from pipeline.evaluation.prediction_sets import check_level


@dataclass(frozen=True)
class ExportModelConfig:
    """Where a model is written to.

    Attributes:
        out: the folder to make.
    """

    out: Path = required_option(
        "write the model to this new folder", metavar="FOLDER", parse=local_path
    )


@dataclass(frozen=True)
class UncertaintyConfig(Options):
    """When a label is given.

    Attributes:
        abstain: wanted share of right labels; None: every text gets a label.
        sets: wanted share of sets that hold the true label; None: no sets.
    """

    GROUP: ClassVar = "Where the run is not sure"

    abstain: float | None = option(
        None,
        "give a label only where labels are right for this share of the texts, such as 0.95, "
        "as validation texts show; the others get none",
        metavar="SHARE",
        parse=float,
        check=check_precision,
    )
    sets: float | None = option(
        None,
        "give for each text the set of labels that holds the true one for this share of the "
        "texts, such as 0.9",
        metavar="SHARE",
        parse=float,
        check=check_level,
    )

    @property
    def asked(self) -> bool:
        """Return whether anything of a run's held-out texts is needed."""
        return self.abstain is not None or self.sets is not None
