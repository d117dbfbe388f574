"""Whether the files of a model are still those by which it was described.

Vectors are stored under the digest of these files, and a model may be loaded long after it was
described: a notebook encodes after a training that saved its model into the same folder.
"""

from __future__ import annotations

from pathlib import Path

from features.encoders.description.model import EncoderModel, find_model
from features.errors import EncoderError

MARGIN = 60.0
"""Seconds by which the clock of a file system may be slow."""


def check_unchanged(model: EncoderModel) -> None:
    """Refuse a model whose files have changed since it was described.

    They are digested again only if the file system says that one was touched since.

    Raises:
        EncoderError: the files have changed, or some are missing.
    """
    since = model.described - MARGIN
    if not any(_touched(folder, since) for folder in {model.folder, model.transformer}):
        return
    now = find_model(str(model.folder), model.trust_remote_code)
    if (now.weights, now.tokenizer) != (model.weights, model.tokenizer):
        raise EncoderError(
            f"the files of the encoder {model.name!r} in {model.folder} have changed since "
            "they were read: run the command again, or in Python call load_encoder again"
        )


def _touched(folder: Path, since: float) -> bool:
    """Return whether a file below a folder was written, renamed or linked since a time."""
    return any(path.stat().st_ctime >= since for path in folder.rglob("*") if path.is_file())
