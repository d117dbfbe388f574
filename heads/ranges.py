"""Which values of a setting a search tries: declared at the setting's field.

    filters: Annotated[int, Range(64, 256, step=64)] = Field(128, ge=1, ...)

What a field allows is wider; a range is what is worth a trial.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic.fields import FieldInfo

Plain = bool | int | float | str


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low, high: two whole numbers, or two others.
        step: distance of neighbours, from ``low`` on; None: 1 for whole numbers, else any.
        log: whether each factor is as likely as any other, instead of each distance.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """Some values; a setting that takes several numbers has them as text, such as ``1,2,3``."""

    values: tuple[Plain, ...]


@dataclass(frozen=True)
class Stack:
    """Layers of the same width each: ``layers`` numbers, all of them ``units``."""

    layers: Range
    units: Range


Values = Range | Choice | Stack
"""Values of one setting."""


def in_words(values: Values) -> str:
    """Return values for people.

    >>> in_words(Range(1, 9, step=2)), in_words(Choice((64, 128)))
    ('1 to 9 by 2', '64, 128')
    """
    if isinstance(values, Choice):
        shown = [str(value) or "none" for value in values.values]
        return ("; " if any("," in each for each in shown) else ", ").join(shown)
    if isinstance(values, Range):
        by = f" by {values.step:g}" if values.step else ""
        return f"{values.low:g} to {values.high:g}{by}"
    return f"{in_words(values.layers)} layers of {in_words(values.units)}"


def choice(*values: Plain) -> Choice:
    """Return a choice of some values."""
    return Choice(values)


def values_of(field: FieldInfo) -> Values | None:
    """Return the values that a field declares; None: it is not searched."""
    found = [each for each in field.metadata if isinstance(each, Range | Choice | Stack)]
    return found[0] if found else None
