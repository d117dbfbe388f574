"""Names of encoders: of one, or of several joined by commas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from features.encoders.description.hub import EMBEDDED
from features.errors import SettingError


def join_names(given: str | Sequence[str]) -> str:
    """Return what ``--encoder`` was given, once or several times, as one text.

    >>> join_names(["all-MiniLM-L6-v2", "owner/name"])
    'all-MiniLM-L6-v2,owner/name'
    """
    return given if isinstance(given, str) else ",".join(given) or EMBEDDED


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in a text; a folder may have a comma in its own name.

    Raises:
        SettingError: a name is empty or stands twice.
    """
    if "," not in text or Path(text).is_dir():
        return (text,)
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise SettingError(f"--encoder has an empty name between its commas: {text!r}")
    for name in names:
        if names.count(name) > 1:
            raise SettingError(
                f"--encoder names {name!r} twice; its vectors beside themselves tell nothing "
                "more: name each encoder once"
            )
    return names
