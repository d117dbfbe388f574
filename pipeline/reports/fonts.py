"""Fonts of the pictures: labels in every script that some installed font has."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from pipeline.console import print_note
from pipeline.reports.sheet import Sheet

OWN = "DejaVu Sans"
"""Comes with matplotlib; Latin, Greek, Cyrillic and Arabic letters, and more."""

WIDE = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Arial Unicode MS",
)
"""Chinese, Japanese and Korean as well, of the usual systems."""

MISSING = "missing from font"


def families(installed: Iterable[str]) -> list[str]:
    """Where to look for a letter, in order."""
    names = set(installed)
    return [OWN, *(name for name in WIDE if name in names)]


def installed() -> list[str]:
    """Return where a text that users wrote looks for its letters, in order."""
    return families(font.name for font in fontManager.ttflist)


def save(figure: Figure, path: Path, dpi: int) -> None:
    """Write a picture; one line says so if some of its letters are in no font."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        extent = figure.extent() if isinstance(figure, Sheet) else "tight"
        figure.savefig(path, dpi=dpi, bbox_inches=extent)
    # A letter is measured and drawn, so it is warned of more than once.
    lost = {str(each.message) for each in caught if MISSING in str(each.message)}
    if lost:
        print_note(
            f"note: {path.name} shows boxes in place of letters ({len(lost)}) that no "
            "installed font has; install one of their script, such as Noto Sans CJK for Chinese"
        )
    for each in caught:
        if str(each.message) not in lost:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
