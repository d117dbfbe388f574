"""Export: write the vectors of a corpus, in its order, in formats for other tools.

    npy      (rows, D) array; for the sequence layouts also PATH.offsets.npy, (N + 1,) int64:
             the vectors of text i are the rows offsets[i]:offsets[i + 1]
    arrow    Arrow IPC file: the corpus' columns, and vectors as fixed_size_list
    parquet  the same columns as conventional Parquet, in float32, which every reader takes
    hf       a Hugging Face data set folder for ``datasets.load_from_disk``

Everything is written slice by slice under a temporary name, and renamed when it is complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.corpus.corpus import Corpus
from features.corpus.source import Source
from features.errors import SettingError
from features.messages import listed
from features.outputs.output import appearing, check_output
from features.store.space import Space
from features.text.keys import text_keys
from features.vectors.precision import table_dtype
from features.vectors.ragged import slices_by_size
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED, FeatureTable

SLICE_TEXTS = 8192
SLICE_BYTES = 64 * 2**20
SUFFIXES = {"npy": ".npy", "arrow": ".arrow", "parquet": ".parquet", "hf": ""}
"""Format -> suffix of its files; ``hf`` is a folder."""

FORMATS = tuple(SUFFIXES)
VECTORS = "vectors"


@dataclass(frozen=True)
class Export:
    """What was written: the files or the folder, and the shape of all vectors."""

    paths: tuple[Path, ...]
    texts: int
    rows: int
    width: int
    dtype: str


def check_export(path: Path, form: str, reads: Iterable[Source | str] = ()) -> None:
    """Raise an error, before anything is encoded, if an export cannot succeed.

    Args:
        path: the file or folder to write.
        form: the format.
        reads: files and folders that the command reads.

    Raises:
        SettingError: the format is unknown, or the path does not fit it.
        OutputError: the file cannot be written.
    """
    if form not in FORMATS:
        raise SettingError(f"unknown format {form!r}; the formats are {listed(FORMATS)}")
    if form != "hf" and path.suffix != SUFFIXES[form]:
        raise SettingError(f"--out {path} must end in {SUFFIXES[form]} for the format {form}")
    if form == "hf" and path.exists():
        raise SettingError(f"--out {path} exists; an hf data set is a new folder: name another")
    for each in (path, _offsets_path(path)) if form == "npy" else (path,):
        check_output(each, "--out", reads)


def export(space: Space, corpus: Corpus, path: Path, form: str) -> Export:
    """Write the vectors of a corpus, all of which are cached, in corpus order.

    Args:
        space: the space of the vectors.
        corpus: the texts.
        path: the file or folder to write.
        form: the format.

    Raises:
        SettingError: see ``check_export``.
        OutputError: the file cannot be written.
        CacheError, CorruptShardError: the vectors cannot be read.
    """
    check_export(path, form)
    if form == "npy":
        return _export_npy(space, corpus, path)
    dtype = "float32" if form == "parquet" else table_dtype(space.spec.dtype)
    schema = arrow_schema(corpus, space.spec, dtype)
    with appearing(path, "--out", folder=form == "hf") as temporary:
        if form == "parquet":
            with pq.ParquetWriter(temporary, schema) as writer:
                rows = _write_batches(writer, space, corpus, schema)
        elif form == "arrow":
            with pa.ipc.new_file(temporary, schema) as writer:
                rows = _write_batches(writer, space, corpus, schema)
        else:
            rows = _write_hf(temporary, space, corpus, schema)
    return Export((path,), len(corpus), rows, space.spec.width, dtype)


def arrow_schema(corpus: Corpus, spec: FeatureSpec, dtype: str) -> pa.Schema:
    """Return the schema: text, label and split if the corpus has them, and the vectors."""
    vector = pa.list_(pa.from_numpy_dtype(np.dtype(dtype)), spec.width)
    names = ["text"] + [n for n in ("label", "split") if getattr(corpus, f"{n}s") is not None]
    fields = [pa.field(name, pa.string()) for name in names]
    fields.append(pa.field(VECTORS, vector if spec.layout == POOLED else pa.list_(vector)))
    return pa.schema(fields).with_metadata({"manyheads.spec": spec.to_json()})


def slices(space: Space, corpus: Corpus) -> Iterator[tuple[slice, FeatureTable]]:
    """Yield slices of the corpus with their vectors, each of limited size."""
    keys = text_keys(corpus.texts)
    sizes = space.lengths(keys).astype(np.int64) * space.spec.bytes_per_vector
    with space.keep_open():
        for run in slices_by_size(sizes, SLICE_TEXTS, SLICE_BYTES):
            yield run, space.table(keys[run])


def _write_batches(writer: Any, space: Space, corpus: Corpus, schema: pa.Schema) -> int:
    rows = 0
    for run, table in slices(space, corpus):
        writer.write_batch(_batch(run, table, corpus, schema))
        rows += len(table.values)
    return rows


def _batch(
    run: slice, table: FeatureTable, corpus: Corpus, schema: pa.Schema
) -> pa.RecordBatch:
    vector = schema.field(VECTORS).type
    if table.layout != POOLED:
        vector = vector.value_type
    values = np.ascontiguousarray(table.values, dtype=vector.value_type.to_pandas_dtype())
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=vector)
    if table.layout != POOLED:
        vectors = pa.ListArray.from_arrays(pa.array(table.offsets, pa.int32()), vectors)
    columns = [getattr(corpus, f"{name}s")[run] for name in schema.names if name != VECTORS]
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays([*arrays, vectors], schema=schema)


def _export_npy(space: Space, corpus: Corpus, path: Path) -> Export:
    lengths = space.lengths(text_keys(corpus.texts))
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    shape, dtype = (int(offsets[-1]), space.spec.width), table_dtype(space.spec.dtype)
    paths = [path]
    with appearing(path, "--out") as values:
        _write_npy(values, shape, dtype, (table.values for _, table in slices(space, corpus)))
        if space.spec.layout != POOLED:
            paths.append(_offsets_path(path))
            with appearing(paths[1], "--out") as beside:
                _write_npy(beside, offsets.shape, "int64", [offsets])
    return Export(tuple(paths), len(corpus), shape[0], shape[1], dtype)


def _write_npy(
    path: Path, shape: tuple[int, ...], dtype: str, parts: Iterable[np.ndarray]
) -> None:
    """Write an array that comes in parts.

    It is not memory-mapped, since a full disk under a memory map would kill the process.
    """
    kind = np.dtype(dtype).newbyteorder("<")
    header = {"descr": kind.str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, kind).data.cast("B"))


def _offsets_path(path: Path) -> Path:
    return path.with_suffix(".offsets.npy")


def _write_hf(folder: Path, space: Space, corpus: Corpus, schema: pa.Schema) -> int:
    """Write the folder of ``datasets.Dataset.save_to_disk``, as plain Arrow and JSON."""
    name = "data-00000-of-00001.arrow"
    kinds = {field.name: hf_feature(field.type) for field in schema}
    marked = schema.with_metadata({"huggingface": json.dumps({"info": {"features": kinds}})})
    with pa.ipc.new_stream(folder / name, marked) as writer:
        rows = _write_batches(writer, space, corpus, marked)
    state: dict[str, Any] = {
        "_data_files": [{"filename": name}],
        "_fingerprint": corpus.digest[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    info = {"citation": "", "description": "", "features": kinds, "homepage": "", "license": ""}
    (folder / "state.json").write_text(json.dumps(state, indent=2), encoding="utf-8")
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2), encoding="utf-8")
    return rows


def hf_feature(kind: pa.DataType) -> dict[str, Any]:
    """Return how ``datasets`` describes an Arrow type in ``dataset_info.json``.

    All versions read "Sequence"; only version 4 and later read its new name "List".
    """
    if pa.types.is_fixed_size_list(kind):
        inner = hf_feature(kind.value_type)
        return {"feature": inner, "length": kind.list_size, "_type": "Sequence"}
    if pa.types.is_list(kind):
        return {"feature": hf_feature(kind.value_type), "_type": "Sequence"}
    name = "float16" if pa.types.is_float16(kind) else "float32"
    return {"dtype": "string" if pa.types.is_string(kind) else name, "_type": "Value"}
