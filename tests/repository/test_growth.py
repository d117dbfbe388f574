"""The benchmark of growth: what it plants, and what it calls faster than N log N."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from benchmarks.growth.__main__ import JOBS
from benchmarks.growth.corpus import write_corpus
from benchmarks.growth.measured import growth, lines, too_fast
from benchmarks.growth.plot import draw

SIZES = (1_000, 10_000, 100_000)


def took(power: float) -> dict[int, dict[str, float]]:
    """What a job takes that grows by a power of N, with two seconds for the start."""
    return {
        size: {"seconds": 2 + size**power / 1000, "peak": 1e8 + 1000 * size} for size in SIZES
    }


def test_copies_are_planted_where_they_are_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    copies = write_corpus(path, 400)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 400
    assert len({row["label"] for row in rows}) == 10
    assert len(copies.rows) == 8
    assert copies.exact == 4
    for number, (row, source) in enumerate(zip(copies.rows, copies.sources, strict=True)):
        one, other = rows[row]["text"].split(), rows[source]["text"].split()
        changed = sum(a != b for a, b in zip(one, other, strict=True))
        assert changed == (0 if number < copies.exact else 1)


@pytest.mark.parametrize(("power", "worse"), [(0.9, False), (1.0, False), (1.5, True)])
def test_what_grows_faster_than_n_log_n_is_named(power: float, worse: bool) -> None:
    measured = {"job": took(power)}
    assert (list(too_fast(measured, "seconds")) == ["job"]) is worse
    assert too_fast(measured, "peak") == {}


def test_nothing_is_said_about_two_sizes_or_less_than_a_second() -> None:
    by_size = took(1.5)
    by_size.pop(10_000)
    assert growth(by_size, "seconds") is None
    quick = {size: {"seconds": 0.1 + size * 1e-6, "peak": 1e8} for size in SIZES}
    assert growth(quick, "seconds") is None
    unsure = {
        size: {"seconds": time, "peak": 1e8}
        for size, time in zip(SIZES, (1.9, 1.9, 4.7), strict=True)
    }
    assert growth(unsure, "seconds") is None
    exact = {size: {"seconds": size * math.log(size) / 1e5, "peak": 1e8} for size in SIZES}
    assert growth(exact, "seconds") == pytest.approx(1, rel=0.02)


def test_the_table_and_the_picture_have_every_job(tmp_path: Path) -> None:
    measured = {"verify": took(1.0), "predict": {1_000: took(1.0)[1_000]}}
    table = list(lines(measured, "seconds"))
    assert table[0].startswith("| microseconds per text; MB in all | 1,000 | 10,000 | 100,000")
    assert [line.split(" | ")[0] for line in table[2:]] == ["| verify", "| predict"]
    draw(dict.fromkeys(JOBS, took(1.0)), "seconds", tmp_path / "growth.svg")
    picture = (tmp_path / "growth.svg").read_text(encoding="utf-8")
    assert all(f"<!-- {job} -->" in picture for job in JOBS)
