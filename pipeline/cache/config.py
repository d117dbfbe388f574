"""What ``manyheads verify`` and ``manyheads collect`` are asked to do, beside the cache."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from features.corpus.source import Source, parse_source
from features.errors import SettingError
from features.options import option

SAMPLE = 64
"""Texts compared in each space, where no number is given."""


@dataclass(frozen=True)
class VerifyConfig:
    """What to verify.

    Attributes:
        fix: move away what is bad, and write again what is derived from the rest.
        data: texts to encode again; None compares nothing.
        encoder: whose spaces to look at; None with ``data`` is the embedded one.
        sample: texts to compare in each space; None is ``SAMPLE``.
    """

    fix: bool = option(
        False, "move what is bad to CACHE/quarantine; the next run encodes just that again"
    )
    data: Source | None = option(
        None,
        "encode texts of this file again, and compare them with what is stored",
        metavar="FILE",
        parse=parse_source,
    )
    encoder: str | None = option(
        None,
        "find spaces, too, that this encoder (a folder or a hub id) filled with other weights",
        metavar="NAME",
    )
    sample: int | None = option(
        None,
        "compare N texts of --data in each space of that encoder",
        metavar="N",
        parse=int,
        otherwise=str(SAMPLE),
    )

    def __post_init__(self) -> None:
        if self.sample is not None and (self.data is None or self.sample < 1):
            raise SettingError(
                f"--sample {self.sample} takes texts of --data, at least 1; name a file"
            )


@dataclass(frozen=True)
class CollectConfig:
    """What may be removed.

    Attributes:
        data: all data sets that are still needed; () looks at none.
        older_than: spaces last used before this day, such as ``2026-01-31``, go whole.
        yes: remove; without it only what would be removed is shown.
    """

    data: tuple[Source, ...] = option(
        (),
        "keep what these data sets need: name all; texts in none of them go",
        metavar="FILE",
        parse=parse_source,
        several=tuple,
    )
    older_than: str | None = option(
        None,
        "remove spaces that were last used before this day, such as 2026-01-31, whole",
        metavar="DATE",
    )
    yes: bool = option(False, "do it; without it only what would go is shown")

    def __post_init__(self) -> None:
        if not self.data and not self.older_than:
            raise SettingError(
                "collect needs to know what may go: give --data FILE... (all data sets that "
                "are still needed), --older-than DATE, or both"
            )

    @property
    def day(self) -> datetime | None:
        """Return the beginning of the day of ``older_than``. Raises ``SettingError``."""
        if not self.older_than:
            return None
        try:
            return datetime.strptime(self.older_than, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise SettingError(
                f"--older-than takes a day such as 2026-01-31; got {self.older_than!r}"
            ) from None
