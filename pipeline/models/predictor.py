"""Prediction: a trained run labels new texts, through the same cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from features.corpus.corpus import Columns, read_corpus
from features.corpus.source import Source
from features.encoders.description.model import EncoderModel, find_model
from features.encoders.options import VectorOptions
from features.encoders.protocol import Encoder
from features.errors import CacheError, EncoderError
from features.storage.location import Location
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, SENTENCES, TOKENS, FeatureTable
from heads.checkpoint import WEIGHTS
from heads.evaluation.calibration import mean_of, tempered
from pipeline.config import VectorConfig
from pipeline.console import print_note
from pipeline.encoding.vectors import Vectors, ensure_vectors, with_pooled
from pipeline.models.blend_folder import (
    BLEND,
    PARTS,
    VERSION,
    BlendFile,
    file_digest,
    part_folders,
)
from pipeline.models.encoder_check import check_encoder, differing
from pipeline.models.model import MODEL, Model, read_model, read_run
from pipeline.models.predictions import Predictions
from pipeline.runs.folder import METRICS, find_run, read_json
from pipeline.runs.training_texts import TRAINING, Neighbor, read_training, training_vectors

REMEDY = re.compile("[:;] [^:;]*$")
"""What an error about a part ends with: to train a run again that may be gone."""


ORDER = (TOKENS, SENTENCES, POOLED)
"""Of the parts of a blend: pooled vectors come along with tokens, and are there then."""


def predict(
    run: str,
    runs: Path,
    cache: Location,
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
    spec: FeatureSpec, encoder: str, cache: Location, memory: float | None
) -> VectorConfig:
    """The configuration that gives vectors of a spec."""
    return VectorConfig(
        encoder=encoder,
        layers=None if spec.layout == POOLED else ",".join(map(str, spec.layers)),
        cache=cache,
        memory=memory,
        **vars(VectorOptions.of_spec(spec)),
    )


def _warn(part: Model, vectors: Vectors, table: FeatureTable, whose: str) -> None:
    """Say what of the texts is not seen."""
    truncated, texts = int(vectors.truncated.sum()), len(table)
    if truncated:
        print_note(
            f"warning: {truncated:,} of {texts:,} texts are longer than the "
            f"{part.spec.limit} tokens that {whose} sees; the rest of each is not seen"
        )
    most = part.head.module.max_vectors
    longer = int((table.lengths > most).sum()) if most else 0
    if longer:
        print_note(
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


@dataclass(frozen=True, eq=False)
class Predictor:
    """What predicts: one head, or a blend of several.

    Attributes:
        folder: where it stands.
        parts: the heads, and what their vectors must be; all have the same labels.
        folders: where each part stands.
        temperature: of the mean of a blend; of one head None, which has its own.
    """

    folder: Path
    parts: tuple[Model, ...]
    folders: tuple[Path, ...]
    temperature: float | None

    @property
    def labels(self) -> tuple[str, ...]:
        """C labels, in the order of the columns."""
        return self.parts[0].head.classes


def open_predictor(run: str, runs: Path) -> Predictor:
    """What a run, a blend or an exported model predicts with.

    Args:
        run: a folder, or what ``find_run`` takes.

    Raises:
        CacheError: there is none, or it is damaged.
    """
    if (Path(run) / MODEL).is_file():
        return Predictor(Path(run), (read_model(Path(run)),), (Path(run),), None)
    exported = (Path(run) / BLEND).is_file() and not (Path(run) / METRICS).is_file()
    folder = Path(run) if exported else find_run(run, runs)
    if not (folder / PARTS).is_dir():
        return Predictor(folder, (read_run(folder),), (folder,), None)
    try:
        file = _read_file(folder / BLEND)
        folders = part_folders(folder, len(file.sha256))
        parts = tuple(map(read_model if exported else read_run, folders))
        if [file_digest(part / WEIGHTS) for part in folders] != list(file.sha256):
            raise CacheError("its heads are not those that were blended")
        if any(part.head.classes != file.labels for part in parts):
            raise CacheError("its labels are not those of its heads")
    except CacheError as error:
        again = "blend the runs, or their copies in its parts, again"
        remedy = "export it again" if exported else again
        reason = REMEDY.sub("", str(error))
        raise CacheError(f"the blend {folder} is damaged ({reason}): {remedy}") from error
    return Predictor(folder, parts, folders, file.temperature)


def _read_file(path: Path) -> BlendFile:
    try:
        file = BlendFile.model_validate(read_json(path))
    except ValidationError as error:
        reason = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'all of it'}, {each['msg']}"
            for each in error.errors()
        )
        raise CacheError(f"{path} does not hold a blend, {reason}") from error
    if file.version != VERSION:
        raise CacheError(
            f"{path} is of format version {file.version}, this program reads {VERSION}"
        )
    return file
