"""``FILE.py:build``: run only where it is named, and refused on one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from features.errors import ModuleError, SettingError
from pipeline.doctor.foreign.config import parse_loop
from pipeline.doctor.foreign.source import load_function, make_builder, parse_code

GOOD = """
import torch
from beside import UNITS

def build(width, classes):
    return torch.nn.Linear(width, classes + UNITS)

def wrong(width, classes):
    return width
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("UNITS = 0\n")
    path = tmp_path / "model.py"
    path.write_text(GOOD)
    return path


def test_a_function_of_a_file_is_found(file: Path) -> None:
    for text in (f"{file}:build", str(file)):
        made = make_builder(parse_code(text), 4, 3)()
        assert isinstance(made, torch.nn.Linear)
        assert made.out_features == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [("model", "such as model.py:build"), ("nowhere.py:build", "there is no file nowhere.py")],
)
def test_what_names_no_function_is_refused(text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        load_function(parse_code(text))


def test_code_that_fails_is_told_with_its_line(file: Path) -> None:
    with pytest.raises(ModuleError, match=r"no function 'buidl'; it has build, wrong"):
        load_function(parse_code(f"{file}:buidl"))
    with pytest.raises(ModuleError, match="it returned a int"):
        make_builder(parse_code(f"{file}:wrong"), 4, 3)()
    file.write_text("x = 1\ny = x / 0\n")
    with pytest.raises(ModuleError, match=r"ZeroDivisionError.*\(model.py, line 2\)"):
        load_function(parse_code(str(file)))
    file.write_text("def build(width):\n    return 1\n")
    with pytest.raises(ModuleError, match="the function takes the width"):
        make_builder(parse_code(str(file)), 4, 3)()


def test_settings_of_the_loop() -> None:
    found = parse_loop(["epochs=3", "learning_rate=1e-2"])
    assert found == {
        "epochs": 3,
        "learning_rate": 0.01,
    }
    for pair, words in (("epoch=3", "did you mean epochs"), ("epochs=0", "above 0")):
        with pytest.raises(SettingError, match=words):
            parse_loop([pair])
