"""The event file as TensorBoard reads it, and its checksums against those of TensorBoard."""

from __future__ import annotations

import math
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from pipeline.training.events import EventFile, masked_checksum


def test_checksums_are_those_of_tensorboard() -> None:
    for data in (b"", b"a", b"123456789", bytes(range(256)) * 3):
        assert masked_checksum(data) == masked_crc32c(data)


def test_tensorboard_reads_what_was_added(tmp_path: Path) -> None:
    events = EventFile()
    events.scalar("loss/train", 0.25, 1)
    events.scalar("loss/train", math.nan, 2)
    events.text("errors", "| a | ü |")
    events.write(tmp_path / "run")
    found = EventAccumulator(str(tmp_path / "run")).Reload()
    first, second = found.Scalars("loss/train")
    assert (first.step, first.value, second.step) == (1, 0.25, 2)
    assert math.isnan(second.value)
    (text,) = found.Tensors("errors/text_summary")
    assert text.tensor_proto.string_val[0].decode() == "| a | ü |"
    assert found.SummaryMetadata("errors/text_summary").plugin_data.plugin_name == "text"
