"""One ``manyheads`` command, with the seconds of its parts: for ``fixed_cost``.

    python -m benchmarks.commands.parts FILE CLOCK TIME ARGUMENT ...   TIME: when it was started

The clock is ``wall``, or ``cpu`` for the seconds of the processor: on a busy machine wall times
mean nothing. A part's seconds are those without the parts inside it.
"""

from __future__ import annotations

import builtins
import functools
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

BEGAN = time.time()

WRAPPED = {
    "pipeline.training.preparation": {
        "read_labelled": "corpus",
        "find_encoder": "corpus",
        "check_near_copies": "near-duplicates",
    },
    "pipeline.training.experiment": {
        "make_tables": "cache",
        "cached_duplicates": "near-duplicates",
        "split_corpus": "split",
        "fold_corpus": "split",
        "run_trainings": "evaluation",
        "_result": "evaluation",
        "_with_advice": "evaluation",
        "_baselines": "baselines",
        "write_run": "files",
    },
    "pipeline.training.trainings": {"fit": "fit", "refit": "fit"},
    "pipeline.reports.drawing.Drawing": {
        "__init__": "pictures",
        "begin": "pictures",
        "finish": "pictures",
    },
    "pipeline.training.resume.FinishedTrainings": {"store": "files", "__init__": "files"},
    "pipeline.encoding.vectors.Vectors": {"table": "cache"},
}
"""Module or class -> its functions, as they are called there -> the part that they are."""

TORCH, IMPORTS = "import torch", "other imports"


class Clock:
    """Seconds by part; the innermost part that is open counts."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds: Counter[str] = Counter()
        self.open: list[str] = []
        self.last = now()

    def switch(self) -> None:
        """Count the seconds since the last change for the part that was open."""
        now = self.now()
        if self.open:
            self.seconds[self.open[-1]] += now - self.last
        self.last = now

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, which opens its part while it runs."""

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            self.open.append(part)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self.open.pop()

        return wrapper


class Imports:
    """``__import__`` with its seconds, which also wraps the functions of what is imported."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.real = clock, builtins.__import__
        self.waiting = dict(WRAPPED)

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        inside = self.clock.open[-1:] in ([TORCH], [IMPORTS])
        torch = name.partition(".")[0] == "torch" and "torch" not in sys.modules
        if not torch and (inside or name in sys.modules):
            found = self.real(name, *args, **kwargs)
        else:
            part = TORCH if torch else IMPORTS
            found = self.clock.timed(part, self.real)(name, *args, **kwargs)
        if not inside:
            self.wrap()
        return found

    def wrap(self) -> None:
        """Wrap what has been imported by now."""
        for place in [*self.waiting]:
            module, _, owner = place.rpartition(".")
            target = sys.modules.get(place) or getattr(sys.modules.get(module), owner, None)
            if target is None or _initializing(target):
                continue
            for name, part in self.waiting.pop(place).items():
                setattr(target, name, self.clock.timed(part, getattr(target, name)))


def _initializing(module: Any) -> bool:
    """Return whether a module is only half imported."""
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def main() -> int:
    """Run the command and write the seconds."""
    target, kind, started, *arguments = sys.argv[1:]
    wall = kind == "wall"
    clock = Clock(time.perf_counter if wall else time.process_time)
    clock.seconds["start of Python"] = BEGAN - float(started) if wall else time.process_time()
    builtins.__import__ = Imports(clock)
    from pipeline.cli.main import main as command

    code = clock.timed("rest", command)(arguments)
    if not wall:
        drawn = resource.getrusage(resource.RUSAGE_CHILDREN)
        clock.seconds["pictures"] += drawn.ru_utime + drawn.ru_stime
    seconds = {name: value for name, value in clock.seconds.items() if name != "rest"}
    Path(target).write_text(json.dumps(seconds), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
