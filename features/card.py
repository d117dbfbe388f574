"""SpaceCard: what ``space.json`` says of a space, for people and tools.

The spec alone makes the fingerprint. The facts beside it (the encoder's name) are only for
people; the time of the file's last change is the time of the space's last use.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from features.errors import CacheError, SettingError
from features.spec import FeatureSpec

SPACE_NAME = "space.json"
FINGERPRINT = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class SpaceCard:
    """One space.

    Attributes:
        spec: what a vector there is.
        model: the encoder's name as the user gave it; a folder's absolute path.
    """

    spec: FeatureSpec
    model: str = ""

    def to_bytes(self) -> bytes:
        """JSON: ``{"model": ..., "spec": {...}}``."""
        values = {"model": self.model, "spec": asdict(self.spec)}
        return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> SpaceCard:
        """The card that ``to_bytes`` wrote.

        Raises:
            ValueError: anything else.
        """
        try:
            values = json.loads(data)
            return cls(FeatureSpec.from_dict(values["spec"]), str(values["model"]))
        except (LookupError, TypeError, SettingError) as error:
            raise ValueError(f"no card of a space: {error}") from error


def read_card(folder: Path) -> SpaceCard:
    """The card of a space's folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no card, or one of another space.
    """
    card = SpaceCard.from_bytes((folder / SPACE_NAME).read_bytes())
    if card.spec.fingerprint != folder.name:
        raise ValueError(f"its spec has the fingerprint {card.spec.fingerprint}")
    return card


def space_folders(root: Path) -> list[Path]:
    """The folders of all spaces in a cache, by name; none where there is no cache.

    Raises:
        CacheError: the cache cannot be read.
    """
    try:
        with os.scandir(root) as entries:
            return sorted(
                Path(entry.path)
                for entry in entries
                if FINGERPRINT.fullmatch(entry.name) and entry.is_dir()
            )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CacheError(
            f"the cache folder {root} cannot be read ({error.strerror}); choose another with "
            "--cache, or change its permissions"
        ) from error


def touch(folder: Path) -> None:
    """Note that a space was used now. A cache that cannot be written keeps its old time."""
    with suppress(OSError):
        os.utime(folder / SPACE_NAME)
