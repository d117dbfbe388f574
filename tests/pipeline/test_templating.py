"""Templates: every value is escaped, and nothing is left out silently."""

from __future__ import annotations

import pytest
from huggingface_hub import ModelCard
from jinja2 import UndefinedError

from pipeline.evaluation.evaluation import Score
from pipeline.models.card import _metadata
from pipeline.templating import Markdown, render

EVIL = 'a: "b"\n---\n- [x](y) | *z* <b> `#` \u4e2d'
SCORE = Score(0.81234, 0.5, (0.7, 0.9), 1000)


def test_markdown_is_escaped_unless_it_is_markdown_already() -> None:
    text = render("scores.md", scores=[(EVIL, Markdown("*own*"), SCORE)])
    row = text.splitlines()[2]
    assert row == (
        r'| a: "b" --- - \[x\](y) \| \*z\* \<b\> \`\#\` 中 | *own* | 81.2% | 50.0% '
        "| 70.0% to 90.0% | 1,000 |"
    )


def test_a_name_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="scores"):
        render("scores.md")


def test_metadata_is_yaml_whatever_the_names() -> None:
    block = _metadata(EVIL, EVIL, {"test": SCORE}, ["manyheads", "cnn"])
    data = ModelCard(f"---\n{block}\n---\n# title").data.to_dict()
    assert data["tags"] == ["manyheads", "cnn"]
    (index,) = data["model-index"]
    assert index["name"] == " ".join(EVIL.split())
    (result,) = index["results"]
    assert result["dataset"]["name"] == " ".join(EVIL.split())
    assert [each["value"] for each in result["metrics"]] == [0.8123, 0.5]
    assert "license" not in data, "only its owner can name one"
