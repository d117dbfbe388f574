"""The learning-rate range test: what it does, what it suggests, and the command around it."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from features.errors import SettingError
from heads import learning_rate as module
from heads.learning_rate import DIVERGED, MIN_SHOWN, RangeTrainer, range_test, suggest
from heads.problem import Problem
from heads.registry import make_settings
from heads.trained import fit
from pipeline import command_line
from pipeline.cli.main import make_parser
from pipeline.cli.options import from_arguments
from pipeline.config import ExperimentConfig
from pipeline.tuning.config import LrRangeConfig
from tests.support.cli import Run
from tests.support.tables import marker_problem

SMALL = {"batch_size": 16, "filters": 16, "precision": "float32"}


def measured(problem: Problem, seed: int = 0, head: str = "cnn", **options: object):  # type: ignore[no-untyped-def]
    settings = make_settings(head, SMALL if head == "cnn" else {"units": 8, "batch_size": 16})
    return range_test(head, settings, problem, seed, **options)  # type: ignore[arg-type]


def test_the_step_sizes_rise_by_one_factor_and_are_those_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = []
    real = RangeTrainer.step

    def step(self, batch, epoch):  # type: ignore[no-untyped-def]
        result = real(self, batch, epoch)
        taken.append(self.optimizer.param_groups[0]["lr"])
        return result

    monkeypatch.setattr(RangeTrainer, "step", step)
    found = measured(marker_problem(), lowest=1e-4, highest=1e-2, steps=41)
    assert found.diverged_at is None
    assert np.allclose(found.rates, taken)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) == 41
    assert found.rates[[0, -1]] == pytest.approx([1e-4, 1e-2])
    assert np.allclose(found.rates[1:] / found.rates[:-1], 100 ** (1 / 40))


def test_it_stops_when_the_loss_diverges_and_suggests_a_rate_that_learns() -> None:
    problem = marker_problem()
    found = measured(problem)
    assert found.diverged_at == found.rates[-1] < 10
    assert found.smoothed[-1] > DIVERGED * found.smoothed.min()
    assert np.all(found.smoothed[:-1] <= DIVERGED * np.minimum.accumulate(found.smoothed[:-1]))
    assert found.losses[0] == pytest.approx(math.log(3), abs=0.4)
    assert found.rates[0] < found.suggestion < found.lowest_loss_at < found.diverged_at

    def accuracy(rate: float) -> float:
        settings = make_settings("cnn", {**SMALL, "learning_rate": rate, "epochs": 8})
        rows = problem.train, problem.validation
        table, labels = problem.table, problem.labels
        head = fit("cnn", settings, table, labels, *rows, ("a", "b", "c"), 0)
        return head.history[head.best_epoch - 1].validation_accuracy

    assert accuracy(found.suggestion) > 0.95
    assert accuracy(found.rates[0]) < 0.7


def test_the_smoothed_loss_is_an_average_of_those_so_far() -> None:
    found = measured(marker_problem(), lowest=1e-6, highest=1e-5, steps=200)
    decay = 1 - 1 / (0.05 * 200)
    weights = decay ** np.arange(199, -1, -1)
    assert found.smoothed[-1] == pytest.approx(np.average(found.losses, weights=weights))
    assert found.smoothed[0] == found.losses[0]


@pytest.mark.parametrize("head", ["cnn", "lstm"])
def test_the_seed_decides_and_the_validation_texts_do_not(head: str) -> None:
    problem = marker_problem(100)
    before = torch.random.get_rng_state()
    first = measured(problem, 3, head, steps=30)
    assert torch.equal(torch.random.get_rng_state(), before)
    labels = problem.labels.copy()
    labels[problem.validation] = 0
    again = measured(replace(problem, labels=labels), 3, head, steps=30)
    assert np.array_equal(first.losses, again.losses)
    other = measured(problem, 4, head, steps=30)
    assert not np.array_equal(first.losses[:5], other.losses[:5])


def test_a_loss_that_is_not_finite_ends_it_too() -> None:
    settings = make_settings("cnn", {**SMALL, "clip": 0})
    found = range_test("cnn", settings, marker_problem(), 0, 1e-3, 1e37, 400, diverged=math.inf)
    assert found.diverged_at == found.rates[-1] < 1e37
    assert np.isfinite(found.losses).all()
    with pytest.raises(SettingError, match=r"diverged after \d+ steps, .* lower than 1e\+35"):
        range_test("cnn", settings, marker_problem(), 0, 1e35, 1e37, 80)


def test_the_number_of_steps_is_about_an_epoch() -> None:
    texts = 16 * 160  # of which three quarters are trained on, 16 a step
    found = measured(marker_problem(texts), highest=1e-4)
    assert len(found.rates) == 120
    assert len(measured(marker_problem(60), highest=1e-4).rates) == module.MIN_STEPS


def test_the_suggestion_of_a_curve() -> None:
    rates = np.geomspace(1e-5, 10, 61)
    smoothed = np.concatenate([np.full(30, 2.0), np.linspace(2, 1, 11), np.geomspace(1, 9, 20)])
    assert suggest(rates, smoothed) == pytest.approx(rates[40] * module.SHARE)
    assert suggest(rates, np.linspace(1, 2, 61)) == rates[0], "never below the first"


@pytest.mark.parametrize(
    ("head", "options", "words"),
    [
        ("logistic", {}, "logistic takes no gradient steps"),
        ("svm", {}, "no head is called 'svm'"),
        ("cnn", {"lowest": 1.0, "highest": 0.1}, "must rise from above 0; got 1 to 0.1"),
        ("cnn", {"lowest": 0.0}, "must rise from above 0; got 0 to 10"),
        ("cnn", {"highest": math.inf}, "must rise from above 0"),
        ("cnn", {"lowest": math.nan}, "must rise from above 0"),
        ("cnn", {"steps": MIN_SHOWN - 1}, f"at least {MIN_SHOWN} steps; got {MIN_SHOWN - 1}"),
    ],
)
def test_what_cannot_be_tested_is_refused(
    head: str, options: dict[str, float], words: str
) -> None:
    settings = make_settings("cnn", SMALL)
    with pytest.raises(SettingError, match=words):
        range_test(head, settings, marker_problem(60), 0, **options)  # type: ignore[arg-type]


def test_the_command_and_the_command_that_it_gives(run: Run, data: Path, encoder: Path) -> None:
    common = ("--data", data, "--encoder", encoder, "--set", "batch_size=16", "filters=8")
    result = run("lr-range", *common, "--json").json
    assert result["head"] == "cnn"
    rates = [step["learning_rate"] for step in result["steps"]]
    assert rates == sorted(rates)
    assert {"learning_rate", "loss", "smoothed"} == set(result["steps"][0])
    assert rates[0] <= result["suggestion"] < rates[-1]
    with Image.open("lr-range.png") as image:
        assert min(image.size) > 300
    assert run("lr-range", *common, "--json").json["steps"] == result["steps"]
    words = shlex.split(result["command"])
    assert words[:2] == ["manyheads", "train"]
    assert f"learning_rate={result['suggestion']:.2g}" in words
    assert "filters=8" in words
    trained = run(*words[1:], "--set", "epochs=1", "--json").json
    assert (trained["head"], trained["encoded"]) == ("cnn", 0)
    other = ("--data", data, "--encoder", encoder, "--head", "lstm", "--set", "units=4")
    told = run("lr-range", *other, "--plot", "none", "--steps", "20", "--highest", "0.1")
    assert told.code == 0
    assert "Plot:" not in told.out
    preset = run("lr-range", *common[:4], "--preset", "A1", "--steps", "20", "--json").json
    assert preset["head"] == "cnn"
    assert "--preset A1" in preset["command"]
    assert run(*shlex.split(preset["command"])[1:], "--set", "epochs=1").code == 0
    assert "Use learning_rate=" in told.out
    assert "\nNext: manyheads train --head lstm" in told.out


def test_the_command_has_every_option_that_was_given(tmp_path: Path) -> None:
    given = {
        "--data": f"{tmp_path}/my data.csv",
        "--text-column": "body",
        "--label-column": "mood",
        "--split-column": "none",
        "--group-column": "author",
        "--split": "random",
        "--split-seed": "7",
        "--encoder": "some/encoder",
        "--layers": "-1,-2",
        "--layout": "tokens",
        "--precision": "float32",
        "--dtype": "float32",
        "--backend": "torch",
        "--devices": "cpu*2",
        "--device": "cuda:1",
        "--max-tokens": "900",
        "--language": "de",
        "--cache": "other cache",
        "--memory": "0.5",
        "--seed": "4",
        "--head": "lstm",
    }
    options = [f"{name}={value}" for name, value in given.items()]
    switches = ["--skip-empty", "--trust-remote-code", "--set", "units=4"]
    for arguments in ([*options, *switches], []):
        parsed = make_parser().parse_args(["lr-range", *arguments])
        training = from_arguments(LrRangeConfig, parsed).training
        wanted = replace(training, settings={**training.settings, "learning_rate": "0.03"})
        words = shlex.split(command_line.train_command(wanted))
        again = from_arguments(ExperimentConfig, make_parser().parse_args(words[1:]))
        assert again.to_dict() == wanted.to_dict()
    assert words == ["manyheads", "train", "--head", "cnn", "--set", "learning_rate=0.03"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--head", "logistic"), "no learning rate to find"),
        (("--plot", "plot.jpg"), "must end in .png"),
        (("--plot", "nowhere/plot.png"), "there is no folder"),
        (("--lowest", "1", "--highest", "1"), "must rise"),
        (("--lowest", "x"), "invalid float"),
        (("--steps", "2"), "at least 20 steps"),
        (("--seed", "-1"), "--seed must lie between"),
        (("--layout", "pooled"), "no time axis"),
        (("--set", "unitz=3"), "no setting 'unitz'"),
        (("--data", "nowhere.csv"), "no such file"),
        (("--preset", "Z9"), "no preset is called 'Z9'"),
        (("--preset", "B3", "--head", "cnn"), "preset B3 is one of head"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_encoded(
    run: Run, data: Path, encoder: Path, arguments: tuple[str, ...], words: str
) -> None:
    out = run("lr-range", "--data", data, "--encoder", encoder, *arguments)
    assert out.code == 2
    assert words in out.err
    assert out.err.count("\n") == 1
    assert not Path("cache").exists()


@pytest.mark.parametrize(
    "command", [("lr-range", "--steps", "20"), ("layers", "--layers", "1", "--seeds", "1")]
)
def test_weights_are_of_labels_that_the_data_has(
    run: Run, tmp_path: Path, encoder: Path, command: tuple[str, ...]
) -> None:
    """As of train: also of one that training lacks, and of no other."""
    path = tmp_path / "data.csv"
    rows = [f"text number {i},{'ab'[i % 2]},{'train' if i < 30 else 'test'}" for i in range(40)]
    path.write_text("\n".join(["text,label,split", *rows, "text of its own,rare,test"]))
    common = (*command, "--data", path, "--encoder", encoder, "--plot", "none")
    small = ("--set", "epochs=1", "filters=4")
    wrong = run(*common, *small, "class_weights=a=2,rarer=3")
    assert (wrong.code, "'rarer', which is no class" in wrong.err) == (2, True)
    assert not Path("cache").exists()
    assert run(*common, *small, "class_weights=a=2,rare=3").code == 0
