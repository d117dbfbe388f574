"""The cards of model and blend folders.

Markdown from the templates ``model_card.md`` and ``blend_card.md``, under the metadata that the
Hugging Face Hub reads.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.encoders.segmentation import language_of
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES, TOKENS
from features.words.table import WORDS
from pipeline.console import one_line
from pipeline.evaluation.evaluation import Score
from pipeline.evaluation.result import BlendResult, ExperimentResult
from pipeline.models.model import Model
from pipeline.models.standalone import StandaloneReport
from pipeline.runs.files.training_texts import TRAINING, read_training
from pipeline.runs.reader import read_config, read_metrics, read_predictions
from pipeline.runs.run_config import RunConfig
from pipeline.templating import Markdown, render

CARD = "README.md"
TASK = "text-classification"

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""An encoder of this form is a repository of the Hub."""

MEANINGS = {
    POOLED: "one vector per text",
    TOKENS: "one vector per token",
    SENTENCES: "one vector per sentence",
    WORDS: "counts of its words and letter groups",
}


@dataclass(frozen=True)
class Facts:
    """The data and results of a run, from its folder.

    Attributes:
        config: options of the run.
        metrics: its results.
        counts: texts of each label, by side of the head's own split: ``train``,
            ``validation``, ``test``.
    """

    config: RunConfig
    metrics: ExperimentResult
    counts: Mapping[str, Counter[str]]


def read_facts(folder: Path) -> Facts:
    """Return the facts of a run folder. Raises ``DamagedFileError``."""
    held_out = read_predictions(folder).select(["side", "label", "fold"]).to_pylist()
    first = min((row["fold"] for row in held_out), default=0)  # its head is in the run folder
    counts = {"train": Counter(read_training(folder / TRAINING).labels)}
    for side in ("validation", "test"):
        counts[side] = Counter(
            row["label"] for row in held_out if row["side"] == side and row["fold"] == first
        )
    metrics = read_metrics(folder)
    if metrics.refit:  # then training includes the validation texts
        counts["train"] -= counts["validation"]
    return Facts(read_config(folder), metrics, counts)


def model_card(
    model: Model,
    encoders: Sequence[str],
    facts: Facts,
    folder: str,
    standalone: StandaloneReport | None = None,
) -> str:
    """Return the card of a model folder.

    Args:
        model: the trained head, and the vectors that it takes.
        encoders: the encoders' names for people.
        facts: of its run.
        folder: the name of the model folder, for the examples.
        standalone: how the encoder in the folder agrees; None without one.
    """
    head, spec, encoder = model.head, model.spec, " and ".join(encoders)
    metrics, config, counts = facts.metrics, facts.config, facts.counts
    data = Path(config.data.data).name
    sizes = {side: sum(labels.values()) for side, labels in counts.items()}
    metadata = _metadata(
        folder,
        data,
        {"validation": metrics.validation, "test": metrics.test},
        tags=["manyheads", head.head],
        revision=config.resolved.corpus_digest,
        base_model=[name for name in encoders if HUB_NAME.fullmatch(name)],
    )
    return render(
        "model_card.md",
        metadata=metadata,
        head=head,
        spec=spec,
        encoder=encoder,
        sources=[
            (name, source.spec.fingerprint, share)
            for name, source, share in zip(
                encoders, model.sources, head.encoder_shares or (1.0,), strict=True
            )
        ],
        folder=folder,
        metrics=metrics,
        config=config,
        data=data,
        meaning=" and ".join(MEANINGS[name] for name in head.layout.split(",")),
        words=model.reads_words,
        onnx=not model.reads_words and len(encoders) == 1,
        scores=metrics.rows,
        labels=_label_rows(head.classes, facts),
        sizes=sizes,
        texts=sum(sizes.values()),
        split_of=_run_name(config.split_of) if config.split_of else None,
        options=_encode_options(head.layout, spec),
        standalone=standalone,
    )


def blend_card(
    metrics: BlendResult, labels: Sequence[str], temperature: float, folder: str
) -> str:
    """Return the card of a blend folder.

    Args:
        metrics: results of the blend.
        labels: its labels.
        temperature: of its mean.
        folder: its name, for the examples.
    """
    names = [f"{i}: {part.head} over {part.layout}" for i, part in enumerate(metrics.parts, 1)]
    named = list(zip(names, metrics.parts, strict=True))
    own = {"validation": metrics.validation, "test": metrics.test}
    scores = [
        ("validation", "blend", metrics.validation),
        *(("validation", name, part.validation) for name, part in named),
        ("test", "blend", metrics.test),
        *(("test", name, part.test) for name, part in named),
        *metrics.baseline_rows,
    ]
    return render(
        "blend_card.md",
        metadata=_metadata(folder, "the texts of its parts", own, tags=["manyheads", "blend"]),
        metrics=metrics,
        labels=labels,
        names=names,
        scores=scores,
        temperature=temperature,
        weighted=metrics.weighting.kind != "equal",
        weights=list(metrics.weights),
        folder=folder,
    )


def _metadata(
    name: str,
    data: str,
    scores: Mapping[str, Score],
    tags: list[str],
    revision: str | None = None,
    base_model: Sequence[str] = (),
) -> Markdown:
    """Return the YAML that the Hub reads: the kind of model and its scores.

    It names no license and no language, which only the owner knows.
    """
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type=TASK,
            dataset_type="unknown",
            dataset_name=one_line(data),
            dataset_split=side,
            dataset_revision=revision,
            metric_type=metric,
            metric_name=shown,
            metric_value=round(value, 4),
        )
        for side, score in scores.items()
        if score.enough
        for metric, shown, value in (
            ("accuracy", "accuracy", score.accuracy),
            ("f1", "macro-F1", score.macro_f1),
        )
    ]
    described = ModelCardData(
        library_name="manyheads",
        pipeline_tag=TASK,
        tags=tags,
        base_model=_one_or_all(base_model),
        model_name=one_line(name),
        eval_results=results or None,
    )
    return Markdown(described.to_yaml())


def _one_or_all(names: Sequence[str]) -> str | list[str] | None:
    """Return a single name as it is, several as a list, none as None."""
    return names[0] if len(names) == 1 else [*names] or None


def _label_rows(
    classes: Sequence[str], facts: Facts
) -> list[tuple[str, int, int, int, float | None]]:
    """Return texts by side and test F1 of every label; labels without training texts last."""
    train, validation, test = (facts.counts[side] for side in ("train", "validation", "test"))
    scored = facts.metrics.classes if facts.metrics.test.enough else ()
    found = {each.label: each.f1 for each in scored}
    return [
        (label, train[label], validation[label], test[label], found.get(label))
        for label in [*classes, *sorted(set(test) - set(classes))]
    ]


def _run_name(run: str) -> str:
    """Return the name of a run; for a copy in a blend, with the name of the blend."""
    parts = Path(run).parts
    return "/".join(parts[-3:]) if parts[-2:-1] == ("parts",) else parts[-1]


def _encode_options(layout: str, spec: FeatureSpec) -> dict[str, object]:
    """Return the arguments of ``features.encode`` that give the vectors of the head."""
    options: dict[str, object] = {"layout": layout}
    if layout == TOKENS:
        options["layers"] = list(spec.layers)
    options |= {"dtype": spec.dtype, "precision": spec.precision}
    if spec.max_tokens:
        options["max_tokens"] = spec.max_tokens
    options["prompt"] = spec.prompt
    if layout == SENTENCES:
        options["language"] = language_of(spec.segmentation)
    return options
