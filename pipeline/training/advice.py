"""What is worth knowing about a result, and the command to go on with.

``RULES`` are in order of weight. Each is a pure function that sees one thing; the first that
applies is what a user is told, all of them stand in the run's report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from features.encoders.description.hub import EMBEDDED_NAMES
from features.messages import many
from features.tables import join_layout, parse_layout
from features.vectors.table import POOLED, SENTENCES
from heads.registry import HEADS
from pipeline.command_line import (
    audit_command,
    lr_range_command,
    predict_command,
    train_command,
)
from pipeline.config import ExperimentConfig
from pipeline.console import short_label
from pipeline.encoding.foreign import readers_of
from pipeline.evaluation.baselines import MAJORITY, TFIDF
from pipeline.evaluation.evaluation import FEWEST_SCORED
from pipeline.evaluation.result import ExperimentResult

SIMPLEST = "logistic"

SEQUENCE_HEAD = "attention"
"""What does best over token vectors (docs/results.md)."""

LARGER = "sentence-transformers/all-mpnet-base-v2"
MULTILINGUAL = "sentence-transformers/paraphrase-multilingual-mpnet-base-v2"
"""Encoders that are larger than the embedded one, for English and for other languages."""

ENGLISH = (*EMBEDDED_NAMES, LARGER)
"""Encoders that are known to read English alone."""

SAMPLE, FOREIGN = 1000, 0.05
"""Texts looked at, and the share of their letters outside ASCII from which they count as not
English."""

CUT_SHARE = 0.05
"""Of all tokens; what is cut off is named from that share on."""

MOST_TOKENS = 4096
"""Of ``--max-tokens`` in advice: beyond it a text takes seconds."""

WIDE = 0.15
"""Length of an interval from which folds are advised, which test every text."""

FOLDS = 5

NOT_ASCII, NO_LETTER = re.compile(r"[^\x00-\x7f]"), re.compile("[^A-Za-z]+")

COPIED_SHARE = 0.5
"""Of the test texts; more with near-duplicates in training say what the head remembers."""

MORE = "Words beside them, or vectors of every token or another --encoder, may tell more."

LONGEST_LABEL = 28


@dataclass(frozen=True)
class Advice:
    """One thing worth knowing, in a sentence or two, and what to do; '' where nothing is."""

    text: str
    command: str = ""


@dataclass(frozen=True, eq=False)
class Facts:
    """What the rules look at.

    Attributes:
        config: what was asked for.
        result: what came of it, without advice.
        limit: tokens of a text that the encoder sees.
        long: tokens of the whole text that only 1 in 100 texts exceeds.
        foreign: whether the texts are not English.
        unread: in a sentence, the language that the encoder does not read; '' where it does.
        official: whether a split column gives the test texts.
    """

    config: ExperimentConfig
    result: ExperimentResult
    limit: int
    long: int
    foreign: bool
    unread: str
    official: bool

    @property
    def own(self) -> str | None:
        """Return the layout of the vectors that the head read; None: words alone."""
        return parse_layout(self.result.layout)[0]


Rule = Callable[[Facts], Advice | None]


def advise(facts: Facts) -> tuple[tuple[str, ...], str]:
    """Return what is worth knowing, the weightiest first, and the next command."""
    rules = RULES if facts.result.test.enough else UNSCORED
    found = [advice for rule in rules if (advice := rule(facts))]
    command = found[0].command if found else ""
    return tuple(advice.text for advice in found), command or next_command(facts)


def next_command(facts: Facts) -> str:
    """Return what to do where nothing is wrong: a head to use, a better head, or predict."""
    config = facts.config
    if config.folds:
        return train_command(replace(config, folds=0))
    if config.head == SIMPLEST and facts.own == POOLED and not facts.unread:
        return train_command(_other_head(config, SEQUENCE_HEAD))
    return predict_command(facts.result.run, config.vectors.cache)


def few_texts(facts: Facts) -> Advice | None:
    """Say where there are too few test texts for a score."""
    texts = facts.result.test.texts
    if facts.result.test.enough:
        return None
    text = f"A score takes {FEWEST_SCORED} test texts at least, and this run has {texts}."
    if facts.official or facts.config.folds:
        return Advice(f"{text} Add labelled texts.")
    return Advice(f"{text} Folds test every text once.", _with_folds(facts))


def collapsed(facts: Facts) -> Advice | None:
    """Say where one class is predicted for almost everything."""
    found, config = facts.result.collapse, facts.config
    if found is None:
        return _unstable(facts)
    simplest = config.head == SIMPLEST
    remedy = (
        "See with the audit whether the texts tell these labels at all."
        if simplest
        else f"Lower learning_rate, or see whether {SIMPLEST} learns these labels."
    )
    return Advice(
        f"The head has collapsed: it predicts {_label(found.label)} for "
        f"{found.predicted_share:.1%} of the test texts, and {found.label_share:.1%} have this "
        f"label. {remedy}",
        _audit(facts) if simplest else train_command(_other_head(config, SIMPLEST)),
    )


def _unstable(facts: Facts) -> Advice | None:
    """Say where other seeds or folds collapsed, and the head that is kept did not."""
    trials = facts.result.trainings
    fallen = sum(trial.collapsed for trial in trials)
    if not fallen:
        return None
    learns = not HEADS[facts.config.head].values
    return Advice(
        f"{fallen} of {len(trials)} trainings have collapsed: they predict one class for "
        "almost every text. The head is not stable with these settings; a lower learning rate "
        "may help.",
        lr_range_command(facts.config) if learns else "",
    )


def copies(facts: Facts) -> Advice | None:
    """Say where near-duplicates in training change the test score, or may do so."""
    result = facts.result
    rest = result.test_without_leaked
    told = f"{result.leaked:,} of {many(result.test.texts, 'test text')}"
    if result.leakage_matters and rest is not None and rest.enough:
        verb = "raise" if rest.accuracy < result.test.accuracy else "lower"
        return Advice(
            f"Near-duplicates {verb} this score: {told} have one among the training texts. "
            f"Without them the accuracy is {rest.told}, not {result.test.accuracy:.1%}.",
            _audit(facts),
        )
    if result.leaked < COPIED_SHARE * result.test.texts:
        return None
    return Advice(
        f"{told} have a near-duplicate among the training texts, so the score says what the "
        "head remembers rather than what it has learned.",
        _audit(facts),
    )


def cut_texts(facts: Facts) -> Advice | None:
    """Say where much of the texts is not seen, with the option that sees more."""
    result, config = facts.result, facts.config
    if result.tokens_cut_share < CUT_SHARE or facts.own in (None, SENTENCES):
        return None
    text = (
        f"{result.tokens_cut_share:.1%} of all tokens are cut off: "
        f"{many(result.truncated, 'text is', 'texts are')} longer than the {facts.limit} "
        "tokens that are seen."
    )
    if facts.limit >= MOST_TOKENS:
        return Advice(text)
    wanted = min(MOST_TOKENS, 2 ** (max(facts.long, facts.limit + 1) - 1).bit_length())
    changed = replace(config, vectors=replace(config.vectors, max_tokens=wanted))
    if config.head == SEQUENCE_HEAD and not config.settings:
        changed = replace(changed, preset="LONG")
    return Advice(f"{text} --max-tokens sees more of them.", train_command(changed))


def other_language(facts: Facts) -> Advice | None:
    """Say where an English encoder reads other languages."""
    if not facts.unread or facts.own is None:
        return None
    config, found = facts.config, facts.result.foreign
    encoder = readers_of(found.language)[0] if found else MULTILINGUAL
    vectors = replace(config.vectors, encoder=encoder, layers=None, max_tokens=None)
    text = f"{facts.unread[:1].upper()}{facts.unread[1:]}."
    return Advice(text.replace("..", "."), train_command(replace(config, vectors=vectors)))


def nothing_learned(facts: Facts) -> Advice | None:
    """Say where the score is one that needs no texts at all."""
    found, words = (facts.result.against.get(name) for name in (MAJORITY, TFIDF))
    if found is None or found.better or (words is not None and words.worse):
        return None
    return Advice(
        "The head is not clearly better than always answering the most frequent label. See "
        "whether the label column is the right one, and with the audit whether the texts tell "
        "these labels.",
        _audit(facts),
    )


def words_do_better(facts: Facts) -> Advice | None:
    """Say where TF-IDF does better beyond noise, with what to change."""
    words = facts.result.against.get(TFIDF)
    if words is None or not words.worse:
        return None
    text = "Words alone do better than this head on its vectors."
    if facts.own is None:
        text = "TF-IDF with logistic regression does better than this head on its words."
    return Advice(f"{text} {_more(facts)}", _better_vectors(facts))


def wide_interval(facts: Facts) -> Advice | None:
    """Say where the score is known too roughly to compare anything with it."""
    low, high = facts.result.test.accuracy_interval
    if high - low < WIDE or facts.official or facts.config.folds or facts.config.split_of:
        return None
    points = 100 * (high - low) / 2
    return Advice(
        f"With {many(facts.result.test.texts, 'test text')} the score is only known to about "
        f"{points:.0f} points either way. Folds test every text once and tell it more closely.",
        _with_folds(facts),
    )


def nothing_wrong(facts: Facts) -> Advice | None:
    """Say where a score is too good to be believed unread."""
    if facts.result.test.accuracy < 1:
        return None
    return Advice(
        "Every test text is labelled rightly. See with the audit whether something in the "
        "texts gives the label away that will not be there later.",
        _audit(facts),
    )


def no_better_than_words(facts: Facts) -> Advice | None:
    """Say where the vectors give no more than words do."""
    words = facts.result.against.get(TFIDF)
    if words is None or words.beyond_noise:
        return None
    text = f"The head is no better than words alone. {_more(facts)}"
    return Advice(text, _better_vectors(facts))


def ratings(facts: Facts) -> Advice | None:
    """Say that the order of ratings is not used."""
    error = facts.result.mean_absolute_error
    if error is None:
        return None
    return Advice(
        "The labels are whole numbers, and their order is not used: 1 taken for 5 counts as "
        f"wrong as 4 taken for 5. On average a prediction is {error:.2f} away from the true "
        "label (mean absolute error)."
    )


def frequent_mistake(facts: Facts) -> Advice | None:
    """Say which labels are confused most."""
    found = facts.result.mistake
    if found is None:
        return None
    return Advice(
        f"The most frequent mistake: {found.count:,} of {found.texts:,} {_label(found.label)} "
        f"texts are taken for {_label(found.predicted)}. errors.jsonl beside the report lists "
        "every mistake."
    )


UNSCORED: tuple[Rule, ...] = (few_texts, collapsed, copies, cut_texts, other_language)
"""Rules that hold without a score."""

RULES: tuple[Rule, ...] = (
    *UNSCORED,
    words_do_better,
    nothing_learned,
    wide_interval,
    nothing_wrong,
    no_better_than_words,
    ratings,
    frequent_mistake,
)
"""The weightiest first."""


def is_foreign(texts: Sequence[str]) -> bool:
    """Return whether texts are not English, by their letters."""
    sample = "".join(texts[:SAMPLE])
    foreign = sum(map(str.isalpha, NOT_ASCII.findall(sample)))
    english = len(NO_LETTER.sub("", sample))
    return foreign > FOREIGN * (foreign + english)


def unread_language(encoder: str, foreign: bool) -> str:
    """Return in a sentence what an encoder does not read; '' where it may read the texts.

    Args:
        encoder: its name.
        foreign: whether the texts are not English.
    """
    if not foreign or encoder.partition("@")[0] not in ENGLISH:
        return ""
    return (
        "The encoder reads English, and many of the texts are in another language. An encoder "
        "that was trained on many languages may do much better."
    )


def _label(label: str) -> str:
    return f"'{short_label(label, LONGEST_LABEL)}'"


def _audit(facts: Facts) -> str:
    return audit_command(facts.config.data, facts.config.vectors)


def _more(facts: Facts) -> str:
    return MORE if facts.own else "Vectors beside them may tell more."


def _with_folds(facts: Facts) -> str:
    return train_command(replace(facts.config, folds=FOLDS))


def _other_head(config: ExperimentConfig, head: str) -> ExperimentConfig:
    return replace(config, head=head, preset=None, layout=None, settings={})


def _better_vectors(facts: Facts) -> str:
    """Return the same training with one thing changed: words beside the vectors or vectors
    beside words, or else the head, or else the encoder; '' where the encoder is the one that
    would be named.

    Words cost least, then a head over token vectors. That does not help where the encoder may
    not know the language.
    """
    config = facts.config
    encoders = [name.partition("@")[0] for name in config.vectors.encoders]
    _, reads_words = parse_layout(facts.result.layout)
    if not reads_words or facts.own is None:
        beside = facts.own or HEADS[config.head].layouts[0]
        return train_command(replace(config, layout=join_layout(beside, True)))
    if facts.own == POOLED and (not facts.foreign or MULTILINGUAL in encoders):
        return train_command(_other_head(config, SEQUENCE_HEAD))
    larger = MULTILINGUAL if facts.foreign else LARGER
    if larger in encoders:
        return ""
    vectors = replace(config.vectors, encoder=larger, layers=None, max_tokens=None)
    return train_command(replace(config, vectors=vectors))
