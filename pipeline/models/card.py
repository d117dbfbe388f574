"""The model card: what a model folder's reader must know before using it, as Markdown."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.encoders.segmentation import language_of
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES, TOKENS
from heads.trained import TrainedHead
from pipeline.evaluation.baselines import BASELINE_NAMES
from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.result import ExperimentResult
from pipeline.runs.reader import read_config, read_metrics, read_predictions
from pipeline.runs.run_config import RunConfig
from pipeline.runs.training_texts import TRAINING, read_training

CARD = "README.md"

SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&])")
"""Characters that would be markup; a backslash makes each a letter like any other."""


REFIT = (
    " Once chosen, the head learned from the validation texts too; its validation score is "
    "from before that."
)

KEPT_VECTORS = (
    "**Training texts.** The files hold a vector of every training text, from which much of "
    "it can be guessed; share them as you would the texts."
)

MEANINGS = {
    POOLED: "one vector a text",
    TOKENS: "one vector a token",
    SENTENCES: "one vector a sentence",
}


@dataclass(frozen=True)
class Facts:
    """What a run folder says of its data and results.

    Attributes:
        config: what the run was asked for.
        metrics: its results.
        counts: texts of each label, by side of the head's own split: ``train``,
            ``validation``, ``test``.
    """

    config: RunConfig
    metrics: ExperimentResult
    counts: Mapping[str, Counter[str]]


def read_facts(folder: Path) -> Facts:
    """What a run folder says of itself. Raises ``DamagedFileError``."""
    held_out = read_predictions(folder).select(["side", "label", "fold"]).to_pylist()
    first = min((row["fold"] for row in held_out), default=0)  # the run folder holds its head
    counts = {"train": Counter(read_training(folder / TRAINING).labels)}
    for side in ("validation", "test"):
        counts[side] = Counter(
            row["label"] for row in held_out if row["side"] == side and row["fold"] == first
        )
    metrics = read_metrics(folder)
    if metrics.refit:  # then the head learned from these too, in the end
        counts["train"] -= counts["validation"]
    return Facts(read_config(folder), metrics, counts)


def model_card(
    head: TrainedHead, spec: FeatureSpec, encoder: str, facts: Facts, folder: str
) -> str:
    """The card.

    Args:
        head: the trained head.
        spec: of the vectors it takes.
        encoder: its name, for people.
        facts: of its run.
        folder: the name of the model folder, for the examples.
    """
    parts = [
        f"# {head.head} over {escape(encoder)}: one of {len(head.classes)} labels for a text",
        "A light classifier over the vectors of a frozen text encoder, trained with manyheads. "
        f"{head.parameters:,} parameters; it takes the layout {head.layout} "
        f"({MEANINGS[head.layout]}) of width {head.width}.",
        _files(),
        "## Results",
        *_results(head, facts),
        "## Data",
        *_data(head, facts),
        "## Limits",
        _limits(head, spec, encoder, facts),
        "## Use",
        *_use(head, spec, encoder, folder),
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Any text as one line of Markdown that shows it as it is."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _files() -> str:
    rows = [
        ("`head.safetensors`", "the weights, for manyheads"),
        ("`head.onnx`", "the same head for any ONNX runtime: vectors in, logits out"),
        ("`model.json`", "labels in the order of the logits, temperature, the encoder"),
    ]
    return table(("file", "what it holds"), rows)


def _results(head: TrainedHead, facts: Facts) -> list[str]:
    metrics = facts.metrics
    uncopied = metrics.test_without_copies if metrics.copied else None
    rows = [
        ("validation", head.head, metrics.validation),
        ("test", head.head, metrics.test),
        ("test, but near-copies of training", head.head, uncopied),
        *(
            ("test", BASELINE_NAMES.get(name, escape(name)), each)
            for name, each in metrics.baselines.items()
        ),
    ]
    cells = [
        (side, name, *score_cells(score)) for side, name, score in rows if score is not None
    ]
    return [
        table(("side", "model", "accuracy", "95 % interval", "macro-F1", "texts"), cells),
        "The intervals say how far the accuracy would move with other texts of the same kind "
        f"(Wilson). {_repeats(facts)}",
    ]


def _repeats(facts: Facts) -> str:
    """How far another training would move the score, as far as the run knows."""
    metrics = facts.metrics
    seed = facts.config.resolved.seed
    parts = []
    if metrics.over_folds:
        parts.append(
            f"The scores are those of {metrics.folds} heads, each on the texts of its fold, "
            "which it did not learn from; this folder holds the first of them."
        )
    if metrics.over_seeds:
        spread = metrics.over_seeds.accuracy
        low, high = spread.interval
        parts.append(
            f"Over {metrics.seeds} seeds the mean test accuracy is {spread.mean:.1%}, "
            f"95 % interval {low:.1%} to {high:.1%}; this head, of seed {seed}, is the one "
            "that validates best."
        )
    else:
        parts.append(f"The head is of seed {seed}; another seed would move the score too.")
    return " ".join(parts)


def score_cells(score: Score) -> tuple[str, str, str, str]:
    """Accuracy, interval, macro-F1 and texts of a score, as cells of a table."""
    low, high = score.accuracy_interval
    return (
        f"{score.accuracy:.1%}",
        f"{low:.1%} to {high:.1%}",
        f"{score.macro_f1:.1%}",
        f"{score.texts:,}",
    )


def _data(head: TrainedHead, facts: Facts) -> list[str]:
    data, counts = facts.config.data, facts.counts
    digest = facts.config.resolved.corpus_digest
    train, validation, test = (f"{sum(counts[side].values()):,}" for side in counts)
    labels = [*head.classes, *sorted(set(counts["test"]) - set(head.classes))]
    found = {each.label: each.f1 for each in facts.metrics.classes}
    rows = [
        (
            escape(label),
            *(f"{counts[side][label]:,}" for side in counts),
            f"{f1:.1%}" if (f1 := found.get(label)) is not None else "",
        )
        for label in labels
    ]
    notes = [f"- {escape(note)}" for note in facts.metrics.notes]
    return [
        f"{escape(Path(data.data).name)}, of digest `{digest}`: {train} texts to train, "
        f"{validation} to validate and choose by, {test} to test. {_sides(facts)}"
        + (REFIT if facts.metrics.refit else ""),
        table(("label", "training", "validation", "test", "F1 on test"), rows),
        *(["\n".join(notes)] if notes else []),
    ]


def _sides(facts: Facts) -> str:
    """Who decided which texts train, validate and test."""
    data, run = facts.config.data, facts.config.split_of
    if run:
        parts = Path(run).parts  # of a copy in a blend, the blend's name too; no more of a path
        name = "/".join(parts[-3:]) if parts[-2:-1] == ("parts",) else parts[-1]
        return f"The sides are those of another run, {escape(name)}."
    return (
        "The sides are those of the file where it names them, else drawn with "
        f"`--split {data.split} --split-seed {data.split_seed}`."
    )


def _limits(head: TrainedHead, spec: FeatureSpec, encoder: str, facts: Facts) -> str:
    measured = facts.metrics.calibration
    items = [
        f"**Length.** {_length(head, spec, facts)}",
        f"**Near-copies.** {_copies(facts)}",
        "**Languages.** Not recorded, neither those of the data nor those of the encoder. In "
        "another language than the data's the results above mean nothing.",
        f"**Answers.** Always one of the {len(head.classes)} labels, even for a text that "
        "belongs to none of them.",
        "**Probabilities.** The softmax of the logits divided by the temperature, "
        f"{head.temperature:.4g}, which validation chose. Their expected calibration error on "
        f"test is {measured.error_after:.1%}; as many texts would give "
        f"{measured.error_by_chance:.1%} by chance if every probability were true.",
        f"**Vectors.** Those of {escape(encoder)}, fingerprint `{spec.fingerprint}`, described "
        "in `model.json`; over any others the head answers without a word, and wrongly.",
        *([KEPT_VECTORS] if head.head == "knn" else []),
    ]
    return "\n".join(f"- {item}" for item in items)


def _length(head: TrainedHead, spec: FeatureSpec, facts: Facts) -> str:
    """What of a long text is seen: first by the encoder, then by the head."""
    most = head.module.max_vectors
    if not most:
        return _encoded_length(head, spec, facts)
    return (
        f"{_encoded_length(head, spec, facts)} Of the vectors of a text "
        f"({MEANINGS[head.layout]}) the head itself reads the first {most:,}."
    )


def _encoded_length(head: TrainedHead, spec: FeatureSpec, facts: Facts) -> str:
    metrics = facts.metrics
    texts = sum(sum(counts.values()) for counts in facts.counts.values())
    if metrics.truncated:
        return (
            f"{metrics.truncated:,} of the {texts:,} texts are longer than the "
            f"{spec.limit} tokens that the encoder sees, so that "
            f"{metrics.tokens_cut_share:.1%} of all tokens were not seen. The end of a long "
            "text counts for nothing."
        )
    if head.layout == SENTENCES:
        return "Texts are encoded whole, sentence by sentence."
    return (
        "No text of the data was cut; of a longer one the encoder sees the first "
        f"{spec.limit} tokens."
    )


def _copies(facts: Facts) -> str:
    copied, tested = facts.metrics.copied, facts.metrics.test.texts
    if not copied:
        return "No test text has a near-copy in training."
    return (
        f"{copied:,} of {tested:,} test texts have a near-copy in training and may flatter the "
        "score; the row without them is above."
    )


def _use(head: TrainedHead, spec: FeatureSpec, encoder: str, folder: str) -> list[str]:
    options = [f"layout={json.dumps(head.layout)}"]
    if head.layout == TOKENS:
        options.append(f"layers={list(spec.layers)}")
    options += [f"dtype={json.dumps(spec.dtype)}", f"precision={json.dumps(spec.precision)}"]
    if spec.max_tokens:
        options.append(f"max_tokens={spec.max_tokens}")
    options.append(f"prompt={json.dumps(spec.prompt, ensure_ascii=False)}")
    if head.layout == SENTENCES:
        options.append(f"language={json.dumps(language_of(spec.segmentation))}")
    encoding = "".join(f"    {option},\n" for option in options)
    return [
        "With manyheads, which checks that the encoder is the right one:",
        f'    manyheads predict --run {shlex.quote(folder)} --text "a text"',
        "With onnxruntime and numpy alone, from vectors:",
        f"```python\n{RUNTIME.format(folder=json.dumps(folder))}```",
        "The vectors of texts, from the same encoder as in training:",
        f"```python\n{VECTORS.format(encoder=json.dumps(encoder), options=encoding)}```",
    ]


RUNTIME = '''\
import json
from pathlib import Path

import numpy as np
import onnxruntime

folder = Path({folder})  # where this file lies
model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
session = onnxruntime.InferenceSession(folder / "head.onnx")


def predict_proba(vectors):
    """N arrays (T, width), the vectors of a text each -> (N, labels) probabilities."""
    x = np.zeros((len(vectors), max(map(len, vectors)), model["width"]), np.float32)
    mask = np.zeros(x.shape[:2], bool)
    for row, each in enumerate(vectors):
        x[row, : len(each)] = each
        mask[row, : len(each)] = True
    logits = session.run(["logits"], {{"x": x, "mask": mask}})[0] / model["temperature"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
'''

VECTORS = """\
from features import FeatureStore, encode, load_encoder

texts = ["a text", "another one"]
table = encode(
    texts,
    load_encoder({encoder}),
    FeatureStore("cache"),
{options})
probabilities = predict_proba([table.sequence(row) for row in range(len(table))])
for text, row in zip(texts, probabilities):
    print(model["labels"][row.argmax()], round(float(row.max()), 3), text)
"""
