"""What ``manyheads compare`` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import SettingError
from features.options import Options, option
from features.storage.location import local_path

BEST, ALL = "best", "all"

MAX_ALL_PAIRS = 4
"""Up to so many runs all pairs are compared; of more, each with the best on validation."""


@dataclass(frozen=True)
class CompareConfig(Options):
    """How to compare runs."""

    pairs: str | None = option(
        None,
        "compare each run with the best on validation, or all pairs",
        choices=(BEST, ALL),
        otherwise=f"all of up to {MAX_ALL_PAIRS} runs, {BEST} of more",
    )
    examples: int = option(
        3,
        "show up to N texts that only one of the first two runs gets right, of each",
        metavar="N",
        parse=int,
    )
    out: Path | None = option(
        None,
        "write every test text that some runs get right and others wrong to this new JSON "
        "Lines file",
        metavar="FILE",
        parse=local_path,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.examples < 0:
            raise SettingError(f"--examples takes 0 texts or more; got {self.examples}")

    def all_pairs(self, runs: int) -> bool:
        """Return whether all pairs of so many runs are compared."""
        return self.pairs == ALL or (self.pairs is None and runs <= MAX_ALL_PAIRS)
