"""Columns of the files of a run, without pandas: there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import DamagedFileError
from pipeline.runs.files.arrow import numbers, numbers_of
from pipeline.runs.files.tables import read_table


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64, bool])
@pytest.mark.parametrize("count", [0, 1, 2000])
def test_numbers_come_back(tmp_path: Path, dtype: type, count: int) -> None:
    written = np.random.default_rng(count).integers(0, 2, count).astype(dtype)
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": numbers(written)}), path, row_group_size=300)
    table = read_table(path, "train again")
    nothing = pa.table({"a": pa.chunked_array([], table.schema.field("a").type)})
    for part, expected in (
        (table, written),
        (table.slice(3, 9), written[3:12]),
        (pa.concat_tables([table, table]), np.concatenate([written, written])),
        (nothing, written[:0]),
    ):
        found = numbers_of(part, "a")
        assert found.dtype == written.dtype
        assert np.array_equal(found, expected)


def test_empty_cells_and_other_types_are_refused() -> None:
    table = pa.table({"a": [1, None], "b": ["x", "y"]})
    for name in table.column_names:
        with pytest.raises(ValueError, match=r"(lacks|instead of) numbers"):
            numbers_of(table, name)


def test_a_file_whose_text_is_damaged_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": ["plain text"]}), path, compression="none")
    path.write_bytes(path.read_bytes().replace(b"plain text", b"plain \xfe\xff\xfe\xff"))
    with pytest.raises(DamagedFileError, match=r"table.parquet is damaged .*train again"):
        read_table(path, "train again")
