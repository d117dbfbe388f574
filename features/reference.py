"""What the reference libraries give for each text alone: the measure of every encoder here.

Slow on purpose: one text at a time, in float32, without any code of this project between the
text and its vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from features.model import EncoderModel
from features.spec import FeatureSpec
from features.table import TOKENS


def reference_vectors(
    model: EncoderModel, texts: Sequence[str], spec: FeatureSpec, device: str
) -> list[np.ndarray]:
    """The vectors of each text alone, by sentence-transformers or transformers in float32.

    Args:
        spec: its layout, layers, prompt and ``max_length``; a text beyond that is cut, windows
            and sentences are not made here.

    Returns:
        An array per text: (D,) pooled vectors; (T, D) in the tokens layout.
    """
    # Imported here alone: 2 seconds.
    from sentence_transformers import SentenceTransformer

    whole = SentenceTransformer(
        str(model.folder),
        device=device,
        local_files_only=True,
        trust_remote_code=model.trust_remote_code,
        model_kwargs={"dtype": torch.float32, "use_safetensors": True},
    ).eval()
    whole.max_seq_length = min(whole.max_seq_length or spec.max_length, spec.max_length)
    if spec.layout == TOKENS:
        return [_hidden_states(whole, text, spec) for text in texts]
    return [
        np.asarray(
            whole.encode([text], prompt=spec.prompt or None, batch_size=1)[0], np.float32
        )
        for text in texts
    ]


def _hidden_states(whole: Any, text: str, spec: FeatureSpec) -> np.ndarray:
    inputs = whole[0].preprocess([text], prompt=spec.prompt or None)
    tensors = {
        name: value.to(whole.device)
        for name, value in inputs.items()
        if name in ("input_ids", "attention_mask", "token_type_ids")
    }
    with torch.no_grad():
        hidden = (
            whole[0].model(**tensors, output_hidden_states=True, return_dict=True).hidden_states
        )
    states = torch.cat([hidden[layer][0] for layer in spec.layers], dim=-1)
    vectors: np.ndarray = states.float().cpu().numpy()
    return vectors
