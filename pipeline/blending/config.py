"""What ``manyheads blend`` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import SettingError
from features.options import Options, option


@dataclass(frozen=True)
class BlendConfig(Options):
    """How the runs of a blend are chosen and weighted."""

    weights: str | None = option(
        None,
        "give all runs the same weight, or weights that are learned on validation",
        choices=("equal", "learned"),
        otherwise="learned if they gain beyond noise on validation, else equal",
    )
    select: bool = option(
        False,
        "search for the runs and weights that lower the log loss on validation: begin with the "
        "best run, and add one, again where it helps, while the gain is beyond noise",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.select and self.weights:
            raise SettingError(
                f"--select finds the weights itself: leave --weights {self.weights} out"
            )

    @property
    def kind(self) -> str | None:
        """Return the kind of weights for ``blend``; None where validation decides."""
        return "selected" if self.select else self.weights
