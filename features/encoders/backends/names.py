"""The names of the back ends for ``--backend``."""

from __future__ import annotations

from features.machine.hardware import AUTO

TORCH = "torch"
OPENVINO = "openvino"
BACKENDS = (AUTO, TORCH, OPENVINO)
"""What can run an encoder here (``features.encoders.backends.selection``); auto takes the
faster one."""
