"""``manyheads cache``, ``compact`` and ``collect``: what a cache holds, tidied."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from features.corpus.corpus import CorpusTexts
from features.encoders.segmentation import LANGUAGE, language_of
from features.errors import SettingError
from features.storage.location import Place, Source
from features.store.collection import Removal, collect, plan_collection
from features.store.compaction import Compaction, compact
from features.store.inventory import SpaceFacts, folder_size, inventory, open_all
from features.store.manifest import SpaceCard, existing_cache
from features.store.quarantine import QUARANTINE
from features.vectors.spec import FeatureSpec, text_keys
from pipeline.console import one_line

PROMPT_SHOWN = 20
"""Characters of a prompt in the table."""


@dataclass(frozen=True)
class Listing:
    """What ``manyheads cache`` reports: the spaces, and the bytes in quarantine."""

    cache: Place
    spaces: Sequence[SpaceFacts]
    quarantined: int
    exit_code = 0

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "cache": str(self.cache),
            "spaces": [_plain(facts) for facts in self.spaces],
            "bytes": sum(facts.size for facts in self.spaces),
            "quarantine_bytes": self.quarantined,
        }

    def to_text(self) -> str:
        """A table for people, last used first."""
        names = ("model", "layout", "layers", "dtype", "texts", "size", "shards", "last use")
        head = (*names, "probe")
        rows = [head, *(_row(facts) for facts in self.spaces)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            ).rstrip()
            for row in rows
        ]
        total = megabytes(sum(facts.size for facts in self.spaces))
        lines.append(f"{self.cache}: {len(self.spaces)} spaces, {total}")
        if self.quarantined:
            lines.append(
                f"{megabytes(self.quarantined)} in {self.cache / QUARANTINE}, moved away by "
                "verify --fix: delete it when you have looked"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Compacted:
    """What ``manyheads compact`` reports: a compaction a space, by fingerprint."""

    cache: Place
    spaces: dict[str, Compaction]
    size_before: int
    size_after: int
    exit_code = 0

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "cache": str(self.cache),
            "spaces": [
                {
                    "fingerprint": name,
                    "shards_before": done.shards_before,
                    "shards_after": done.shards_after,
                    "copies_removed": done.copies,
                }
                for name, done in self.spaces.items()
            ],
            "bytes_before": self.size_before,
            "bytes_after": self.size_after,
        }

    def to_text(self) -> str:
        """A line a space, for people."""
        lines = [
            f"{name}: {done.shards_before:,} shards -> {done.shards_after:,}"
            + (f", {done.copies:,} texts stored twice removed" if done.copies else "")
            for name, done in self.spaces.items()
        ]
        sizes = f"{megabytes(self.size_before)} -> {megabytes(self.size_after)}"
        return "\n".join([*lines, f"{self.cache}: {sizes}"])


@dataclass(frozen=True)
class Collected:
    """What ``manyheads collect`` reports: what goes, and whether it went."""

    cache: Place
    removals: Sequence[Removal]
    done: bool
    exit_code = 0

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "cache": str(self.cache),
            "removed": self.done,
            "spaces": [
                {
                    **_plain(removal.space),
                    "texts_removed": removal.texts,
                    "bytes_removed": removal.size,
                    "reason": removal.reason,
                }
                for removal in self.removals
            ],
        }

    def to_text(self) -> str:
        """A line a space, for people."""
        if not self.removals:
            return f"{self.cache}: nothing to remove"
        verb = "removed" if self.done else "would remove"
        lines = [
            f"{verb} {removal.texts:,} of {removal.space.texts:,} texts "
            f"({megabytes(removal.size)}) of {removal.space.folder.name} "
            f"({', '.join(_row(removal.space)[:3])}): {removal.reason}"
            for removal in self.removals
        ]
        if not self.done:
            lines.append("nothing was removed; repeat with --yes to do it")
        return "\n".join(lines)


def run_cache(parsed: argparse.Namespace) -> Listing:
    """List a cache."""
    cache = existing_cache(parsed.cache)
    return Listing(cache, inventory(cache), folder_size(cache / QUARANTINE))


def run_compact(parsed: argparse.Namespace) -> Compacted:
    """Compact every space of a cache."""
    cache = existing_cache(parsed.cache)
    before = folder_size(cache)
    spaces = {space.folder.name: compact(space) for space in open_all(cache)}
    return Compacted(cache, spaces, before, folder_size(cache))


def run_collect(parsed: argparse.Namespace) -> Collected:
    """Show, or with ``--yes`` remove, what no data set needs or is old."""
    cache = existing_cache(parsed.cache)
    if not parsed.data and not parsed.older_than:
        raise SettingError(
            "collect needs to know what may go: give --data FILE... (all data sets that are "
            "still needed), --older-than DATE, or both"
        )
    keep = _keys(parsed.data, parsed.text_column) if parsed.data else None
    older_than = _day(parsed.older_than) if parsed.older_than else None
    removals = plan_collection(cache, keep, older_than)
    if parsed.yes:
        collect(cache, removals, keep)
    return Collected(cache, removals, parsed.yes)


def megabytes(size: int) -> str:
    """A size for people.

    >>> megabytes(1_234_567), megabytes(56_000_000_000)
    ('1.2 MB', '56.0 GB')
    """
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def _keys(paths: Sequence[Source], text_column: str) -> np.ndarray:
    parts = [text_keys(CorpusTexts(path, text_column, skip_empty=True)) for path in paths]
    return np.unique(np.concatenate(parts))


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise SettingError(
            f"--older-than takes a day such as 2026-01-31; got {text!r}"
        ) from None


def _plain(facts: SpaceFacts) -> dict[str, Any]:
    spec = facts.card.spec
    return {
        "fingerprint": facts.folder.name,
        "model": facts.card.model,
        "layout": spec.layout,
        "layers": list(spec.layers),
        "prompt": spec.prompt,
        "max_tokens": spec.max_tokens or None,
        "segmentation": spec.segmentation,
        "dtype": spec.dtype,
        "texts": facts.texts,
        "shards": facts.shards,
        "bytes": facts.size,
        "last_use": facts.last_use.isoformat(timespec="seconds"),
        "probes": {way: one.to_dict() for way, one in facts.card.probes.items()},
        "unpadded": facts.card.unpadded,
    }


def _layout(spec: FeatureSpec) -> str:
    """The layout, with what sets this space apart from others of that layout."""
    words = [spec.layout]
    if spec.max_tokens:
        words.append(f"to {spec.max_tokens}")
    elif (language := language_of(spec.segmentation)) != LANGUAGE:
        words.append(language)
    if spec.prompt:
        words.append(ascii(spec.prompt[:PROMPT_SHOWN]))
    return " ".join(words)


def _row(facts: SpaceFacts) -> tuple[str, ...]:
    spec = facts.card.spec
    return (
        one_line(facts.card.model or "unknown"),
        _layout(spec),
        ",".join(map(str, spec.layers)),
        spec.dtype,
        f"{facts.texts:,}",
        megabytes(facts.size),
        f"{facts.shards:,}",
        f"{facts.last_use:%Y-%m-%d %H:%M}",
        _probe(facts.card),
    )


def _probe(card: SpaceCard) -> str:
    """The largest difference from the reference library's vectors; - without a probe."""
    if not card.probes:
        return "-"
    largest = max(one.difference for one in card.probes.values())
    return f"{largest:.0e}, unpadded" if card.unpadded else f"{largest:.0e}"
