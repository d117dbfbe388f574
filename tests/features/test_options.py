"""A field of a frozen dataclass is the one definition of an option."""

from __future__ import annotations

import argparse
import inspect
import re
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from sklearn.base import clone

from features import EncoderOptions, FeatureEncoder, VectorOptions, encode, load_encoder
from features.errors import SettingError
from features.options import (
    NONE,
    Option,
    Options,
    from_values,
    option,
    options_of,
    required_option,
    to_values,
)
from pipeline.cli import options
from pipeline.cli.main import make_parser
from pipeline.cli.options import add_options, from_arguments
from pipeline.command_line import words_of
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig


@dataclass(frozen=True)
class Soup(Options):
    """Something with every kind of option."""

    salt: float = option(0.5, "how much", metavar="G", parse=float)
    kind: str = option("thick", "which", choices=("thick", "thin"))
    spoon: str | None = option("wood", "made of", name="spoon_of", none=True)
    hot: bool = option(False, "serve it hot")
    toppings: dict[str, int] = option({}, "counts of", metavar="NAME", several=Counter)
    spicy: int | None = option(None, "spoons of pepper", parse=int, bare=3)
    bowl: str = required_option("serve in")


def parsed(*arguments: str) -> Soup:
    """Return the soup of a command line."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, Soup)
    return from_arguments(Soup, parser.parse_args(arguments))


def test_a_field_is_the_option_of_the_command_line() -> None:
    bowl = "--bowl=blue"
    assert parsed(bowl) == Soup(bowl="blue")
    assert Soup(bowl="blue").toppings is not Soup(bowl="blue").toppings
    assert parsed(bowl, "--salt=2", "--kind", "thin", "--spoon-of", "none", "--hot") == Soup(
        2.0, "thin", None, True, bowl="blue"
    )
    several = parsed(bowl, "--toppings", "leek", "dill", "--spicy", "--toppings", "dill")
    assert (several.toppings, several.spicy) == ({"leek": 1, "dill": 2}, 3)
    assert parsed(bowl, "--spicy=1").spicy == 1
    with pytest.raises((SystemExit, argparse.ArgumentError)):
        parsed()
    assert [each.help for each in options_of(Soup)] == [
        "how much (default: 0.5)",
        "which (default: thick)",
        "made of (default: wood)",
        "serve it hot",
        "counts of",
        "spoons of pepper",
        "serve in",
    ]


def test_values_are_checked_wherever_they_come_from() -> None:
    with pytest.raises(SettingError, match="unknown --kind 'clear'; choose one of thick, thin"):
        Soup(kind="clear", bowl="blue")
    with pytest.raises(SettingError, match="unknown --kind 'clear'"):
        from_values(Soup, {"kind": "clear", "bowl": "blue"})


def other(each: Option) -> object:
    """Return a value of an option that is not its default."""
    if each.none:
        return NONE
    if each.choices:
        return each.choices[-1]
    if each.default is False:
        return True
    return {"devices": "cpu", "language": "de", "encoding": "big5"}.get(
        each.name
    ) or each.parse("9")


@pytest.mark.parametrize("config", [DataConfig, VectorConfig])
def test_the_words_of_a_configuration_give_it_again(
    config: type[DataConfig | VectorConfig],
) -> None:
    for each in options_of(config):
        values = {**to_values(config()), each.name: other(each)}
        changed = from_values(config, values)
        assert changed != config(), each.name
        words = words_of(changed)
        assert words[0].partition("=")[0] == each.flag
        again = from_arguments(config, make_parser().parse_args(["train", *words]))
        assert again == changed


def test_every_option_of_the_encoder_and_the_data_has_words() -> None:
    options = list(options_of(ExperimentConfig))
    assert len({each.flag for each in options}) == len(options) > 20
    assert all(each.words for each in options)


def test_the_keywords_of_python_are_the_fields() -> None:
    vectors = {each.name: each.default for each in fields(VectorOptions)}
    loading = {each.name: each.default for each in fields(EncoderOptions)}
    for function, wanted in (
        (encode, vectors),
        (load_encoder, loading),
        (FeatureEncoder, {**vectors, **loading}),
    ):
        known = inspect.signature(function).parameters
        assert {name: known[name].default for name in wanted} == wanted
    encoder = FeatureEncoder(max_tokens=900, language="de")
    assert {**vectors, **loading, "max_tokens": 900, "language": "de"}.items() <= (
        clone(encoder).get_params().items()
    )
    assert encoder.set_params(language="zh").language == "zh"
    for wrong in (FeatureEncoder, load_encoder):
        with pytest.raises(TypeError, match="unexpected keyword argument 'max_token'"):
            wrong(max_token=900)


def test_commands_define_no_options_of_their_own() -> None:
    """An option is a field, except for some of ``predict``."""
    folder = Path(options.__file__).parent / "commands"
    own = {
        path.stem
        for path in folder.rglob("*.py")
        if re.search(r'add_argument\(\s*"--', path.read_text(encoding="utf-8"))
    }
    assert own <= {"predict"}
