"""Reference vectors: what the reference libraries give for each text by itself.

It is slow on purpose: one text at a time, in float32, without code of this project in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from features.encoders.chain import INPUTS, load_library
from features.encoders.description.model import EncoderModel
from features.encoders.loading import check_shows_layers, running
from features.vectors.spec import FeatureSpec
from features.vectors.table import TOKENS


def reference_vectors(
    model: EncoderModel, texts: Sequence[str], spec: FeatureSpec, device: str
) -> list[np.ndarray]:
    """Return the vectors of each text by itself, from sentence-transformers or transformers.

    Args:
        model: which encoder.
        texts: texts; those beyond the model's limit are cut. There are no windows or sentences.
        spec: its layout, layers and prompt are used.
        device: a torch device.

    Returns:
        One float32 array per text: (D,) pooled vectors; (T, D) in the tokens layout.

    Raises:
        EncoderError: the library refuses the model, or fails.
        DeviceMemoryError: the model does not fit in the memory of the device.
    """
    whole = load_library(model, device)
    with running(model), torch.no_grad():
        if spec.layout == TOKENS:
            check_shows_layers(model, _inner(whole))
            return [_hidden_states(whole, text, spec) for text in texts]
        alone = ([text] for text in texts)
        return [
            np.asarray(
                whole.encode(text, prompt=spec.prompt or "", batch_size=1)[0], np.float32
            )
            for text in alone
        ]


def _inner(whole: Any) -> Any:
    return getattr(whole[0], "model", getattr(whole[0], "auto_model", None))


def _hidden_states(whole: Any, text: str, spec: FeatureSpec) -> np.ndarray:
    inputs = whole.preprocess([text], prompt=spec.prompt or None)
    tensors = {name: inputs[name].to(whole.device) for name in INPUTS if name in inputs}
    hidden = _inner(whole)(**tensors, output_hidden_states=True, return_dict=True).hidden_states
    states = torch.cat([hidden[layer][0] for layer in spec.layers], dim=-1)
    vectors: np.ndarray = states.float().cpu().numpy()
    return vectors
