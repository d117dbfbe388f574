"""A file of TensorBoard events.

``torch.utils.tensorboard`` writes the same records, but imports for it more than all else that
a run writes; the messages themselves are TensorBoard's.
"""

from __future__ import annotations

import os
import platform
import struct
import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

VERSION = "brain.Event:2"
POLYNOMIAL = 0x82F63B78
"""Of CRC-32C (Castagnoli), bits reversed."""

MASK = 0xA282EAD8
"""What TensorBoard adds to a checksum, so that one of data with checksums in them is sound."""


def _table() -> tuple[int, ...]:
    """Return the CRC-32C of every byte."""
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
        found.append(byte)
    return tuple(found)


TABLE = _table()


class EventFile:
    """Events in memory until :meth:`write`, all of the same time."""

    def __init__(self) -> None:
        self.time = time.time()
        self._records = bytearray()
        self._add(Event(wall_time=self.time, file_version=VERSION))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Add a number at a step."""
        self._summary(Summary.Value(tag=tag, simple_value=value), step)

    def text(self, tag: str, text: str) -> None:
        """Add a text in Markdown."""
        plugin = SummaryMetadata.PluginData(plugin_name="text")
        tensor = TensorProto(
            dtype="DT_STRING",
            string_val=[text.encode()],
            tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
        )
        metadata = SummaryMetadata(plugin_data=plugin)
        value = Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=tensor)
        self._summary(value, 0)

    def write(self, folder: Path) -> None:
        """Write the events into a folder, which is made; TensorBoard knows the file by name."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(self.time)}.{platform.node()}.{os.getpid()}.0"
        (folder / name).write_bytes(self._records)

    def _summary(self, value: Summary.Value, step: int) -> None:
        self._add(Event(wall_time=self.time, step=step, summary=Summary(value=[value])))

    def _add(self, event: Event) -> None:
        """Add a record: length, checksum of the length, message, checksum of the message."""
        data = event.SerializeToString()
        length = struct.pack("<Q", len(data))
        for part in (length, data):
            self._records += part + struct.pack("<I", masked_checksum(part))


def masked_checksum(data: bytes) -> int:
    """Return the CRC-32C of bytes, rotated and masked as TensorBoard has it."""
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = TABLE[(checksum ^ byte) & 0xFF] ^ checksum >> 8
    checksum ^= 0xFFFFFFFF
    return ((checksum >> 15 | checksum << 17) + MASK) & 0xFFFFFFFF
