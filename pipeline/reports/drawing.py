"""Pictures drawn in a process of its own, beside what else a command does.

    command    Drawing() ........... begin(folder, pictures) ...... finish()
    process    import matplotlib ... draw ......................... end

The drawing library takes longer to import than a small head to train. The process reads one
line of JSON from stdin and writes notes on stderr. Whatever goes wrong with it, ``finish``
draws here.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from pipeline.collection import collect_seldom
from pipeline.console import print_note
from pipeline.reports.figures import Picture, draw

LIBRARY = "matplotlib.figure"

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""What keeps NumPy from starting threads: a process with threads cannot be copied soundly."""

MAX_SECONDS = 300
"""Maximum seconds to wait for the process; then the pictures are drawn here."""


class Drawing:
    """The pictures of one run. It starts the process; leaving its block ends it.

    There is no process where the drawing library is imported already: only its import is slow.

    Args:
        library: module that draws.
    """

    def __init__(self, library: str = LIBRARY) -> None:
        self._process = None if library in sys.modules else _started()
        self._folder = Path()
        self._pictures: Sequence[Picture] = ()

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            _kill(self._process)
            with suppress(OSError, ValueError):
                self._process.communicate()
            self._process = None

    def begin(self, folder: Path, pictures: Sequence[Picture]) -> None:
        """Have pictures drawn into a folder, which must exist until :meth:`finish`."""
        self._folder, self._pictures = folder, pictures
        if self._process is not None and self._process.stdin is not None:
            wanted = {"folder": str(folder), "pictures": [asdict(each) for each in pictures]}
            with suppress(OSError):
                self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
                self._process.stdin.flush()

    def finish(self) -> None:
        """Wait until the pictures are drawn; one that cannot be drawn is a note."""
        process = self._process
        if process is not None:
            notes = b""
            try:
                _, notes = process.communicate(timeout=MAX_SECONDS)
            except (OSError, subprocess.TimeoutExpired):
                _kill(process)
                process.wait()
            self._process = None
            if process.returncode == 0:
                for line in notes.decode(errors="replace").splitlines():
                    print_note(line)
                return
        draw(self._folder, self._pictures)


def _started() -> subprocess.Popen[bytes] | None:
    """Start the process; None where this is not possible, as in a program of one file."""
    if not sys.executable or getattr(sys, "frozen", False):
        return None
    # Its modules are those of this process, and no file of the working folder hides one.
    places = os.pathsep.join(os.path.abspath(place) for place in sys.path)
    with suppress(OSError):
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __spec__.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": places, **ONE_THREAD},
            start_new_session=True,  # so that its copies can be ended with it
        )
    return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process, and its copies."""
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


def main() -> None:
    """Import the drawing library, then draw what stdin says; nothing if it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever has started this ends it
    collect_seldom()
    from matplotlib.figure import Figure

    from pipeline.reports import plots  # noqa: F401  - what draw imports

    Figure(figsize=(1, 1)).savefig(io.BytesIO())  # fonts and file formats
    told = sys.stdin.buffer.readline()  # one line: stdin stays open until finish() waits
    if told:
        wanted = json.loads(told)
        _draw_side_by_side(
            Path(wanted["folder"]), [Picture(**each) for each in wanted["pictures"]]
        )


def _draw_side_by_side(folder: Path, pictures: Sequence[Picture]) -> None:
    """Draw each picture in a copy of this process, which has imported all it needs."""
    if sys.platform != "linux":  # elsewhere a copy may not be sound
        draw(folder, pictures)
        return
    copies = []
    for picture in pictures:
        copy = os.fork()
        if copy == 0:
            draw(folder, [picture])
            os._exit(0)
        copies.append(copy)
    failures = [os.waitpid(copy, 0)[1] for copy in copies]
    if any(failures):
        sys.exit(1)  # whoever has started this draws


if __name__ == "__main__":
    main()
