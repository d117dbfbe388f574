"""Spaces: what heads declare, files, and the published searches."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from features.errors import SettingError
from heads.ranges import Choice, Plain, Range, Stack
from heads.registry import HEADS, make_settings
from pipeline.search.config import SearchConfig, parse_budget
from pipeline.search.space import Arm, declared, draw_candidate, ends, make_space


class Dice:
    """Draws at random, and remembers the names."""

    def __init__(self) -> None:
        self.random = random.Random(0)
        self.names: set[str] = set()

    def choose(self, name: str, values: Sequence[Plain]) -> Plain:
        self.names.add(name)
        return self.random.choice(values)

    def number(self, name: str, values: Range) -> float:
        self.names.add(name)
        if isinstance(values.low, int):
            step = int(values.step or 1)
            return self.random.randrange(values.low, int(values.high) + 1, step)
        return self.random.uniform(values.low, values.high)


@pytest.mark.parametrize("head", HEADS)
def test_every_declared_value_is_one_that_the_head_takes(head: str) -> None:
    space = declared(head)
    assert space.drawn
    for name, values in space.drawn.items():
        for value in ends(values):
            make_settings(head, {name: value})


def test_the_published_searches_are_as_their_sources_have_them() -> None:
    a5 = make_space("a5", (), 7)
    assert (a5.trials, a5.repeats, a5.keep, a5.sampler) == (5, 3, 2, "random")
    cnn = a5.heads["cnn"]
    assert cnn.drawn == {
        "filters": Range(32, 512, 32),
        "kernels": Range(3, 11, 2),
        "dense": Range(64, 256, 32),
        "learning_rate": Choice((1e-2, 1e-3, 1e-4)),
    }
    own = make_settings("cnn", cnn.draw(Dice())).model_dump()
    assert len(own["kernels"]) == len(own["dense"]) == 1
    assert (own["epochs"], own["batch_norm"], own["pooling"], own["dropout"]) == (
        5,
        True,
        "flatten",
        0.4,
    )
    b6 = make_space("B6", (), 7)
    assert (b6.trials, b6.wins, b6.sampler) == (100, "loss", "random")
    assert b6.heads["lstm"].drawn == {
        "layers": Range(1, 4),
        "units": Range(8, 64),
        "dense": Stack(Range(0, 8), Range(8, 64)),
    }
    dice = Dice()
    drawn = [make_settings("lstm", b6.heads["lstm"].draw(dice)).model_dump() for _ in range(50)]
    assert {len(each["dense"]) for each in drawn} == set(range(9))
    assert {each["dense_activation"] for each in drawn} == {"tanh"}


def test_a_file_takes_the_place_of_a_heads_own_ranges(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        '[study]\ntrials = 7\nwins = "loss"\n'
        "[cnn]\nepochs = 3\nkernels = [[1, 2], [3]]\nfilters = { low = 8, high = 16 }\n"
        "learning_rate = { low = 1e-3, high = 1e-1, log = true }\n"
    )
    space = make_space(str(path), (), 2)
    assert (space.trials, space.wins, list(space.heads)) == (7, "loss", ["cnn"])
    dice = Dice()
    candidate = draw_candidate(
        dice, [Arm("cnn", "tokens", "e"), Arm("cnn", "sentences", "e")], space
    )
    assert dice.names == {"arm", "cnn.kernels", "cnn.filters", "cnn.learning_rate"}
    assert candidate.settings["epochs"] == 3
    assert "learning_rate=" in candidate.words()
    assert candidate.settings["kernels"] in ("1,2", "3")
    assert list(make_space(str(path), ("mlp",), 2).heads) == ["mlp"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[cnm]\n", "cnn"),
        ("[cnn]\nfilterz = [1]\n", "filters"),
        ("[cnn]\nfilters = [0]\n", "greater than or equal to 1"),
        ("[cnn]\nfilters = { low = 9, high = 8 }\n", "low is above high"),
        ("[cnn]\nfilters = { low = 9 }\n", "takes { low"),
        ("[cnn]\nfilters = { low = 1, high = 9, log = 3 }\n", "log"),
        ("[study]\ntrials = 0\n", "whole number"),
        ("[study]\nsampler = 'grid'\n", "tpe, random"),
        ("[study]\ntrails = 3\n", "trials"),
        ("study = 3\n", "table"),
        ("cnn = 3\n", "table"),
        ("[cnn\n", "no TOML"),
        ("[cnn]\npreset = 'B4'\n", "lstm"),
    ],
)
def test_a_wrong_file_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(SettingError, match=reason):
        make_space(str(path), (), 2)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(SettingError, match=r"A5"):
        make_space("A6", (), 2)
    assert [parse_budget(each) for each in ("10m", "90s", "1.5h", "7")] == [600, 90, 5400, 7]
    for wrong in ("", "0s", "ten", "-3m", "5d"):
        with pytest.raises(SettingError, match="--budget"):
            parse_budget(wrong)
    for options in (
        {"trials": -1},
        {"repeats": 0},
        {"seed": -1},
        {"sampler": "x"},
        {"name": "/"},
    ):
        with pytest.raises(SettingError, match=f"--{next(iter(options))}"):
            SearchConfig(**options)  # type: ignore[arg-type]
