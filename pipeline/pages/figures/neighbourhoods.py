"""A map of texts by UMAP, an extra: texts that are near to each other stay so. Only here is it
imported.
"""

from __future__ import annotations

import warnings

import numpy as np

from features.errors import SettingError
from pipeline.pages.figures.projection import Projection, placed, project

NEIGHBOURS, LEAST = 15, 5
"""Neighbours of a text that are kept near, as UMAP has it, and the fewest texts for it."""

INSTALL = 'python -m pip install "manyheads[umap]"'


def neighbourhoods(vectors: np.ndarray) -> Projection:
    """Return (n, D) vectors placed by UMAP (McInnes et al., 2018, arXiv:1802.03426).

    The same at every call; very few texts are placed by principal components.

    Raises:
        SettingError: UMAP is not installed.
    """
    try:
        import umap
    except ImportError as error:
        raise SettingError(
            f"--map umap needs UMAP, which is not installed: run {INSTALL}, or leave --map out"
        ) from error
    if len(vectors) < LEAST:
        return project(vectors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed leaves it one thread
        found = umap.UMAP(
            n_neighbors=min(NEIGHBOURS, len(vectors) - 1), metric="cosine", random_state=0
        ).fit_transform(vectors.astype(np.float32))
    return Projection(placed(np.asarray(found, dtype=np.float64)), None, False)
