"""Commands to copy: they give the configuration again, as manyheads and as make take them."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from features.corpus.corpus import Columns
from pipeline.cli.main import make_parser
from pipeline.cli.options import from_arguments
from pipeline.command_line import (
    FROM_MAKE,
    VARIABLES,
    audit_command,
    lr_range_command,
    make_form,
    predict_command,
    train_command,
)
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"
CONFIG = ExperimentConfig(
    data=DataConfig(data=Path("my data.csv"), columns=Columns(group="author"), split_seed=3),
    vectors=VectorConfig(cache=Path("c"), max_tokens=900),
    head="cnn",
    settings={"filters": "9"},
    folds=3,
    seeds=2,
    runs=Path("elsewhere"),
)


def parsed(command: str):  # type: ignore[no-untyped-def]
    return make_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, head="cnn", preset="A1")])
def test_a_training_is_given_again(config: ExperimentConfig) -> None:
    assert from_arguments(ExperimentConfig, parsed(train_command(config))) == config


def test_other_commands_take_what_they_know() -> None:
    assert str(parsed(audit_command(CONFIG.data, CONFIG.vectors)).data) == "my data.csv"
    several = replace(CONFIG.vectors, encoder="one,two")
    assert "--encoder one --" in audit_command(CONFIG.data, several)
    assert parsed(lr_range_command(CONFIG)).set == ["filters=9"]
    told = parsed(predict_command(CONFIG.runs / "1-cnn", CONFIG.vectors.cache))
    assert (told.run, str(told.runs), str(told.cache)) == ("1-cnn", "elsewhere", "c")
    usual = predict_command(Path("runs/1-cnn"), Path("cache"))
    assert usual.count("--") == 1
    assert make_form(usual) == "make predict RUN=1-cnn TEXT='a text of yours'"


def from_make(command: str) -> str:
    """What make would run."""
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/.runtime", *shlex.split(command)[1:]],
        cwd=MAKEFILE.parent,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    return next(line for line in done.stdout.splitlines() if "/manyheads " in line)


def test_the_form_of_make_runs_the_same_command() -> None:
    config = replace(CONFIG, data=replace(CONFIG.data, columns=Columns(text="the text")))
    form = make_form(train_command(config))
    assert form.startswith("make train HEAD=cnn")
    assert "DATA='my data.csv'" in form
    again = shlex.split(from_make(form))
    assert from_arguments(ExperimentConfig, make_parser().parse_args(again[1:])) == config


def test_what_make_would_read_otherwise_stays_as_it_is() -> None:
    command = "manyheads train --data 'cost $5.csv'"
    assert make_form(command) == command
    assert make_form("manyheads heads") == "manyheads heads"


def test_the_makefile_has_the_variables_and_says_that_it_is_make() -> None:
    text = MAKEFILE.read_text(encoding="utf-8")
    for target, names in VARIABLES.items():
        recipe = re.search(rf"^{target}:.*\n\t(.*)", text, re.MULTILINE)
        assert recipe is not None
        options = recipe[1].replace("$(CORPUS)", "$(DATA)")
        options = options.replace("$(ENCODING)", "$(ENCODER) $(LAYOUT) $(CACHE)")
        assert all(
            f"({name.upper()}" in options or f"${name.upper()}" in options for name in names
        )
    (line,) = re.findall(rf"^(.*): export {FROM_MAKE} := 1$", text, re.MULTILINE)
    assert set(VARIABLES) < set(line.split())
