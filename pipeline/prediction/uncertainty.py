"""What a model says where it is not sure: no label, or several.

The rules are computed when a run is opened, from the probabilities that it keeps of its
validation and test texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.errors import CacheError
from pipeline.evaluation.abstention import Abstention, choose_abstention
from pipeline.evaluation.prediction_sets import PredictionSets, choose_sets
from pipeline.models.config import UncertaintyConfig
from pipeline.models.opening import OpenedModel
from pipeline.runs.folder import PROBABILITIES
from pipeline.runs.reader import read_held_out


@dataclass(frozen=True)
class Uncertainty:
    """The rules of one model; None each where they were not asked for."""

    abstention: Abstention | None = None
    sets: PredictionSets | None = None

    @classmethod
    def of(cls, opened: OpenedModel, config: UncertaintyConfig) -> Uncertainty:
        """Return the rules of an opened model.

        Raises:
            CacheError: it keeps no probabilities of held-out texts.
            SettingError: no confidence reaches the wanted precision.
        """
        if not config.asked:
            return cls()
        if not (opened.folder / PROBABILITIES).exists():
            raise CacheError(
                f"--abstain and --sets need {PROBABILITIES}, which {opened.folder} lacks: name "
                "the run itself if this is an exported model, or train it again if it is older"
            )
        held_out = read_held_out(opened.folder).folds[0]  # the fold whose head predicts
        validation, test = held_out.validation, held_out.test
        abstain, sets = config.abstain, config.sets
        return cls(
            None if abstain is None else choose_abstention(abstain, validation, test),
            None if sets is None else choose_sets(sets, validation, test),
        )

    def abstained(self, probabilities: np.ndarray) -> np.ndarray | None:
        """Return (n,) bool: which of (n, C) rows get no label; None where all do."""
        if self.abstention is None:
            return None
        return self.abstention.abstained(probabilities.max(axis=1))

    def label_sets(
        self, probabilities: np.ndarray, classes: tuple[str, ...]
    ) -> list[tuple[str, ...]] | None:
        """Return the set of each text, the most probable label first; None without sets."""
        if self.sets is None:
            return None
        chosen = self.sets.sets(probabilities)
        return [
            tuple(classes[i] for i in np.argsort(-row, kind="stable") if inside[i])
            for row, inside in zip(probabilities, chosen, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints of the rules; {} without any."""
        found = {"abstention": self.abstention, "sets": self.sets}
        return {name: rule.to_dict() for name, rule in found.items() if rule}

    def lines(self) -> list[str]:
        """Return a line for people per rule."""
        return [rule.line() for rule in (self.abstention, self.sets) if rule]


SURE = Uncertainty()
"""Every text gets one label."""
