"""The same training with other texts held out, where few validation texts leave things open.

A part of the training texts, as large as the validation side, is held out in its place, and
the validation texts are learned from. So a change is compared on twice or three times as many
texts. The test side stays out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from features.errors import ManyheadsError
from heads.settings import HeadSettings
from pipeline.doctor.case import Case

MOST = 3
"""Parts that are held out in turn. Ours."""


@dataclass(eq=False)
class Parts:
    """A case with other parts held out; each is trained once, when it is asked for.

    Attributes:
        case: the run.
        most: parts at the most.
    """

    case: Case
    most: int = MOST
    _made: list[Case] | None = None
    _trained: dict[int, Case] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Return how many parts there are; 0 of code of the user's own, and of few texts."""
        return len(self._cases)

    @property
    def _cases(self) -> list[Case]:
        if self._made is None:
            self._made = list(held_out_parts(self.case, self.most)) if self.case.head else []
        return self._made

    def fresh(self, number: int) -> bool:
        """Return whether a part is still to be trained as the run was."""
        return number not in self._trained

    def trained(self, number: int) -> Case | None:
        """Return a part, trained as the run was; None where that fails."""
        if number not in self._trained:
            part = self._cases[number]
            try:
                head = part.train_again()
            except ManyheadsError:
                return None
            logits = head.logits(part.tables, part.validation, part.device)
            self._trained[number] = replace(part, trained=head, logits=logits)
        return self._trained[number]

    def with_settings(self, settings: HeadSettings) -> Iterator[tuple[Case, np.ndarray]]:
        """Yield each part, trained as the run was, with the logits of other settings."""
        for number in range(self.count):
            part = self.trained(number)
            if part is None:
                return
            try:
                head = part.train_again(settings)
            except ManyheadsError:
                return
            part.remember(settings, head)
            yield part, head.logits(part.tables, part.validation, part.device)


def held_out_parts(case: Case, most: int) -> Iterator[Case]:
    """Yield the case with other training texts held out, near-copies together; no head yet."""
    size = len(case.validation)
    groups = case.train if case.duplicates is None else case.duplicates.clusters[case.train]
    _, ids = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(case.seed).permutation(int(ids.max()) + 1)
    counts = np.bincount(ids)[order]
    place = np.empty(len(order), np.int64)
    place[order] = (np.cumsum(counts) - 1) // size
    for number in range(min(most, len(case.train) // size)):
        held = place[ids] == number
        rest = np.concatenate([case.train[~held], case.validation])
        known = rest[case.labels[rest] < len(case.classes)]
        if len(np.unique(case.labels[known])) < len(case.classes):
            continue  # a class would have no texts
        yield replace(
            case,
            train=np.sort(known),
            validation=np.sort(case.train[held]),
            trained=None,
            other_seeds=(),
            diagnostics=None,
            remembered=[],
        )
