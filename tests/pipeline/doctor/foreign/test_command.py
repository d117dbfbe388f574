"""``manyheads doctor --module``, ``--controls`` and ``--gains``, as a user types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Command, Refusal, Run

SICK = Path(__file__).resolve().parents[4] / "examples" / "sick"


@pytest.fixture
def module(run: Run, data: Path, tiny_models: dict[str, Path], tmp_path: Path) -> Run:
    """Examine a module of ``examples/sick`` on ``data`` with a tiny encoder."""

    def call(name: str, *arguments: object) -> object:
        given = ("--module", f"{SICK / name}.py:build", "--data", data)
        encoder = ("--encoder", tiny_models["bert"], "--cache", tmp_path / "cache")
        return run("doctor", *given, *encoder, *arguments)

    return call  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "cause"), [("squashed", "output_squashed"), ("padding", "batch_dependence")]
)
def test_the_sick_examples_are_diagnosed(module: Run, name: str, cause: str) -> None:
    told = module(name, "--no-prove", "--set", "epochs=2", "batch_size=16", "--json")
    assert f"running {SICK / name}.py as it is, because --module names it" in told.err
    found = told.json["findings"][0]
    assert (found["cause"], found["certainty"]) == (cause, "measured")
    assert told.json["examined"].endswith(f"{name}.py:build")


def test_a_finding_ends_scripts_with_3(module: Run) -> None:
    told = module("padding", "--strict", "--no-prove", "--set", "epochs=1")
    assert told.code == 3
    assert told.out.startswith("Your module gives a text another answer")
    assert len(told.out.splitlines()) <= 7


def test_what_does_not_fit_is_refused_in_one_line(
    refusal: Refusal, module: Run, run: Run, tmp_path: Path
) -> None:
    assert "there is no file" in refusal("doctor", "--module", tmp_path / "none.py")
    assert "such as model.py:build" in refusal("doctor", "--module", "model")
    assert "are for --module" in refusal("doctor", "--encoder", "other")
    loop = tmp_path / "loop.py"
    loop.write_text("def fit(module, x, mask, labels):\n    pass\n")
    assert "name that too" in refusal("doctor", "--loop", f"{loop}:fit")
    assert "no function 'train'" in module("padding", "--loop", f"{loop}:train").refusal
    assert "cured in its code" in module("padding", "--cure").refusal
    assert "need a run" in module("padding", "--gains").refusal
    broken = tmp_path / "broken.py"
    broken.write_text("def build(width, classes):\n    return width.size\n")
    cache = tmp_path / "empty"
    told = run("doctor", "--module", f"{broken}:build", "--cache", cache)
    assert "AttributeError" in told.refusal
    assert not cache.exists()  # nothing was encoded first


def test_controls_and_gains_of_a_run(train: Command, run: Run) -> None:
    folder = train("cnn", "--seed", 3)["run"]
    told = run("doctor", folder, "--no-prove", "--controls", "--gains", "--json").json
    assert [each["name"] for each in told["controls"]["controls"]] == [
        "in order",
        "shuffled",
        "averaged",
        "mlp",
        "logistic",
    ]
    names = {each["name"] for each in told["gains"]["gains"]}
    assert {"texts", "members", "words", "layer"} <= names
    assert all(each["how"] for each in told["gains"]["gains"])


def test_controls_need_a_sequence(train: Command, run: Run) -> None:
    folder = train("logistic")["run"]
    assert "reads none" in run("doctor", folder, "--controls").refusal
