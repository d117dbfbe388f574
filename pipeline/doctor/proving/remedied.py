"""A case with its proven remedy in place, so that it can be measured again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pipeline.doctor.case import Case
from pipeline.doctor.commands import remedy_config
from pipeline.doctor.counterfactual import ChangedData, ChangedSettings, Rescoring, Trial
from pipeline.doctor.findings import Remedy
from pipeline.doctor.proving.tried import Tried

if TYPE_CHECKING:
    from heads.trained import TrainedHead


@runtime_checkable
class Mending(Protocol):
    """A change around a classifier of the user's own that may be what the remedy asks for."""

    mends: bool

    def in_place(self, case: Case) -> Case | None:
        """Return the case with the change in place; None where the remedy is another one."""


def proven_remedy(remedy: Remedy, proof: Tried | None) -> Remedy:
    """Return the remedy of a finding: the change that was proven, where a rule had several.

    Args:
        remedy: of the suspicion.
        proof: what confirmed it; None where nothing did.
    """
    own = None if proof is None else proof.counterfactual
    if not isinstance(own, ChangedSettings) or remedy.stops or remedy.command:
        return remedy
    shared = set(remedy.settings) & {(name, str(value)) for name, value in own.settings}
    if own.head == remedy.head and (shared or not own.settings):
        return remedy
    settings = tuple((name, str(value)) for name, value in own.settings)
    words = f"train {own.head}" if own.head else f"set {own.change}"
    return replace(remedy, words=words, settings=settings, head=own.head)


def with_remedy(case: Case, remedy: Remedy, proof: Tried) -> Case | None:
    """Return a case with a remedy in place; it has its head where the proof trained that.

    Settings and heads are changed as the remedy says, data as the proof did it. None where
    nothing here can put it in place, such as another encoder, or most code of the user's.
    """
    own = proof.counterfactual
    if not case.head:
        return own.in_place(case) if isinstance(own, Mending) else None
    changed: Case | None = None
    if isinstance(own, ChangedSettings):
        changed = _with_settings(case, remedy, own, proof.trial)
    elif isinstance(own, ChangedData) and own.expected == "rises":  # else it makes it worse
        changed = replace(own.vary(case), trained=proof.trial.trained)
    elif isinstance(own, Rescoring) and own.in_place is not None:
        changed = replace(own.in_place(case), trained=None)
    if changed is None:
        return None
    config = None if case.config is None else remedy_config(case.config, remedy)
    return replace(
        changed,
        other_seeds=(),
        diagnostics=None,
        config=config or case.config,
        seconds=case.seconds if changed.trained is None else seconds_of(changed.trained),
    )


def _with_settings(
    case: Case, remedy: Remedy, own: ChangedSettings, trial: Trial
) -> Case | None:
    asked = replace(own, settings=remedy.settings, head=remedy.head)
    made = asked.made(case)
    same = remedy.head == own.head and made == own.made(case)
    return replace(
        case,
        head=remedy.head or case.head,
        settings=made,
        tables=asked.tables(case),
        trained=trial.trained if same else None,
    )


def trained(case: Case) -> Case:
    """Return the case with its head, what belongs to that, and the seconds it took.

    A classifier of the user's own is trained already.
    """
    if not case.head:
        return case
    whole = case.with_own_head()
    assert whole.trained is not None
    return replace(whole, seconds=seconds_of(whole.trained))


def seconds_of(head: TrainedHead) -> float:
    """Return what the training of a head took: a proof may have trained more than one."""
    return sum(record.seconds for record in head.history)
