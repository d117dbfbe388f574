"""A predictor opens its run once, and answers like the command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from features.encoders.description import model as description
from features.encoders.description.model import EncoderModel
from features.encoders.protocol import Encoder
from pipeline.encoding.vectors import load_encoder
from pipeline.prediction.predictor import Predictor

OLD = Path(__file__).parents[2] / "old"


@pytest.mark.parametrize("run", ["logistic", "blend"])
def test_many_predictions_of_one_opening(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(OLD / "runs" / run, tmp_path / run))
    hashed: list[object] = []
    digests = description.weight_digests

    def counted(*arguments: object) -> dict[str, str]:
        hashed.append(arguments)
        return digests(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(description, "weight_digests", counted)
    loaded: list[EncoderModel] = []

    def load(model: EncoderModel) -> Encoder:
        loaded.append(model)
        return load_encoder(model)

    predictor = Predictor.load(str(folder), tmp_path, tmp_path / "cache", load=load)
    seen = len(hashed)
    shutil.rmtree(folder)  # nothing of it is opened again
    first = predictor.predict(["a text", "another"])
    again = predictor.predict(["another", "a third one"])
    assert len(hashed) == seen
    assert len(loaded) == 1
    assert again.probabilities[0].tolist() == pytest.approx(
        first.probabilities[1].tolist(), abs=1e-6
    )
    assert first.classes == ("fear", "guilt", "sadness")
