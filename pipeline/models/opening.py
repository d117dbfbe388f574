"""Open a model: a run, an exported model, or a blend of several heads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.errors import CacheError
from features.vectors.table import POOLED, SENTENCES, TOKENS
from heads.evaluation.calibration import mean_of, tempered
from heads.persistence.checkpoint import WEIGHTS
from pipeline.models.blend_folder import BLEND, BLEND_FORMAT, PARTS, file_digest, part_folders
from pipeline.models.model import MODEL, Model, read_model, read_run
from pipeline.runs.folder import METRICS, find_run

REMEDY = re.compile("[:;] [^:;]*$")
"""The remedy at the end of an error about a part: it names a run that may be gone."""


ORDER = (TOKENS, SENTENCES, POOLED)
"""Of the parts of a blend: pooled vectors come along with tokens, and are there then."""


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """One head, or a blend of several.

    Attributes:
        folder: where it is.
        parts: the heads and the specs of their vectors; all have the same labels.
        folders: where each part is.
        temperature: of the mean of a blend; None for a single head, which has its own.
        weights: of the parts in that mean.
    """

    folder: Path
    parts: tuple[Model, ...]
    folders: tuple[Path, ...]
    temperature: float | None
    weights: tuple[float, ...] = (1.0,)

    @property
    def order(self) -> list[int]:
        """Return the parts in the order in which they are asked; the first one explains."""
        layouts = [part.spec.layout for part in self.parts]
        return sorted(range(len(layouts)), key=lambda i: ORDER.index(layouts[i]))

    def merged(self, probabilities: Sequence[np.ndarray]) -> np.ndarray:
        """Return (N, C) probabilities of the model for those of its parts, in their order."""
        if self.temperature is None:
            return probabilities[0]
        return tempered(mean_of(probabilities, self.weights), self.temperature)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return C labels, in the order of the columns."""
        return self.parts[0].head.classes


def open_model(run: str, runs: Path) -> OpenedModel:
    """Return the model of a run, a blend or an exported model.

    Args:
        run: a folder, or a name for ``find_run``.

    Raises:
        CacheError: it does not exist, or is damaged.
    """
    if (Path(run) / MODEL).is_file():
        return OpenedModel(Path(run), (read_model(Path(run)),), (Path(run),), None)
    exported = (Path(run) / BLEND).is_file() and not (Path(run) / METRICS).is_file()
    folder = Path(run) if exported else find_run(run, runs)
    if not (folder / PARTS).is_dir():
        return OpenedModel(folder, (read_run(folder),), (folder,), None)
    try:
        file = BLEND_FORMAT.read(folder / BLEND)
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
    return OpenedModel(folder, parts, folders, file.temperature, file.weights)
