"""What ``manyheads doctor`` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from features.corpus.source import Source, parse_source
from features.errors import SettingError
from features.options import Options, option
from features.storage.location import Location, parse_location
from pipeline.config import PLACES
from pipeline.search.config import parse_budget


def check_seconds(seconds: float) -> None:
    """Refuse a budget that is no time. Raises ``SettingError``."""
    if not 0 < seconds < 1e7:
        raise SettingError(f"--budget takes seconds, more than 0; got {seconds:g}")


@dataclass(frozen=True)
class DoctorConfig(Options):
    """What is tried, what is told, and where texts and vectors of the run are now."""

    GROUP: ClassVar = "What is tried and told"

    no_prove: bool = option(
        False, "measure only: change nothing and train nothing to prove a cause"
    )
    budget: float | None = option(
        None,
        "measure and try changes for at most so long, such as 90s or 5m",
        metavar="TIME",
        parse=parse_budget,
        check=check_seconds,
        otherwise="60s, or until one training has been tried, if that is longer",
    )
    all: bool = option(False, "tell every finding, every number and all that is ruled out")
    strict: bool = option(False, "end with exit code 3 if anything is found, for scripts")
    cure: bool = option(
        False,
        "train with the proven remedies, one after another, and say which run to keep: what "
        "gains most beyond noise on validation",
    )
    controls: bool = option(
        False,
        "ask whether the sequence counts: train with vectors shuffled, averaged, and by an mlp "
        "with as many parameters",
    )
    gains: bool = option(
        False,
        "measure what would help most: more texts, words, other cached vectors, cleaned labels",
    )
    data: Source | None = option(
        None,
        "read the texts from this file, if that of the training has moved",
        metavar="FILE",
        parse=parse_source,
        otherwise="the file that the run was trained on",
        group=PLACES,
    )
    cache: Location | None = option(
        None,
        "read and keep vectors in this cache",
        metavar="FOLDER",
        parse=parse_location,
        otherwise="the cache that the run was trained with",
        group=PLACES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cure and self.no_prove:
            raise SettingError("--cure trains with a proven remedy: leave --no-prove out")
