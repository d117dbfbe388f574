"""Losses and class weights against answers by hand; the history stays with cross-entropy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from features.errors import SettingError
from features.vectors.table import FeatureTable
from heads.architectures.cnn import CnnHead, CnnSettings
from heads.class_weights import balanced_weights, class_weights, parse_weights
from heads.registry import make_settings
from heads.settings import TrainingSettings
from heads.training.batches import gather
from heads.training.losses import cross_entropy, focal, hardest, make_loss
from heads.training.trainer import Trainer, fit_by_steps
from tests.support.tables import marker_problem

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 3.0, 0.0]])
LABELS = torch.tensor([0, 1, 1])
WEIGHTS = torch.tensor([3.0, 1.0, 1.0])
LOGS = torch.log_softmax(LOGITS, dim=1)
EACH = -LOGS[torch.arange(3), LABELS]


def test_cross_entropy_by_hand() -> None:
    logits, labels, logs = LOGITS[:2], LABELS[:2], LOGS[:2]
    plain = float(EACH[:2].mean())
    assert float(cross_entropy(logits, labels)) == pytest.approx(plain)
    smooth = 0.7 * plain - 0.3 * float(logs.mean())
    assert float(cross_entropy(logits, labels, 0.3)) == pytest.approx(smooth)
    weighted = float(3 * EACH[0] + EACH[1]) / 4
    got = cross_entropy(logits, labels, class_weights=WEIGHTS)
    assert float(got) == pytest.approx(weighted)
    assert cross_entropy(logits.bfloat16(), labels).dtype == torch.float32


def test_focal_by_hand() -> None:
    easy = (1 - torch.exp(-EACH)) ** 2
    assert float(focal(LOGITS, LABELS, 2.0)) == pytest.approx(float((easy * EACH).mean()))
    weighted = float((WEIGHTS[LABELS] * easy * EACH).sum()) / 5
    assert float(focal(LOGITS, LABELS, 2.0, 0.0, WEIGHTS)) == pytest.approx(weighted)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_without_gamma_is_cross_entropy(weights: torch.Tensor | None) -> None:
    expected = cross_entropy(LOGITS, LABELS, 0.1, weights)
    assert float(focal(LOGITS, LABELS, 0.0, 0.1, weights)) == pytest.approx(float(expected))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_of_a_sure_answer_has_a_finite_slope(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0], [-200.0, 0.0]], requires_grad=True)
    focal(logits, torch.tensor([0, 0]), gamma).backward()
    assert bool(logits.grad.isfinite().all())
    assert float(logits.grad[1].abs().sum()) > 0.5


def test_hardest_takes_only_the_largest() -> None:
    order = EACH.sort(descending=True).values
    assert float(hardest(LOGITS, LABELS, 1)) == pytest.approx(float(order[0]))
    assert float(hardest(LOGITS, LABELS, 2)) == pytest.approx(float(order[:2].mean()))
    assert float(hardest(LOGITS, LABELS, 99)) == pytest.approx(float(EACH.mean()))
    heavy = (WEIGHTS[LABELS] * EACH).max()
    assert float(hardest(LOGITS, LABELS, 1, 0.0, WEIGHTS)) == pytest.approx(float(heavy))


def test_the_gradient_of_hardest_leaves_the_easy_texts_out() -> None:
    logits = LOGITS.clone().requires_grad_()
    hardest(logits, LABELS, 1).backward()
    touched = logits.grad.abs().sum(dim=1) > 0
    assert touched.tolist() == (EACH.max() == EACH).tolist()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("cross_entropy", cross_entropy(LOGITS, LABELS, 0.2, WEIGHTS)),
        ("focal", focal(LOGITS, LABELS, 1.5, 0.2, WEIGHTS)),
        ("hardest", hardest(LOGITS, LABELS, 2, 0.2, WEIGHTS)),
    ],
)
def test_settings_choose_the_loss(loss: str, expected: torch.Tensor) -> None:
    settings = TrainingSettings(loss=loss, focal_gamma=1.5, hardest=2, label_smoothing=0.2)
    assert torch.equal(make_loss(settings, WEIGHTS)(LOGITS, LABELS), expected)


@pytest.mark.parametrize("loss", ["focal", "hardest"])
def test_the_history_shows_ordinary_cross_entropy(loss: str) -> None:
    problem = marker_problem()
    settings = CnnSettings(
        loss=loss, hardest=2, precision="float32", dropout=0, input_dropout=0
    )
    torch.manual_seed(0)
    head = CnnHead(settings, 6, 3)
    batch = gather(problem.table, problem.train[:32])
    labels = torch.from_numpy(problem.labels[batch.rows])
    expected = float(cross_entropy(head(batch.x, batch.mask), labels).detach())
    step = Trainer(head, settings, problem, 0).step(batch, 1)
    assert step.loss == pytest.approx(32 * expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["focal", "hardest"])
def test_every_loss_learns(loss: str) -> None:
    problem = marker_problem()
    fitted = fit_by_steps(CnnHead, CnnSettings(loss=loss, batch_size=32), problem, 0)
    assert fitted.history[fitted.best_epoch - 1].validation_accuracy > 0.95


def test_balanced_weights_by_hand() -> None:
    weights = balanced_weights(np.array([0, 0, 0, 1, 3, 3]), 4)
    assert weights.tolist() == pytest.approx([6 / 9, 2.0, 0.0, 1.0])


def test_weights_by_label() -> None:
    names, labels = ("anger", "joy", "fear"), np.array([0, 1])
    assert class_weights("none", labels, names) is None
    given = class_weights("joy=2.5", labels, names)
    assert given is not None
    assert given.tolist() == [1.0, 2.5, 1.0]
    assert given.dtype == np.float32
    with pytest.raises(SettingError, match="'hope', which is no class; they are: anger, joy"):
        class_weights("hope=2", labels, names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", {"a": 1.0}),
        (" a = 1 , b=2e-1", {"a": 1.0, "b": 0.2}),
        ("oil, gas=2,a=b=3", {"oil, gas": 2.0, "a=b": 3.0}),
        ("x=1=2", {"x=1": 2.0}),
    ],
)
def test_pairs_are_read(text: str, expected: dict[str, float]) -> None:
    assert parse_weights(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "none, balanced or label=weight"),
        ("heavy", "none, balanced or label=weight, not 'heavy'"),
        ("a=1,b", "label=weight, not 'b'"),
        ("a=0", "above 0"),
        ("a=-1", "above 0"),
        ("a=1e999", "above 0"),
        ("a=1e", "above 0"),
        ("a=1,a=2", "'a' is given twice"),
    ],
)
def test_what_is_no_pair_is_refused(text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words) as caught:
        make_settings("cnn", {"class_weights": text})
    assert "for example --set class_weights=balanced" in str(caught.value)


def test_weights_by_label_reach_the_steps() -> None:
    problem = marker_problem(60)
    named = type(problem)(
        FeatureTable(problem.table.values, problem.table.offsets, "tokens"),
        problem.labels,
        problem.train,
        problem.validation,
        3,
        ("a", "b", "c"),
    )
    plain = fit_by_steps(CnnHead, CnnSettings(epochs=1), named, 0)
    even = fit_by_steps(CnnHead, CnnSettings(epochs=1, class_weights="a=1,c=1"), named, 0)
    heavy = fit_by_steps(CnnHead, CnnSettings(epochs=1, class_weights="b=9"), named, 0)
    assert np.allclose(plain.state["output.bias"], even.state["output.bias"], atol=1e-6)
    assert heavy.state["output.bias"][1] > plain.state["output.bias"][1]
