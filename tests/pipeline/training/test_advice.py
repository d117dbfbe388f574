"""What is worth knowing: each rule where it applies, their order, and commands that parse."""

from __future__ import annotations

import csv
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.cli.main import make_parser
from pipeline.cli.options import from_arguments
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig
from pipeline.evaluation.breakdown import Collapse
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.evaluation import Score
from pipeline.training import advice
from pipeline.training.advice import LARGER, MULTILINGUAL, Advice, Facts, advise, is_foreign
from tests.support.cli import Run
from tests.support.results import FEW, PLAIN, TIE, WORSE, trial

FACTS = Facts(
    config=ExperimentConfig(
        data=DataConfig(data=Path("my data.csv")), vectors=VectorConfig(cache=Path("c"))
    ),
    result=PLAIN,
    limit=256,
    long=40,
    foreign=False,
    unread="",
    official=False,
)


def facts(config: dict[str, object] | None = None, **result: object) -> Facts:
    """The plain facts with other settings and results."""
    return replace(
        FACTS,
        config=replace(FACTS.config, **(config or {})),  # type: ignore[arg-type]
        result=replace(PLAIN, **result),  # type: ignore[arg-type]
    )


def trains(found: Advice | None) -> ExperimentConfig:
    """The training that a command gives, on the same data and cache."""
    assert found is not None
    parsed = make_parser().parse_args(shlex.split(found.command)[1:])
    assert parsed.command == "train"
    config = from_arguments(ExperimentConfig, parsed)
    assert (config.data, config.vectors.cache) == (FACTS.config.data, Path("c"))
    return config


def command_of(found: Advice | None) -> str:
    assert found is not None
    assert make_parser().parse_args(shlex.split(found.command)[1:])
    return shlex.split(found.command)[1]


def test_few_texts_take_folds_or_more_labels() -> None:
    found = advice.few_texts(facts(test=FEW))
    assert trains(found).folds == 5
    assert found is not None
    assert "20 test texts at least, and this run has 7." in found.text
    for more in (replace(facts(test=FEW), official=True), facts({"folds": 3}, test=FEW)):
        assert advice.few_texts(more) == Advice(
            "A score takes 20 test texts at least, and this run has 7. Add labelled texts."
        )
    assert advice.few_texts(FACTS) is None


def test_a_collapse_takes_the_simplest_head_or_an_audit() -> None:
    fallen = Collapse("news", 0.99, 0.2)
    found = advice.collapsed(facts({"head": "cnn"}, collapse=fallen))
    assert found is not None
    assert "it predicts 'news' for 99.0% of the test texts, and 20.0% have" in found.text
    assert trains(found).head == "logistic"
    assert command_of(advice.collapsed(facts(collapse=fallen))) == "audit"
    assert advice.collapsed(FACTS) is None


def test_other_seeds_that_collapsed_are_told() -> None:
    some = facts({"head": "cnn"}, trainings=(trial(0), trial(1, True), trial(2, True)))
    found = advice.collapsed(some)
    assert found is not None
    assert found.text.startswith("2 of 3 trainings have collapsed")
    assert command_of(found) == "lr-range"
    assert advice.collapsed(facts(trainings=(trial(0), trial(1)))) is None


def test_near_copies_that_change_the_score_take_an_audit() -> None:
    rest = Score(0.4, 0.4, (0.3, 0.5), 100)
    found = advice.copies(facts(leaked=80, test_without_leaked=rest))
    assert found is not None
    assert found.text.startswith("Near-duplicates raise this score: 80 of 180 test texts")
    assert "the accuracy is 40.0% (30.0% to 50.0%), not 60.0%" in found.text
    assert command_of(found) == "audit"
    better = replace(rest, accuracy=0.9)
    lower = advice.copies(facts(leaked=80, test_without_leaked=better))
    assert lower is not None
    assert "lower this score" in lower.text


def test_a_score_of_copies_alone_is_named() -> None:
    found = advice.copies(facts(leaked=173, test_without_leaked=replace(FEW, accuracy=0.6)))
    assert found is not None
    assert "what the head remembers" in found.text
    same = Score(0.6, 0.6, (0.5, 0.7), 160)
    assert advice.copies(facts(leaked=20, test_without_leaked=same)) is None


