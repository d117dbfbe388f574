"""Processes of a search that train trials beside it, each with its share of the cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from features.encoding.devices import limit_threads
from pipeline.console import print_note

END_SECONDS = 30.0
"""A helper that has nothing left to do ends by itself within this time, or is ended."""


@contextmanager
def helping(help_out: Callable[[], object], count: int, threads: int) -> Iterator[None]:
    """Run processes beside this one; they end with it, however it ends.

    Args:
        help_out: what each does, sent to it by pickle.
        count: how many processes.
        threads: of torch, in each of them and in this process.
    """
    if not count:
        yield
        return
    import torch

    usual = torch.get_num_threads()
    spawn = multiprocessing.get_context("spawn")
    started = [
        spawn.Process(target=_work, args=(help_out, threads), daemon=True) for _ in range(count)
    ]
    try:
        for each in started:
            each.start()
        torch.set_num_threads(threads)
        yield
        for each in started:
            each.join(END_SECONDS)
            if each.exitcode:
                print_note(
                    f"a process of the search ended early (exit code {each.exitcode}), and the "
                    "others did its trials; run with --jobs 1 to see why"
                )
    finally:
        torch.set_num_threads(usual)
        for each in started:
            if each.pid is not None:
                each.kill()  # a trial that it trains does not count, and is trained again
                each.join()


def _work(help_out: Callable[[], object], threads: int) -> None:
    """Help in a process of its own; the process that began it tells what came of the jobs."""
    limit_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    threading.Thread(target=_end_with_parent, daemon=True).start()
    help_out()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
