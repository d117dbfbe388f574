"""Columns of the files of a run, without pandas: there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.runs.files.arrow import numbers, numbers_of
from pipeline.runs.files.tables import read_table


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64, bool])
@pytest.mark.parametrize("count", [0, 1, 2000])
def test_numbers_come_back(tmp_path: Path, dtype: type, count: int) -> None:
    written = np.random.default_rng(count).integers(0, 2, count).astype(dtype)
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": numbers(written)}), path, row_group_size=300)
    table = read_table(path, "train again")
    for part, expected in ((table, written), (table.slice(3, 9), written[3:12])):
        found = numbers_of(part, "a")
        assert found.dtype == written.dtype
        assert np.array_equal(found, expected)
