"""Prediction: a trained run labels new texts, through the same cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.corpus.corpus import Columns, read_corpus
from features.encoders.description.model import EncoderModel, find_model, with_other_trust
from features.encoders.segmentation import language_of
from features.encoding.serial import Encoder
from features.errors import EncoderError, listed
from features.storage.location import Place, Source
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES, TOKENS, FeatureTable
from heads.trained import mean_of, tempered
from pipeline.config import VectorConfig
from pipeline.console import one_line, say
from pipeline.encoding.vectors import Vectors, ensure_vectors, with_pooled
from pipeline.models.blend_folder import Predictor, open_predictor
from pipeline.models.model import Model
from pipeline.runs.training_texts import TRAINING, Neighbor, read_training, training_vectors

LONGEST_SHOWN, DIGITS_SHOWN = 40, 12
LONGEST_LABEL, LONGEST_TEXT = 60, 80
"""Characters of a label and of a text on the terminal."""

ORDER = (TOKENS, SENTENCES, POOLED)
"""Of the parts of a blend: pooled vectors come along with tokens, and are there then."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Labels for texts.

    Attributes:
        run: the run or model folder that gave them.
        texts: N texts.
        classes: C labels.
        probabilities: (N, C) float32, each row summing to 1.
        truncated: (N,) bool, texts longer than the encoder sees.
        neighbors: for each text the training texts nearest to it; empty if not asked for.
        rows: data row of each text, from 1, where rows were left out; otherwise empty.
    """

    run: Path
    texts: Sequence[str]
    classes: tuple[str, ...]
    probabilities: np.ndarray
    truncated: np.ndarray
    neighbors: Sequence[tuple[Neighbor, ...]] = ()
    rows: Sequence[int] = ()

    @property
    def labels(self) -> list[str]:
        """N labels, the most probable of each text."""
        return [self.classes[i] for i in self.probabilities.argmax(axis=1)]

    @property
    def probability_columns(self) -> list[str]:
        """C column names, ``probability:<label>``, which no other column can collide with."""
        return [f"probability:{name}" for name in self.classes]

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "run": str(self.run),
            "truncated": int(self.truncated.sum()),
            "predictions": [
                {
                    **({"row": self.rows[place]} if self.rows else {}),
                    "text": text,
                    "label": label,
                    "probabilities": dict(zip(self.classes, map(rounded, row), strict=True)),
                    **({"neighbors": list(map(asdict, near))} if self.neighbors else {}),
                }
                for place, (text, label, row, near) in enumerate(
                    zip(
                        self.texts,
                        self.labels,
                        self.probabilities.tolist(),
                        self.neighbors or [()] * len(self.texts),
                        strict=True,
                    )
                )
            ],
        }

    def to_text(self) -> str:
        """For people: each text's label and its three most probable classes."""
        lines = []
        near = self.neighbors or [()] * len(self.texts)
        names = [one_line(name, LONGEST_LABEL) for name in self.classes]
        for text, row, neighbors in zip(self.texts, self.probabilities, near, strict=True):
            best = np.argsort(-row, kind="stable")[:3]
            shares = ", ".join(f"{names[i]} {row[i]:.1%}" for i in best)
            lines.append(f"{names[best[0]]}\t({shares})\t{one_line(text, LONGEST_TEXT)}")
            lines += [
                f"    {each.similarity:.2f} [{one_line(each.label, LONGEST_LABEL)}] "
                f"{one_line(each.text, LONGEST_TEXT)} (training row {each.row:,})"
                for each in neighbors
            ]
        return "\n".join(lines)


