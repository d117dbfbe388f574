"""The encoders of an opened model: found where they are now, and loaded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from features.encoders.description.model import EncoderModel, find_model
from features.encoders.protocol import Encoder
from features.errors import EncoderError
from pipeline.models.opening import OpenedModel
from pipeline.prediction.encoder_check import check_encoder, differing


class LoadedOnce:
    """Loads each encoder once and keeps it.

    Args:
        load: gives an encoder.
    """

    def __init__(self, load: Callable[[EncoderModel], Encoder]) -> None:
        self._load = load
        self._loaded: dict[EncoderModel, Encoder] = {}

    def __call__(self, model: EncoderModel) -> Encoder:
        """Return the encoder of a model."""
        if model not in self._loaded:
            self._loaded[model] = self._load(model)
        return self._loaded[model]

    def keep(self, models: Sequence[EncoderModel]) -> None:
        """Forget every encoder but those of some models."""
        for model in set(self._loaded) - set(models):
            del self._loaded[model]


def find_encoders(
    opened: OpenedModel, given: Sequence[str], trust_remote_code: bool
) -> list[tuple[EncoderModel, ...]]:
    """The encoders of each part: of those given one that fits, else where it was.

    Raises:
        EncoderError: there is none, none fits, or one that was given fits no part.
    """
    found = {name: find_model(name, trust_remote_code) for name in given}
    several = opened.temperature is not None or len(opened.parts[0].sources) > 1
    models: list[tuple[EncoderModel, ...]] = []
    for part, folder in zip(opened.parts, opened.folders, strict=True):
        own = []
        for source in part.sources if part.reads_vectors or given else ():
            fitting = [name for name in given if not differing(found[name], source.spec)]
            recorded = not given or (several and not source.moved)
            lacking = several and source.moved and not fitting
            name = (fitting or ([source.name()] if recorded or lacking else given))[0]
            if name not in found:
                found[name] = find_recorded(name, trust_remote_code)
            check_encoder(found[name], source.spec, folder)
            own.append(found[name])
        models.append(tuple(own))
    for name in given:
        if not any(found[name] in own for own in models):
            check_encoder(found[name], opened.parts[0].spec, opened.folder)
    return models


def find_recorded(name: str, trust_remote_code: bool) -> EncoderModel:
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
