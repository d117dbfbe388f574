"""Threads: how long those of GNU's OpenMP and of OpenBLAS look for work before they sleep."""

from __future__ import annotations

import os

SPINS = "1000"
"""By default 300,000 times: as long as another program holds one of the cores, the threads wait
for one another most of the time. With another program on one of two cores a training of
``lstm`` took half the time of 10,000 spins, which on a quiet machine were 0 to 10 % faster."""

BLAS_TIMEOUT = "4"
"""As the power of two, of processor cycles; 26 by default, some 20 milliseconds, in which the
threads of numpy's products keep the cores from those of torch and OpenVINO."""


def let_threads_sleep() -> None:
    """Set ``GOMP_SPINCOUNT`` and ``OPENBLAS_THREAD_TIMEOUT``, unless the user has set them.

    They are read once, when torch loads OpenMP and numpy loads OpenBLAS: in a process that has
    imported these they take effect in the processes that this one starts.
    """
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", BLAS_TIMEOUT)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
