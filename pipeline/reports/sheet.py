"""A sheet for panels at fixed places, in inches: it is measured and drawn once.

A layout that fits itself would be found by drawing all but the pixels, twice. Here the caller
knows the distance of the panels; what stands around them, however long, is measured, and the
picture ends there.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import BboxBase

MARGIN = 0.1
"""Inches around everything on the sheet."""


class Sheet(Figure):
    """A figure without layout. Its own size does not matter: the picture has what is on it.

    Args:
        dpi: dots per inch.
    """

    def __init__(self, dpi: int) -> None:
        super().__init__(figsize=(1, 1), dpi=dpi)
        self._agg = FigureCanvasAgg(self)

    def panel(
        self, left: float, bottom: float, width: float, height: float, **settings: Any
    ) -> Axes:
        """Return new axes there, in inches; settings as ``Figure.add_axes`` takes them."""
        return self.add_axes((left, bottom, width, height), **settings)

    def extent(self) -> BboxBase:
        """Return what the picture must show, in inches, margin included."""
        renderer: RendererBase = self._agg.get_renderer()  # type: ignore[no-untyped-call]
        return self.get_tightbbox(renderer).padded(MARGIN)
