"""What encoding a corpus would take: the answer of ``manyheads features --estimate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.messages import listed
from features.vectors.precision import STORED_DTYPES
from features.vectors.spec import LAYOUTS, FeatureSpec
from features.vectors.table import SENTENCES
from pipeline.console import megabytes, table
from pipeline.encoding.vectors import tokens_to_see
from pipeline.progress import duration

WORKERS = (1, 4, 16, 64)
"""Numbers of workers of a cluster that are told."""


@dataclass(frozen=True, eq=False)
class TokenCounts:
    """The tokens of all distinct texts: counted for cached ones, estimated for the others.

    Attributes:
        cached: (c,) int32, tokens of each cached text, before truncation.
        sample: (s,) int32, likewise of random missing texts.
        missing: number of missing texts, for which the sample stands.
        limit: maximum tokens of a text that the encoder sees.
    """

    cached: np.ndarray
    sample: np.ndarray
    missing: int
    limit: int

    @staticmethod
    def limit_of(specs: Sequence[FeatureSpec]) -> int:
        """Return the maximum tokens of a text that are encoded for some specs."""
        whole = any(spec.layout == SENTENCES for spec in specs)
        return np.iinfo(np.int32).max if whole else max(spec.limit for spec in specs)

    @property
    def missing_tokens(self) -> float:
        """Tokens of the missing texts that the encoder would see."""
        return self._of_missing(np.minimum(self.sample, self.limit))

    @property
    def missing_whole(self) -> float:
        """Tokens of the missing texts, before truncation."""
        return self._of_missing(self.sample)

    @property
    def total(self) -> float:
        """Tokens of all texts, before truncation."""
        return float(self.cached.sum(dtype=np.int64)) + self.missing_whole

    @property
    def seen(self) -> float:
        """Tokens of all texts that the encoder sees."""
        cached = np.minimum(self.cached, self.limit).sum(dtype=np.int64)
        return float(cached) + self.missing_tokens

    @property
    def margin(self) -> float:
        """Half the width of the 95 % interval of ``total``."""
        if len(self.sample) < 2 or len(self.sample) >= self.missing:
            return 0.0
        error = float(np.std(self.sample, ddof=1)) / float(np.sqrt(len(self.sample)))
        return 1.96 * self.missing * error

    @property
    def long(self) -> float:
        """Number of texts that are longer than the limit."""
        cached = int((self.cached > self.limit).sum())
        return cached + self._of_missing(self.sample > self.limit)

    def _of_missing(self, values: np.ndarray) -> float:
        return self.missing * float(values.mean()) if self.missing else 0.0


@dataclass(frozen=True)
class Measured:
    """The speed of the encoder on this machine.

    Attributes:
        texts: that were encoded to measure it.
        seconds: that they took.
        tokens_per_second: with all devices.
        loading: seconds until the encoder is loaded and checked.
        devices: those that would encode.
        backend: what runs the encoder; '' if unknown.
        precision: of its matrix products.
    """

    texts: int
    seconds: float
    tokens_per_second: float
    loading: float
    devices: tuple[str, ...]
    backend: str
    precision: str


@dataclass(frozen=True)
class Stored:
    """Bytes of all distinct texts in one layout and stored type."""

    layout: str
    dtype: str
    bytes: int


@dataclass(frozen=True, eq=False)
class Estimate:
    """What ``manyheads features`` would do.

    Attributes:
        texts, distinct, missing: numbers of texts: all, different ones, those to encode.
        counts: their tokens.
        sentences: whether one of the layouts is that of sentences, which cuts nothing off.
        planning: seconds to read the texts once and look them up.
        measured: the speed here; None if nothing is missing.
        stored: bytes of all texts by layout and stored type.
        layouts, dtype: what the options ask for.
        bytes_needed: bytes of the vectors that would be written.
        bytes_free: room in the cache folder; None where there is no limit.
        cache: the cache folder.
        workers: a number of workers of a cluster to tell beside the usual ones.
    """

    texts: int
    distinct: int
    missing: int
    counts: TokenCounts
    sentences: bool
    planning: float
    measured: Measured | None
    stored: tuple[Stored, ...]
    layouts: tuple[str, ...]
    dtype: str
    bytes_needed: int
    bytes_free: int | None
    cache: str
    workers: int | None = None

    @property
    def seconds(self) -> float:
        """Seconds that the command would take here."""
        return self.seconds_of(1)

    def seconds_of(self, workers: int) -> float:
        """Return the seconds with workers that are each as fast as this machine.

        The texts are read twice by one process: before the first is encoded, and meanwhile.
        """
        if self.measured is None:
            return self.planning
        tokens = self.counts.missing_whole if self.sentences else self.counts.missing_tokens
        encoding = tokens / self.measured.tokens_per_second / workers
        return self.planning + self.measured.loading + max(encoding, self.planning)

    @property
    def cut_share(self) -> float:
        """Share of all tokens, in [0, 1], that the encoder would not see."""
        return 0.0 if self.sentences else 1 - self.counts.seen / max(1.0, self.counts.total)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "texts": self.texts,
            "distinct": self.distinct,
            "cached": self.distinct - self.missing,
            "to_encode": self.missing,
            "sample": len(self.counts.sample),
            "tokens": round(self.counts.total),
            "tokens_margin": round(self.counts.margin),
            "tokens_cut_share": round(self.cut_share, 6),
            "truncated": 0 if self.sentences else round(self.counts.long),
            "seconds": round(self.seconds, 1),
            "planning_seconds": round(self.planning, 3),
            "speed": self.measured and asdict(self.measured),
            "bytes": [asdict(one) for one in self.stored],
            "layouts": list(self.layouts),
            "dtype": self.dtype,
            "bytes_needed": self.bytes_needed,
            "bytes_free": self.bytes_free,
            "workers": [
                {"workers": count, "seconds": round(self.seconds_of(count), 1)}
                for count in self._workers()
            ],
        }

    def _workers(self) -> list[int]:
        return sorted({*WORKERS, *([self.workers] if self.workers else [])})

    def to_text(self) -> str:
        """Return the lines for people."""
        lines = [
            f"{self.texts:,} texts, {self.distinct:,} distinct: "
            f"{self.distinct - self.missing:,} cached, {self.missing:,} to encode",
            self._tokens_line(),
        ]
        if self.measured:
            lines += [
                self._time_line(self.measured),
                "on a cluster (--executor ray), with workers as fast as this machine:",
                _indented(self._worker_table()),
            ]
        lines += ["space of all texts, by layout and stored type:", _indented(self._sizes())]
        lines.append(self._space_line())
        lines.append("nothing was stored; the same command without --estimate does it")
        return "\n".join(lines)

    def _tokens_line(self) -> str:
        counts = self.counts
        mean = counts.total / max(1, self.distinct)
        line = f"about {counts.total:,.0f} tokens, {mean:.1f} per text"
        if counts.margin:
            margin = counts.margin / counts.total
            line += f" (+- {margin:.1%}, from {len(counts.sample):,} random texts)"
        elif not self.missing:
            line = line.removeprefix("about ")
        if self.sentences or not counts.long:
            return f"{line}; nothing is cut off"
        known = np.concatenate([counts.cached, counts.sample])
        more = tokens_to_see(known, counts.limit)
        line += (
            f"; {self.cut_share:.1%} of them are beyond the {counts.limit:,} tokens of a text "
            f"that are seen ({counts.long / max(1, self.distinct):.1%} of the texts)"
        )
        return line + (f"; --max-tokens {more} sees more" if more > counts.limit else "")

    def _time_line(self, measured: Measured) -> str:
        by = f" with {measured.backend}" if measured.backend else ""
        on = f" on {listed(measured.devices)}" if measured.devices else ""
        return (
            f"about {duration(self.seconds)} here: {measured.tokens_per_second:,.0f} tokens "
            f"per second{on}{by} in {measured.precision}, measured on {measured.texts:,} texts "
            f"in {duration(measured.seconds)}"
        )

    def _worker_table(self) -> str:
        counts = self._workers()
        header = ["workers", *(f"{count:,}" for count in counts)]
        row = ["time", *(duration(self.seconds_of(count)) for count in counts)]
        return table(header, [row], align="<" + ">" * len(counts))

    def _sizes(self) -> str:
        sizes = {(one.layout, one.dtype): one.bytes for one in self.stored}
        rows = [
            (layout, *(megabytes(sizes[layout, dtype]) for dtype in STORED_DTYPES))
            for layout in LAYOUTS
        ]
        return table(("layout", *STORED_DTYPES), rows, align="<" + ">" * len(STORED_DTYPES))

    def _space_line(self) -> str:
        line = (
            f"to write: about {megabytes(self.bytes_needed)} into {self.cache} "
            f"({' and '.join(self.layouts)} as {self.dtype})"
        )
        if self.bytes_free is None:
            return line
        if self.bytes_needed > self.bytes_free:
            return f"{line}, and only {megabytes(self.bytes_free)} are free there"
        return f"{line}; {megabytes(self.bytes_free)} are free there"


def _indented(lines: str) -> str:
    return "\n".join(f"  {line}" for line in lines.split("\n"))
