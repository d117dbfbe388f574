"""Threads: how long those of GNU's OpenMP look for work before they sleep."""

from __future__ import annotations

import os

SPINS = "10000"
"""By default 300,000 times: as long as another program holds one of the cores, the threads wait
for one another most of the time, and a training took up to four times as long as with this."""


def let_threads_sleep() -> None:
    """Set ``GOMP_SPINCOUNT``, unless it or ``OMP_WAIT_POLICY`` is set.

    It is read once, when torch loads OpenMP: in a process that has imported torch it takes
    effect in the processes that this one starts.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