def predict(
    run: str,
    runs: Path,
    cache: Place,
    texts: Sequence[str],
    *,
    encoders: Sequence[str] = (),
    trust_remote_code: bool = False,
    explain: int = 0,
    memory: float | None = None,
    load: Callable[[EncoderModel], Encoder] | None = None,
) -> Predictions:
    """Label texts with a finished run.

    Args:
        run: a run folder, its name, ``latest``, or a model folder; of a blend too.
        cache: the feature store; new texts are added to it.
        texts: N texts, none empty.
        encoders: where its encoder lies now, of a blend several; without any, where it was
            when the run was trained.
        trust_remote_code: run the Python code that comes with it; a run cannot ask for that.
        explain: how many of the nearest training texts to give for each text.
        memory: GB that the vectors may take of it; None: half of what is available.
        load: gives the encoder when something is missing; None loads the model itself.

    Raises:
        CacheError: no such run, or a damaged one; or nothing to explain by.
        EncoderError: the encoder is gone, or is not the one that the run was trained on.
    """
    predictor = open_predictor(run, runs)
    folder, blends = predictor.folder, predictor.temperature is not None
    models = _find_encoders(predictor, encoders, trust_remote_code)
    own: list[np.ndarray] = []
    truncated = np.zeros(len(texts), bool)
    neighbors: Sequence[tuple[Neighbor, ...]] = ()
    layouts = [part.spec.layout for part in predictor.parts]
    order = sorted(range(len(layouts)), key=lambda place: ORDER.index(layouts[place]))
    for place in order:
        part, layout = predictor.parts[place], layouts[place]
        explained = explain > 0 and place == order[0]
        # Pooled vectors cost nothing beside tokens, but a forward pass beside sentences.
        alone = layout == SENTENCES and not explained
        vectors = ensure_vectors(
            texts,
            _vector_config(part.spec, models[place].name, cache, memory),
            (layout,) if alone else with_pooled(layout),
            model=models[place],
            load=load,
        )
        table = vectors.table(layout)
        own.append(part.head.predict_proba(table, np.arange(len(texts))))
        truncated |= vectors.truncated
        _warn(part, vectors, table, f"part {place + 1} of this run" if blends else "this run")
        if explained:
            neighbors = _explained(vectors, folder, explain)
    probabilities = own[0]
    if predictor.temperature is not None:
        probabilities = tempered(mean_of(own), predictor.temperature)
    return Predictions(folder, texts, predictor.labels, probabilities, truncated, neighbors)


def _find_encoders(
    predictor: Predictor, given: Sequence[str], trust_remote_code: bool
) -> list[EncoderModel]:
    """The encoder of each part: one of those given that fits, else where it was.

    Raises:
        EncoderError: there is none, none fits, or one that was given fits no part.
    """
    found = {name: find_model(name, trust_remote_code) for name in given}
    models: list[EncoderModel] = []
    for part, folder in zip(predictor.parts, predictor.folders, strict=True):
        fitting = [name for name in given if not differing(found[name], part.spec)]
        recorded = not given or (predictor.temperature is not None and not part.moved)
        name = (fitting or ([part.encoder_name()] if recorded else given))[0]
        if name not in found:
            found[name] = _find_recorded(name, trust_remote_code)
        check_encoder(found[name], part.spec, folder)
        models.append(found[name])
    for name in given:
        if found[name] not in models:
            check_encoder(found[name], predictor.parts[0].spec, predictor.folder)
    return models


def _find_recorded(name: str, trust_remote_code: bool) -> EncoderModel:
    """The encoder of a run. Where its commit is gone from the hub, another may still fit."""
    try:
        return find_model(name, trust_remote_code)
    except EncoderError as error:
        repository, at, _ = name.partition("@")
        if not at:
            raise
        try:
            return find_model(repository, trust_remote_code)
        except EncoderError:
            raise error from None


def _vector_config(
    spec: FeatureSpec, encoder: str, cache: Place, memory: float | None
) -> VectorConfig:
    """The configuration that gives vectors of a spec."""
    return VectorConfig(
        encoder=encoder,
        layers=None if spec.layout == POOLED else ",".join(map(str, spec.layers)),
        cache=cache,
        dtype=spec.dtype,
        precision=spec.precision,
        max_tokens=spec.max_tokens or None,
        language=language_of(spec.segmentation),
        prompt=spec.prompt,
        memory=memory,
    )


