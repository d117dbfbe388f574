"""The picture of the growth: seconds and memory by the number of texts, one line per job."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np

from benchmarks.growth.measured import Measured

MARKERS = "osD^vP*Xh"


def draw(measured: Measured, clock: str, target: Path) -> None:
    """Write the picture as SVG or PNG, by the name of the file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "manyheads"  # the same file from the same figures
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for marker, (job, by_size) in zip(cycle(MARKERS), measured.items(), strict=False):
        sizes = np.array(sorted(by_size))
        seconds = [by_size[size][clock] for size in sizes]
        peaks = [by_size[size]["peak"] / 1e6 for size in sizes]
        left.plot(sizes, seconds, marker=marker, label=job)
        right.plot(sizes, peaks, marker=marker, label=job)
    every = np.array(sorted({size for by_size in measured.values() for size in by_size}))
    guide = every * np.log(every)
    left.plot(every, 5e-7 * guide, color="gray", linestyle=":", label="slope of N log N")
    named = "seconds" if clock == "seconds" else "seconds of the processor"
    for axes, what in ((left, named), (right, "peak memory in MB")):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("texts")
        axes.set_ylabel(what)
        axes.grid(alpha=0.3)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)