@pytest.mark.parametrize(
    ("limit", "long", "tokens"), [(256, 500, 512), (256, 90, 512), (512, 9000, 4096)]
)
def test_cut_texts_take_more_tokens(limit: int, long: int, tokens: int) -> None:
    cut = replace(facts(truncated=95, tokens_cut_share=0.097), limit=limit, long=long)
    found = advice.cut_texts(cut)
    assert found is not None
    assert found.text.startswith("9.7% of all tokens are cut off: 95 texts are longer than the")
    assert trains(found).vectors.max_tokens == tokens


def test_few_cut_tokens_are_not_worth_a_word() -> None:
    assert advice.cut_texts(facts(truncated=1, tokens_cut_share=0.01)) is None
    attention = facts({"head": "attention"}, truncated=9, tokens_cut_share=0.1)
    assert trains(advice.cut_texts(attention)).preset == "LONG"
    whole = replace(facts(truncated=9, tokens_cut_share=0.1), limit=4096)
    assert advice.cut_texts(whole).command == ""  # type: ignore[union-attr]


def test_another_language_takes_an_encoder_that_reads_it() -> None:
    unread = advice.unread_language(FACTS.config.vectors.encoder, foreign=True)
    assert unread.startswith("The encoder reads English")
    found = advice.other_language(replace(FACTS, foreign=True, unread=unread))
    assert trains(found).vectors.encoder == MULTILINGUAL
    assert advice.other_language(FACTS) is None
    assert advice.unread_language("x/y", foreign=True) == ""
    assert advice.unread_language(LARGER, foreign=False) == ""


@pytest.mark.parametrize(
    ("head", "layout", "foreign", "changed"),
    [
        ("logistic", "pooled", False, {"head": "logistic", "layout": "pooled,words"}),
        ("cnn", "tokens", True, {"head": "cnn", "layout": "tokens,words"}),
        ("logistic", "words", True, {"head": "logistic", "layout": "pooled,words"}),
        ("logistic", "pooled,words", False, {"head": "attention"}),
        ("cnn", "tokens,words", False, {"head": "cnn", "encoder": LARGER}),
        ("cnn", "tokens,words", True, {"head": "cnn", "encoder": MULTILINGUAL}),
        ("knn", "pooled,words", True, {"head": "knn", "encoder": MULTILINGUAL}),
    ],
)
def test_words_that_do_better_take_vectors_that_tell_more(
    head: str, layout: str, foreign: bool, changed: dict[str, str]
) -> None:
    sets = {"filters": "9"} if head == "cnn" else {}
    worse = facts(
        {"head": head, "settings": sets, "folds": 3},
        layout=layout,
        against={"tfidf_logistic": WORSE},
    )
    config = trains(advice.words_do_better(replace(worse, foreign=foreign)))
    assert config.head == changed["head"]
    assert config.layout == changed.get("layout")
    assert config.vectors.encoder == changed.get("encoder", FACTS.config.vectors.encoder)
    assert config.folds == 3
    assert config.settings == sets
    tie = replace(worse, result=replace(worse.result, against={"tfidf_logistic": TIE}))
    assert advice.words_do_better(tie) is None
    assert advice.no_better_than_words(worse) is None
    assert trains(advice.no_better_than_words(replace(tie, foreign=foreign))) == config


def test_a_head_that_reads_words_alone_has_nothing_to_do_with_the_encoder() -> None:
    words = replace(
        facts(layout="words", truncated=95, tokens_cut_share=0.1),
        foreign=True,
        unread="The encoder reads English.",
    )
    assert advice.other_language(words) is None
    assert advice.cut_texts(words) is None
    tie = replace(words, result=replace(words.result, against={"tfidf_logistic": TIE}))
    found = advice.no_better_than_words(tie)
    assert found is not None
    assert found.text == (
        "The head is no better than words alone. Vectors beside them may tell more."
    )


@pytest.mark.parametrize(("foreign", "encoder"), [(False, LARGER), (True, MULTILINGUAL)])
def test_no_command_is_named_that_was_just_run(foreign: bool, encoder: str) -> None:
    vectors = VectorConfig(encoder=f"{encoder}@main")
    worse = facts(
        {"vectors": vectors}, layout="tokens,words", against={"tfidf_logistic": WORSE}
    )
    found = advice.words_do_better(replace(worse, foreign=foreign))
    assert found is not None
    assert found.command == ""