def _warn(part: Model, vectors: Vectors, table: FeatureTable, whose: str) -> None:
    """Say what of the texts is not seen."""
    truncated, texts = int(vectors.truncated.sum()), len(table)
    if truncated:
        say(
            f"warning: {truncated:,} of {texts:,} texts are longer than the "
            f"{part.spec.limit} tokens that {whose} sees; the rest of each is not seen"
        )
    most = part.head.module.max_vectors
    longer = int((table.lengths > most).sum()) if most else 0
    if longer:
        say(
            f"warning: {longer:,} of {texts:,} texts have more than the {most:,} vectors "
            f"that the head of {whose} reads (max_vectors); the rest of each is not read"
        )


def _explained(vectors: Vectors, folder: Path, k: int) -> Sequence[tuple[Neighbor, ...]]:
    training = read_training(folder / TRAINING)
    base = training_vectors(training, vectors.space(POOLED))
    return training.neighbors(vectors.table(POOLED).values, base, min(k, len(base)))


def read_texts(
    path: Source, column: str, skip_empty: bool
) -> tuple[Sequence[str], Sequence[int]]:
    """The texts of a file, which needs no labels, and their rows if some may be left out.

    Raises:
        CorpusError: as ``read_corpus``.
    """
    columns = Columns(text=column, label=None, split=None)
    corpus = read_corpus(path, columns, labels=False, skip_empty=skip_empty)
    return corpus.texts, corpus.rows if skip_empty else ()


def check_encoder(model: EncoderModel, spec: FeatureSpec, folder: Path) -> None:
    """Vectors of another encoder would be labelled without a word, and wrongly.

    Raises:
        EncoderError: its vectors are others than those of ``spec``; says in what.
    """
    found = differing(model, spec)
    if not found:
        return
    remedy = "pass the right one with --encoder, or train again"
    twin = with_other_trust(model)
    if twin and not differing(twin, spec):
        remedy = (
            "the Python code that comes with it was run then: pass --trust-remote-code if you "
            "have read it and trust it"
            if twin.trust_remote_code
            else "the Python code that comes with it was not run then: leave "
            "--trust-remote-code out"
        )
    raise EncoderError(
        f"the encoder {model.name!r} is not the one that {folder} was trained on: it "
        f"differs in {listed(found, len(found))}; {remedy}"
    )


def differing(model: EncoderModel, spec: FeatureSpec) -> list[str]:
    """In what the vectors of an encoder are others than those of ``spec``, for people."""
    layers = None if spec.layout == POOLED else spec.layers
    same_size = max(spec.layers) <= model.depth
    # An encoder that sees all of that at once makes no windows: it differs in max_length.
    windows = spec.max_tokens > model.max_length
    own = model.spec(
        spec.layout,
        layers if same_size else None,
        dtype=spec.dtype,
        precision=spec.precision,
        max_tokens=spec.max_tokens if windows else None,
        language=language_of(spec.segmentation),
        prompt=spec.prompt,
    )
    if spec.max_tokens and not windows:
        own = replace(
            own,
            max_tokens=spec.max_tokens,
            segmentation=spec.segmentation,
            normalize=spec.normalize,
        )
    if own == spec:
        return []
    own = replace(own, prompt=model.prompt)  # that of the run would be used; this tells more
    return [
        f"{field.name} ({_shown(getattr(own, field.name))}, "
        f"not {_shown(getattr(spec, field.name))})"
        for field in fields(spec)
        if getattr(own, field.name) != getattr(spec, field.name)
    ]


def _shown(value: object) -> str:
    """A value of a spec; of a digest only its beginning, which is enough to tell two apart."""
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    if not text or " " in text:
        return repr(text)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:DIGITS_SHOWN]}..."


def rounded(probability: float) -> float:
    """Return a probability as it is written: to six digits."""
    return round(probability, 6)
