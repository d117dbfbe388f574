"""The encoding stage: texts without vectors go through the encoder, once, ever.

    plan_encoding(texts, spaces)            what is cached, what is missing, how large
    check_disk(plan, root)                  refuses what would not fit
    encode(plan, texts, spaces, load)       windows of missing texts -> committed shards
    run_plan(plan, texts, spaces, executor) the same, wherever the work is done

Texts stream: planning passes over them once and keeps 16 bytes of each; encoding passes over
them again, and only where it must, so any iterable of texts will do that gives the same texts
whenever it is iterated: a list, or ``corpus.CorpusTexts``, which reads a file.

A window is one unit of work, or several where the encoder is slow (``features.encoding.pace``),
and a unit is one commit per space unless its texts lack different spaces. The small shards of a
slow run are joined at its end. Windows run in corpus order, so that a resumed run cuts the same
windows that the killed one would have; once another process is seen writing the same space they
run in random order, so that the two share the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from features.encoders.protocol import Encoder, OnBatch, PausingEncoder, backend_name
from features.encoding.bad_vectors import BadTexts
from features.encoding.job import EncodingReport, run_plan
from features.encoding.pace import CommitClock, Pace, Units
from features.encoding.plan import EncodingPlan
from features.encoding.work import WorkResult, encode_unit
from features.store.space import Space


def encode(
    plan: EncodingPlan,
    texts: Iterable[str],
    spaces: Sequence[Space],
    load: Callable[[], Encoder],
    on_batch: OnBatch = lambda texts, tokens: None,
) -> EncodingReport:
    """Encode the plan's missing texts and commit them, window by window.

    Args:
        texts: the corpus that the plan was made of; iterated unless the plan holds all that
            is missing.
        load: gives the encoder; called only if something is missing.

    Raises:
        BadVectorError: after all else was committed, if the encoder gave NaN, infinite or
            all-zero vectors; it names the texts.
        CorpusError: the texts are no longer those of the plan; earlier commits are kept.
        DiskSpaceError, CacheError: a commit failed; earlier ones are kept.
    """
    return run_plan(plan, texts, spaces, _Here(load, on_batch))


class _Here:
    """The executor of this process: one encoder, unit by unit.

    Args:
        load, on_batch: as ``encode`` takes them.
    """

    devices: tuple[str, ...] = ()
    loading = 0.0
    backend = ""

    def __init__(self, load: Callable[[], Encoder], on_batch: OnBatch) -> None:
        self._load, self._on_batch = load, on_batch

    def run(self, units: Units, spaces: Sequence[Space]) -> Iterator[WorkResult]:
        """As ``Executor``."""
        start = time.perf_counter()
        encoder = self._load()
        self.loading = time.perf_counter() - start
        pace = None if isinstance(encoder, PausingEncoder) else Pace([s.spec for s in spaces])
        clock = CommitClock()
        while True:
            for space in spaces:
                units.queue.shared |= space.refresh()
            unit = units.take(pace)
            if unit is None:
                break
            done = encode_unit(unit, spaces, encoder, self._on_batch, clock)
            if pace:
                pace.note(unit, done.encoded + len(done.bad.rows), done.seconds)
            yield done
        device = getattr(encoder, "device", None)
        self.devices = (str(device),) if device else ()
        self.backend = backend_name(encoder)

    def check(self, left: int, bad: BadTexts) -> None:
        """As ``Executor``: whatever keeps this process from encoding has raised already."""