def test_a_wide_interval_takes_folds() -> None:
    wide = facts(test=Score(0.6, 0.6, (0.4, 0.8), 30))
    found = advice.wide_interval(wide)
    assert found is not None
    assert "With 30 test texts the score is only known to about 20 points" in found.text
    assert trains(found).folds == 5
    assert advice.wide_interval(FACTS) is None
    assert advice.wide_interval(replace(wide, official=True)) is None
    assert advice.wide_interval(facts({"folds": 5}, test=wide.result.test)) is None


def test_a_perfect_score_takes_an_audit() -> None:
    perfect = Score(1.0, 1.0, (0.97, 1.0), 180)
    assert command_of(advice.nothing_wrong(facts(test=perfect))) == "audit"
    assert advice.nothing_wrong(FACTS) is None


def test_a_score_that_needs_no_texts_is_told() -> None:
    same = Comparison(0.01, (-0.05, 0.07), beyond_noise=False)
    found = advice.nothing_learned(facts(against={"majority": same}))
    assert found is not None
    assert "not clearly better than always answering" in found.text
    assert found.command.startswith("manyheads audit")
    words = {"majority": same, "tfidf_logistic": WORSE}
    assert advice.nothing_learned(facts(against=words)) is None, "then the texts tell them"


def test_ratings_and_mistakes_are_told() -> None:
    rated = advice.ratings(facts(mean_absolute_error=0.617))
    assert rated is not None
    assert "0.62 away from the true label" in rated.text
    assert advice.ratings(FACTS) is None
    mistake = advice.frequent_mistake(FACTS)
    assert mistake is not None
    assert "6 of 26 'anger' texts are taken for 'shame'" in mistake.text
    assert advice.frequent_mistake(facts(mistake=None)) is None


def test_the_weightiest_comes_first_and_gives_the_command() -> None:
    every = facts(
        {"head": "cnn"}, test=FEW, collapse=Collapse("a", 1.0, 0.2), truncated=9,
        tokens_cut_share=0.5, against={"tfidf_logistic": WORSE}, mean_absolute_error=1.0,
    )  # fmt: skip
    told, command = advise(replace(every, foreign=True, unread="The encoder reads English."))
    begins = ("A score takes", "The head has collapsed", "50.0% of all tokens", "The encoder")
    assert all(text.startswith(begin) for text, begin in zip(told[:4], begins, strict=True))
    assert "--folds 5" in command
    assert len(told) == 4, "what a score would show is not told without one"
    assert len(advise(replace(every, result=replace(every.result, test=PLAIN.test)))[0]) > 3


def test_where_nothing_is_wrong_a_better_head_or_predict_is_next() -> None:
    def following(one: Facts) -> str:
        return advise(replace(one, result=replace(one.result, mistake=None)))[1]

    assert "train --head attention" in following(FACTS)
    named = f"predict {FACTS.result.run.name} --text"
    assert named in following(facts({"head": "cnn"}, layout="tokens"))
    folds = following(facts({"head": "cnn", "folds": 5}))
    assert "train --head cnn" in folds
    assert "--folds" not in folds


def test_letters_outside_ascii_are_not_english() -> None:
    assert is_foreign(["说话"])
    assert not is_foreign(["plain", "café and more words in English without an accent"])


def test_the_advice_stands_in_the_verdict_and_the_files(run: Run, encoder: Path) -> None:
    """Words that an encoder of random weights mixes up tell the classes."""
    names = ["red", "green", "blue", "grey", "pink"]
    rows = [[f"x{i} it is {names[i % 5]} {i * 7 % 11}", names[i % 5]] for i in range(400)]
    with Path("data.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    common = ("train", "--data", "data.csv", "--encoder", encoder, "--layout", "pooled")
    common = (*common, "--set", "c=0.001")
    out = run(*common)
    assert out.code == 0
    assert "Worse than TF-IDF + logistic regression" in out.out
    assert "\nWorth knowing: Words alone do better than this head" in out.out
    assert "C = 0.001 (1st of 1): validation accuracy" in out.err
    result = run(*common, "--json").json
    assert result["advice"][0].startswith("Words alone do better")
    assert result["against"]["tfidf_logistic"]["beyond_noise"] is True
    assert f"\nNext: {result['command']}\n" in out.out
    report = (Path(result["run"]) / "report.txt").read_text(encoding="utf-8")
    assert "- Words alone do better than this head" in report
    assert "Chosen on the validation texts: C = 0.001 (1st of 1)." in report
