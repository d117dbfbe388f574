"""Texts stream: read twice at the most, never held whole, never stored under a wrong key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from features.corpus.corpus import CorpusTexts
from features.encoding.plan import plan_encoding
from features.encoding.serial import encode
from features.encoding.units import MIN_AHEAD, WorkQueue, WorkUnit, cut
from features.errors import CorpusError
from features.store.space import Space
from features.store.store import FeatureStore
from features.text.keys import text_keys
from features.vectors.ragged import slices_by_size
from tests.support.encoders import CountingEncoder, fake_vectors, spec

TEXTS = [f"text number {i} " + "word " * (i % 7) for i in range(60)]


class Source:
    """Texts that count how often they are read, and may be others the second time."""

    def __init__(self, *passes: list[str]) -> None:
        self.passes = passes
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        texts = self.passes[min(self.read, len(self.passes) - 1)]
        self.read += 1
        return iter(texts)


def opened(root: Path) -> list[Space]:
    return [FeatureStore(root).space(spec(layout)) for layout in ("pooled", "tokens")]


plan_in_parts = partial(plan_encoding, batch_texts=7)
encode_in_parts = partial(encode, unit_texts=8)


@pytest.mark.parametrize("held", [0, 1, 900, 10**6])
def test_missing_texts_are_encoded_in_order_whatever_the_plan_holds(
    tmp_path: Path, held: int
) -> None:
    first, second = CountingEncoder(), CountingEncoder()
    source = Source(TEXTS[10:20])
    spaces = opened(tmp_path)
    plan = plan_in_parts(source, spaces, held_bytes=held)
    encode_in_parts(plan, source, spaces, lambda: first)
    assert first.seen == TEXTS[10:20]
    source = Source([*TEXTS, *TEXTS[::-1]])
    spaces = opened(tmp_path)
    plan = plan_in_parts(source, spaces, held_bytes=held)
    assert (plan.distinct, plan.cached) == (60, 10)
    encode_in_parts(plan, source, spaces, lambda: second)
    assert second.seen == TEXTS[:10] + TEXTS[20:]
    assert source.read == 1 + (len(plan.held) < 50), "read again without need"
    assert (len(plan.held) < 50) == (held < 10**6)
    table = spaces[1].table(text_keys(TEXTS))
    for row, text in enumerate(TEXTS):
        assert np.array_equal(table.sequence(row), fake_vectors(text, "tokens", 8))


@pytest.mark.parametrize(
    "later",
    [[*TEXTS[:30], "another text", *TEXTS[31:]], TEXTS[:30], ["one more", *TEXTS]],
    ids=["edited", "truncated", "shifted"],
)
def test_texts_that_change_between_the_passes_are_never_stored_under_the_old_keys(
    tmp_path: Path, later: list[str]
) -> None:
    spaces, source = opened(tmp_path), Source(TEXTS, later)
    plan = plan_in_parts(source, spaces, held_bytes=0)
    with pytest.raises(CorpusError, match=r"texts changed.*and on are no longer.*run again"):
        encode_in_parts(plan, source, spaces, CountingEncoder)
    for space in opened(tmp_path):
        known = [text for text in TEXTS if not space.missing(text_keys([text]))[0]]
        assert len(known) == len(space)
        table = space.table(text_keys(known))
        for row, text in enumerate(known):
            expected = fake_vectors(text, space.spec.layout, 8)
            assert np.array_equal(table.sequence(row), expected)


def test_an_iterator_is_refused_before_it_is_used_up(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="pass a list"):
        plan_in_parts(iter(TEXTS), opened(tmp_path))


def test_a_bad_row_is_refused_before_anything_is_encoded(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("text\n" + "".join(f"{text}\n" for text in TEXTS) + "one,two\n")
    with pytest.raises(CorpusError, match="row 61: wrong number of fields"):
        plan_in_parts(CorpusTexts(path), opened(tmp_path))


def queue_of(count: int) -> WorkQueue:
    texts = [f"{i}" for i in range(count)]
    parts = slices_by_size(np.ones(count), 1, 1)
    units = cut(texts, np.arange(count), text_keys(texts), parts)
    return WorkQueue(units, look_ahead=1000)


def test_units_run_in_order_until_work_is_shared() -> None:
    queue, order = queue_of(200), []
    for unit in queue:
        order.append(int(unit.texts[0]))
        queue.shared = len(order) >= 50
    assert order[:50] == list(range(50))
    assert sorted(order) == list(range(200)), "a unit was lost or came twice"
    assert order[50:] != sorted(order[50:])


@pytest.mark.parametrize("size", [10, 10**6])
def test_looking_ahead_holds_few_texts(size: int) -> None:
    given = 0

    def source() -> Iterator[WorkUnit]:
        nonlocal given
        for i in range(500):
            given += 1
            yield WorkUnit(np.array([i]), text_keys([str(i)]), ["x" * size])

    queue, taken = WorkQueue(source(), look_ahead=1000), 0
    queue.shared = True
    most = 0
    for _ in queue:
        taken += 1
        most = max(most, given - taken)
    assert taken == 500
    bound = MIN_AHEAD if size > 1000 else 1000 // size
    assert 1 <= most < bound
