"""``manyheads features --estimate`` foresees what the command then does, and stores nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.encoders.backends.selection import FasterBackend
from pipeline.encoding.estimate import Estimate, Measured, TokenCounts
from pipeline.encoding.estimation import SampledTexts
from tests.support.cli import Command, Refusal, Run, write

TEXTS = [f"the cat sat on the mat {i} times. " + "and again " * (i % 30) for i in range(120)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write(tmp_path / "texts.csv", [["text"], *([text] for text in TEXTS), [TEXTS[0]]])


def test_an_estimate_is_what_the_command_then_does(
    corpus: Path, encoder: Path, command: Command, run: Run
) -> None:
    asked = ("features", "--data", corpus, "--encoder", encoder)
    estimate = command(*asked, "--estimate")
    assert not Path("cache").exists(), "nothing is written"
    counts = (estimate["texts"], estimate["distinct"], estimate["cached"])
    assert counts == (121, 120, 0)
    assert estimate["to_encode"] == estimate["sample"] == 120
    assert estimate["tokens_margin"] == 0, "every text was counted"
    assert estimate["speed"]["tokens_per_second"] > 0
    assert [row["workers"] for row in estimate["workers"]] == [1, 4, 16, 64]
    times = [row["seconds"] for row in estimate["workers"]]
    assert times == sorted(times, reverse=True)
    done = command(*asked)
    assert done["tokens_cut_share"] == pytest.approx(estimate["tokens_cut_share"], abs=0.01)
    assert done["truncated"] == estimate["truncated"] > 0
    stored = sum(each["bytes"] for each in command("cache")["spaces"])
    assert estimate["bytes_needed"] == pytest.approx(stored, rel=0.5), "with the index"
    warm = command(*asked, "--estimate")
    assert (warm["cached"], warm["to_encode"], warm["bytes_needed"]) == (120, 0, 0)
    assert warm["tokens"] == estimate["tokens"], "counted then, known now"
    assert warm["speed"] is None
    said = run(*asked, "--estimate").out
    assert "120 cached, 0 to encode" in said
    assert "workers" not in said


def test_what_is_asked_for_is_told_in_words(
    corpus: Path, encoder: Path, run: Run, command: Command
) -> None:
    asked = ("features", "--data", corpus, "--encoder", encoder, "--layout", "tokens")
    said = run(*asked, "--estimate", "--dtype", "int8").out
    assert "121 texts, 120 distinct: 0 cached, 120 to encode" in said
    assert "of them are beyond the 32 tokens of a text that are seen" in said
    assert "(pooled and tokens as int8)" in said
    assert "nothing was stored" in said
    whole = command(*asked[:-1], "sentences", "--estimate")
    assert (whole["truncated"], whole["tokens_cut_share"]) == (0, 0)


def test_a_mistake_is_one_line(corpus: Path, refusal: Refusal) -> None:
    assert "nothing.csv" in refusal("features", "--estimate", "--data", "nothing.csv")
    line = refusal("features", "--estimate", "--data", corpus, "--layers", "99")
    assert "layer 99 does not exist" in line


def test_a_sample_is_spread_over_all_texts_and_the_same_every_time() -> None:
    texts = [str(number) for number in range(5000)]
    sampled = SampledTexts(texts, 500)
    assert list(sampled) == texts
    numbers = np.array([int(text) for text in sampled.sample])
    assert len(set(numbers.tolist())) == 500
    assert np.histogram(numbers, bins=5, range=(0, 5000))[0].min() > 60, "100 each"
    again = SampledTexts(texts, 500)
    assert list(again) == texts
    assert again.sample == sampled.sample
    few = SampledTexts(texts[:3], 500)
    assert list(few) == few.sample == texts[:3]


def test_a_sample_stands_for_what_is_missing_and_cached_texts_are_counted() -> None:
    counts = TokenCounts(np.array([4, 20]), np.array([10, 30]), missing=100, limit=16)
    assert counts.total == 24 + 100 * 20
    assert counts.seen == 20 + 100 * 13
    assert counts.missing_tokens == 1300
    assert counts.long == 1 + 50
    assert 0 < counts.margin < 100 * 20


def test_workers_share_the_encoding_but_not_the_reading() -> None:
    speed = Measured(10, 5.0, 100.0, 3.0, ("cpu",), "torch", "float32")
    counts = TokenCounts(np.zeros(0), np.full(50, 10), missing=1000, limit=16)
    estimate = Estimate(
        1000, 1000, 1000, counts, False, 2.0, speed, (), ("pooled",), "float16", 0, None, "c", 5
    )
    assert estimate.seconds == 2 + 3 + 100
    assert estimate.seconds_of(4) == 2 + 3 + 25
    assert estimate.seconds_of(10**6) == 2 + 3 + 2, "the texts have to be read all the same"
    assert [row["workers"] for row in estimate.to_dict()["workers"]] == [1, 4, 5, 16, 64]


class _Fake:
    """A back end that does nothing."""

    name = "fake"


def test_a_long_run_tries_its_other_back_end_at_once() -> None:
    backend = FasterBackend(_Fake(), _Fake, pays_after=1000)  # type: ignore[arg-type]
    assert not backend.foresee(1e9), "nothing is known yet"
    backend._left -= 10
    assert not backend.foresee(99)
    assert backend.foresee(100)
    assert not backend.foresee(100), "once"
