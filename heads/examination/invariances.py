"""Does a module give a text the same answer wherever it stands? Five comparisons on a batch.

    alone       a text by itself, without padding, against the text in the batch
    neighbours  a text by itself, padded as in the batch, against the text in the batch
    padding     the batch against the batch behind more padded positions
    order       the batch against the batch in reverse
    repeat      the batch against the batch once more

``alone`` fails with ``neighbours`` or ``padding``; the other four say which of them it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from features.errors import ModuleError
from features.vectors.table import POOLED, FeatureTable
from heads.examination.module import ForeignModule
from heads.examination.outputs import OutputRange, output_range
from heads.training.batches import Batch, gather

TEXTS = 64
"""Texts of the batch."""

ALONE = 16
"""Of them, the texts that are also given by themselves."""

PADDED = 20
"""Positions that are added."""

TOLERANCE = 1e-3
"""Largest difference, as a share of the outputs' deviation between texts, that is rounding."""

FLOOR = 1e-3
"""Least deviation, as a share of the outputs' size, that a difference is measured by: where all
texts get the same output, rounding would otherwise look large."""

NAMES = ("alone", "neighbours", "padding", "order", "repeat")


@dataclass(frozen=True)
class Invariances:
    """What five comparisons found.

    Attributes:
        differences: by name of the comparison, the largest difference of an output, in
            deviations of the outputs between texts; infinite where the module failed.
        failures: by name, how the module failed.
        outputs: what the outputs of the batch look like.
        texts: in the batch.
        padding_share: share of padded positions in the batch.
    """

    differences: dict[str, float]
    failures: dict[str, str]
    outputs: OutputRange
    texts: int
    padding_share: float

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the comparisons that failed."""
        return tuple(name for name, gap in self.differences.items() if not gap <= TOLERANCE)


@torch.no_grad()
def measure_invariances(
    module: ForeignModule, table: FeatureTable, rows: np.ndarray
) -> Invariances:
    """Compare the outputs of a module for the same texts in different company.

    Args:
        module: left in evaluation mode.
        table: vectors of N texts.
        rows: (n,) int64 rows to take texts from, of all lengths alike.

    Raises:
        ModuleError: it fails on the batch itself.
    """
    module.eval()
    batch = _floated(gather(table, _spread(table, rows)))
    usual = module.output(batch.x, batch.mask)
    scale = max(
        float(usual.std(dim=0).mean()) if len(usual) > 1 else 0.0,
        FLOOR * float(usual.abs().mean()),
        1e-12,
    )
    differences: dict[str, float] = {}
    failures: dict[str, str] = {}
    for name in NAMES:
        if name == "padding" and table.layout == POOLED:
            continue  # one vector per text, so no padding
        try:
            found, wanted = _again(module, batch, usual, name)
            gap = float((found - wanted).abs().max()) / scale
        except ModuleError as error:
            gap, failures[name] = float("inf"), str(error)
        differences[name] = gap if np.isfinite(gap) else float("inf")
    share = 1.0 - float(batch.mask.float().mean())
    return Invariances(differences, failures, output_range(usual), len(usual), share)


def _again(
    module: ForeignModule, batch: Batch, usual: torch.Tensor, name: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the outputs of a comparison, and those of the batch for the same texts."""
    x, mask = batch.x, batch.mask
    if name in ("alone", "neighbours"):
        found = []
        chosen = np.linspace(0, len(x) - 1, min(ALONE, len(x))).round().astype(int).tolist()
        for row in chosen:
            stop = int(mask[row].sum()) if name == "alone" else x.shape[1]
            found.append(module.output(x[row : row + 1, :stop], mask[row : row + 1, :stop]))
        return torch.cat(found), usual[chosen]
    if name == "padding":
        longer = torch.nn.functional.pad(x, (0, 0, 0, PADDED))
        return module.output(longer, torch.nn.functional.pad(mask, (0, PADDED))), usual
    if name == "order":
        return module.output(x.flip(0), mask.flip(0)).flip(0), usual
    return module.output(x, mask), usual


def _spread(table: FeatureTable, rows: np.ndarray) -> np.ndarray:
    """Return up to ``TEXTS`` of the rows, evenly over the lengths of their texts, shuffled."""
    order = rows[np.argsort(table.lengths[rows], kind="stable")]
    places = np.linspace(0, len(order) - 1, min(TEXTS, len(order))).round().astype(np.int64)
    return np.random.default_rng(0).permutation(order[np.unique(places)])


def _floated(batch: Batch) -> Batch:
    return Batch(batch.rows, batch.x.float(), batch.mask)
