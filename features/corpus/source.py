"""Sources of a corpus: a file or folder, or a data set of the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import SettingError
from features.storage.location import Location, parse_location

HUB = "hub:"


@dataclass(frozen=True)
class HubName:
    """A data set of the Hugging Face hub, or a folder that the library ``datasets`` can read.

    Attributes:
        repo: ``owner/name``, or a folder.
        revision: a branch, tag or commit; "" for the newest.
        config: name of a configuration; "" for the only or the default one.
    """

    repo: str
    revision: str = ""
    config: str = ""

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{HUB}{self.repo}{revision}" + (f"#{self.config}" if self.config else "")

    @property
    def name(self) -> str:
        """The name for messages, without the owner."""
        return self.repo.rstrip("/").rpartition("/")[2]


Source = Location | HubName
"""What a corpus can be read from."""


def parse_source(text: str | Source) -> Source:
    """Return what a corpus is read from. Raises ``SettingError`` as ``parse_location``, or
    without a name."""
    if isinstance(text, HubName):
        return text
    if not isinstance(text, str) or not text.startswith(HUB):
        return parse_location(text)
    rest, _, config = text.removeprefix(HUB).partition("#")
    repo, _, revision = rest.partition("@")
    if not repo:
        raise SettingError(f"{text!r} names no data set; write hub:OWNER/NAME")
    return HubName(repo, revision, config)
