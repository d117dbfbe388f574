"""Symbols for points: each kind has a colour and a shape, so that either alone tells it."""

from __future__ import annotations

from dataclasses import dataclass

SIZE = 4.5
"""Half of a symbol's width, in units of the drawing."""

KINDS = 8
"""Of symbols; further ones begin again."""

OUTLINES = (
    "M{l} {y}A{s} {s} 0 1 0 {r} {y}A{s} {s} 0 1 0 {l} {y}Z",  # circle
    "M{l} {t}H{r}V{b}H{l}Z",  # square
    "M{x} {t}L{r} {b}H{l}Z",  # triangle
    "M{x} {t}L{r} {y}L{x} {b}L{l} {y}Z",  # diamond
    "M{l} {t}H{r}L{x} {b}Z",  # triangle that stands on its point
    "M{l} {t}L{r} {b}M{r} {t}L{l} {b}",  # cross
    "M{x} {t}V{b}M{l} {y}H{r}",  # plus
    "M{l} {t}V{b}L{r} {y}Z",  # triangle to the right
)


@dataclass(frozen=True)
class Symbol:
    """A drawn symbol: its kind, its outline, and what a pointer reads there."""

    kind: int
    path: str
    told: str = ""


def symbol(kind: int, x: float, y: float, told: str = "") -> Symbol:
    """Return the symbol of a kind, 0, 1, ..., around a place."""
    kind %= KINDS
    size = SIZE
    places = {"x": x, "y": y, "l": x - size, "r": x + size, "t": y - size, "b": y + size}
    shown = {name: f"{value:g}" for name, value in places.items()}
    return Symbol(kind, OUTLINES[kind].format(s=f"{size:g}", **shown), told)
