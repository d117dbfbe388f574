"""Results of ``manyheads cache``, ``compact`` and ``collect``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from features.encoders.segmentation import LANGUAGE, language_of
from features.messages import many
from features.storage.location import Location
from features.store.collection import Removal
from features.store.compaction import Compaction
from features.store.inventory import SpaceFacts
from features.store.manifest import SpaceManifest
from features.store.quarantine import QUARANTINE
from features.vectors.spec import FeatureSpec
from pipeline.console import megabytes, one_line, table

COLUMNS = (
    "model",
    "layout",
    "layers",
    "dtype",
    "texts",
    "size",
    "shards",
    "last use",
    "probe",
)

PROMPT_SHOWN = 20
"""Characters of a prompt in the table."""


@dataclass(frozen=True)
class Listing:
    """What ``manyheads cache`` reports: the spaces, and the bytes in quarantine."""

    cache: Location
    spaces: Sequence[SpaceFacts]
    quarantined: int
    exit_code = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "cache": str(self.cache),
            "spaces": [_plain(facts) for facts in self.spaces],
            "bytes": sum(facts.size for facts in self.spaces),
            "quarantine_bytes": self.quarantined,
        }

    def to_text(self) -> str:
        """Return a table for people, the space that was used last first."""
        lines = [table(COLUMNS, map(_row, self.spaces), align="<<<<>>><<")]
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
    """What ``manyheads compact`` reports: by fingerprint the compaction and name of a space."""

    cache: Location
    spaces: dict[str, Compaction]
    names: dict[str, str]
    size_before: int
    size_after: int
    exit_code = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "cache": str(self.cache),
            "spaces": [
                {
                    "fingerprint": name,
                    "shards_before": done.shards_before,
                    "shards_after": done.shards_after,
                    "copies_removed": done.repeats,
                }
                for name, done in self.spaces.items()
            ],
            "bytes_before": self.size_before,
            "bytes_after": self.size_after,
        }

    def to_text(self) -> str:
        """Return one line per space that has changed, for people, and the sizes."""
        lines = [
            f"{self.names[name]}: {done.shards_before:,} shards joined into "
            f"{done.shards_after:,}"
            + (f", {done.repeats:,} texts stored twice removed" if done.repeats else "")
            for name, done in self.spaces.items()
            if done.repeats or done.shards_after < done.shards_before
        ]
        if not lines:
            shards = sum(done.shards_after for done in self.spaces.values())
            return (
                f"{self.cache}: nothing to join: {many(shards, 'shard')} in "
                f"{many(len(self.spaces), 'space')}, {megabytes(self.size_after)}"
            )
        sizes = f"{megabytes(self.size_before)} before, {megabytes(self.size_after)} now"
        return "\n".join([*lines, f"{self.cache}: {sizes}"])


@dataclass(frozen=True)
class Collected:
    """What ``manyheads collect`` reports: what can be removed, and whether it was."""

    cache: Location
    removals: Sequence[Removal]
    done: bool
    exit_code = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
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
        """Return one line per space, for people."""
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


def space_name(model: str, spec: FeatureSpec) -> str:
    """Return what people call a space: the encoder and the layout."""
    return f"{one_line(model or 'unknown')}, {_layout(spec)}"


def _plain(facts: SpaceFacts) -> dict[str, Any]:
    spec = facts.manifest.spec
    return {
        "fingerprint": facts.folder.name,
        "model": facts.manifest.model,
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
        "probes": {way: one.to_dict() for way, one in facts.manifest.probes.items()},
        "unpadded": facts.manifest.unpadded,
    }


def _layout(spec: FeatureSpec) -> str:
    """Return the layout, and what distinguishes the space from others of that layout."""
    words = [spec.layout]
    if spec.max_tokens:
        words.append(f"to {spec.max_tokens}")
    elif (language := language_of(spec.segmentation)) != LANGUAGE:
        words.append(language)
    if spec.prompt:
        words.append(ascii(spec.prompt[:PROMPT_SHOWN]))
    return " ".join(words)


def _row(facts: SpaceFacts) -> tuple[str, ...]:
    spec = facts.manifest.spec
    return (
        one_line(facts.manifest.model or "unknown"),
        _layout(spec),
        ",".join(map(str, spec.layers)),
        spec.dtype,
        f"{facts.texts:,}",
        megabytes(facts.size),
        f"{facts.shards:,}",
        f"{facts.last_use:%Y-%m-%d %H:%M}",
        _probe(facts.manifest),
    )


def _probe(card: SpaceManifest) -> str:
    """Return the largest difference from the reference library's vectors; - without a probe."""
    if not card.probes:
        return "-"
    largest = max(one.difference for one in card.probes.values())
    return f"{largest:.0e}, unpadded" if card.unpadded else f"{largest:.0e}"
