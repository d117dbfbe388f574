"""The encoding stage in this process: every text is encoded only once.

    plan_encoding(texts, spaces)            what is missing, and how large it will be
    check_disk(plan, root)                  raises an error if it does not fit
    encode(plan, texts, spaces, load)       encodes the missing texts and commits shards
    run_plan(plan, texts, spaces, executor) the same with any executor

Texts are streamed. Planning reads them once and keeps 16 bytes per text; encoding reads them
again, if necessary. So ``texts`` can be any iterable that gives the same texts every time: a
list, or ``corpus.CorpusTexts``, which reads a file.

A planned unit is one unit of work, or several if the encoder is slow and cannot pause
(``features.encoding.pace``). A unit is one commit per space, or several if the encoder pauses
or its texts are missing from different spaces. The small shards of a slow run are joined at its
end. Units run in corpus order. Once another process is seen writing to the same space, units
run in random order, so that the two processes share the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from features.encoders.protocol import Encoder, OnBatch, PausingEncoder, backend_name
from features.encoding.bad_vectors import BadTexts
from features.encoding.job import UNIT_TEXTS, EncodingReport, run_plan
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
    unit_texts: int = UNIT_TEXTS,
) -> EncodingReport:
    """Encode the missing texts of a plan and commit them, unit by unit.

    Args:
        plan: what is missing.
        texts: the corpus from which the plan was made; not read if the plan holds all missing
            texts.
        spaces: those of the plan.
        load: returns the encoder; called only if something is missing.
        on_batch: called after every batch with its numbers of texts and tokens.
        unit_texts: maximum texts per unit of work.

    Raises:
        BadVectorError: the encoder gave NaN, infinite or all-zero vectors for some texts, which
            are named; all others were committed.
        CorpusError: the texts have changed since they were planned; earlier commits stay.
        DiskSpaceError, CacheError: a commit failed; earlier commits stay.
    """
    executor = _SerialExecutor(load, on_batch)
    return run_plan(plan, texts, spaces, executor, unit_texts=unit_texts)


class _SerialExecutor:
    """The executor of this process, with one encoder.

    Args:
        load, on_batch: as for ``encode``.
    """

    devices: tuple[str, ...] = ()
    loading = 0.0
    backend = ""

    def __init__(self, load: Callable[[], Encoder], on_batch: OnBatch) -> None:
        self._load, self._on_batch = load, on_batch

    def run(self, units: Units, spaces: Sequence[Space]) -> Iterator[WorkResult]:
        """Run all units; see ``Executor.run``."""
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
        """Do nothing: whatever stops this process from encoding has raised an error already."""
