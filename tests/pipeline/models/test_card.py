"""The model card tells no score of few texts."""

from __future__ import annotations

from pipeline.evaluation.evaluation import Score
from pipeline.models.card import _metadata
from pipeline.templating import render


def test_a_card_has_no_score_of_few_texts() -> None:
    few, enough = Score(1.0, 1.0, (0.2, 1.0), 1), Score(0.5, 0.4, (0.4, 0.6), 100)
    rows = render("scores.md", scores=[("test", "cnn", few), ("test", "cnn", enough)])
    assert "| test | cnn | - | - | too few texts (1) for a score | 1 |" in rows
    assert "| test | cnn | 50.0% | 40.0% | 40.0% to 60.0% | 100 |" in rows
    assert "value: 0.5" in _metadata("m", "d", {"test": enough}, tags=[])
    assert "value:" not in _metadata("m", "d", {"test": few}, tags=[])
