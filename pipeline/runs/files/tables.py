"""Parquet files of a run folder, read with the columns that they must have."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import DamagedFileError
from features.storage.files import open_file


def read_table(path: Path, remedy: str) -> pa.Table:
    """Return the table of a Parquet file. Raises ``DamagedFileError`` if it holds none."""
    try:
        with open_file(path) as file:
            table = pq.ParquetFile(file).read()  # pq.read_table imports pandas
        table.validate(full=True)  # such as bytes that are no UTF-8
        return table
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DamagedFileError(path, error, remedy) from error


def with_schema(path: Path, table: pa.Table, schema: pa.Schema, remedy: str) -> pa.Table:
    """Return the columns of a schema, none with an empty cell.

    Raises:
        DamagedFileError: one is missing, of another type, or has empty cells.
    """
    lacking = [name for name in schema.names if table.column_names.count(name) != 1]
    if lacking:
        raise DamagedFileError(path, f"it does not have one column {lacking[0]}", remedy)
    try:
        table = table.select(schema.names).cast(schema)
    except pa.ArrowException as error:
        raise DamagedFileError(path, error, remedy) from error
    empty = [name for name in schema.names if table.column(name).null_count]
    if empty:
        raise DamagedFileError(path, f"cells of the column {empty[0]} are empty", remedy)
    return table
