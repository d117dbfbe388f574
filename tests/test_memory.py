"""Memory does not grow with the corpus."""

from __future__ import annotations

from benchmarks.memory import measure_alone


def test_features_holds_a_small_part_of_its_texts() -> None:
    letters = 5000
    few, many = (measure_alone(count, letters) for count in (6_000, 24_000))
    more = (many.texts - few.texts) * letters / 1e6
    print(f"{few.line()}\n{many.line()}\n{more:.0f} MB more texts")
    assert many.peak - few.peak < more / 3
