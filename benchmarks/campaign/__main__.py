"""``python -m benchmarks.campaign``: attack a small world; exit code 1 if a promise broke.

faults   accidents to the files of a cache: no wrong vector, no traceback, mended by --fix
kills    SIGKILL at random moments, then the same command: nothing lost, verify clean
disks    any number of bytes free: one line, exit code 2, nothing half written or left
inputs   odd command lines, corpora, runs, encoders: exit code 0, or 2 with one line
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.campaign import disks, faults, inputs, kills
from benchmarks.campaign.world import World

PARTS = {
    "faults": faults.campaign,
    "kills": kills.campaign,
    "disks": disks.campaign,
    "inputs": inputs.campaign,
}


def main() -> int:
    """Run the parts in turn: a line per failure on stdout, a line per part on stderr."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.campaign", description=__doc__)
    for name, count in (("faults", 400), ("kills", 300), ("disks", 100), ("inputs", 1000)):
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    failed = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        world = World(Path(folder))
        for name, part in PARTS.items():
            start, count = time.perf_counter(), getattr(options, name)
            held = count
            for line in part(world, count, options.seed):
                held -= 1
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
            failed += count - held
            seconds = time.perf_counter() - start
            sys.stderr.write(f"{name}: {held:,} of {count:,} held, {seconds:,.0f} s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
