"""The pictures of a run, as a notebook shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from features.errors import SettingError
from features.messages import listed


@dataclass(frozen=True)
class Picture:
    """A picture of a run; a notebook shows it where it is the last value of a cell.

    Attributes:
        path: the PNG file.
    """

    path: Path

    def _repr_png_(self) -> bytes:
        return self.path.read_bytes()


def find_picture(folder: Path, name: str) -> Picture:
    """Return a picture of a run folder. Raises ``SettingError``: it has none of that name."""
    path = folder / f"{name}.png"
    if not path.exists():
        known = sorted(each.stem for each in folder.glob("*.png"))
        raise SettingError(f"the run has no picture {name!r}; it has {listed(known)}")
    return Picture(path)
