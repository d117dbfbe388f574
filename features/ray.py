"""Encoding as a stage of a Ray Data pipeline, from the extra ``manyheads[ray]``.

    import ray
    from features.ray import encode_dataset

    ds = ray.data.read_parquet("texts/")
    ds = encode_dataset(ds, "text", cache="s3://bucket/cache")    # adds the column "vectors"

The vectors, and the cache, are those of ``manyheads features``: a text that is in the cache is
not encoded, and what is encoded is cached for everyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from features.api import LazyEncoder, load_encoder
from features.encoders.description.hub import EMBEDDED
from features.encoders.description.model import EncoderModel, find_same
from features.encoders.options import EncoderOptions, VectorOptions
from features.encoding.bad_vectors import BadTexts
from features.encoding.cluster.worker import UnitClock, check_seen
from features.encoding.devices import CPU, CUDA, limit_threads
from features.encoding.job import UNIT_TEXTS
from features.encoding.units import WorkUnit
from features.encoding.work import encode_unit
from features.errors import CorpusError, ManyheadsError, SettingError
from features.options import all_keywords, with_keywords
from features.probe.probe import prepare
from features.storage.location import Location
from features.store.space import Space
from features.store.store import FeatureStore
from features.text.keys import text_keys
from features.vectors.spec import FeatureSpec
from features.vectors.table import POOLED


@with_keywords(VectorOptions, EncoderOptions)
def _loaded(
    encoder: str | Path, device: str, keywords: dict[str, Any]
) -> tuple[LazyEncoder, VectorOptions]:
    """Return the encoder that keywords ask for, and what decides its vectors."""
    if device not in (CPU, CUDA):
        raise SettingError(f"device is {CPU} or {CUDA} on a cluster; got {device!r}")
    given = all_keywords(keywords, VectorOptions, EncoderOptions)
    loading = {each.name: given.pop(each.name) for each in fields(EncoderOptions)}
    lazy = load_encoder(encoder, prompt=given.pop("prompt"), **loading)
    return lazy, VectorOptions(**given).on((device,))


def _made_space(
    cache: str | Path, spec: FeatureSpec, label: str
) -> tuple[Location, FeatureSpec, str]:
    """Make the folder of a space, and return what a worker opens it by."""
    store = FeatureStore(cache)
    store.prepare()
    space = store.space(spec, label)
    space.write_manifest()  # by which a worker sees that it is the same folder
    return space.folder.absolute(), spec, label


def encode_dataset(
    ds: Any,
    column: str,
    encoder: str | Path = EMBEDDED,
    *,
    cache: str | Path = "cache",
    output: str | None = "vectors",
    layout: str = POOLED,
    layers: Sequence[int] | None = None,
    device: str = CPU,
    workers: int | None = None,
    cores: int = 1,
    batch_texts: int = UNIT_TEXTS,
    **keywords: Any,
) -> Any:
    """Return a Ray data set with the vectors of a column of texts, encoding what is missing.

    Ray starts the workers, which keep the encoder loaded, once the data set is used.

    Args:
        ds: a ``ray.data.Dataset``.
        column: the column with the texts.
        encoder: name of the embedded encoder, a folder, or a hub id.
        cache: the cache folder, which all machines of the cluster must reach.
        output: the column to add: (D,) per text in the pooled layout, otherwise (T, D); None
            adds none, and only fills the cache.
        layout, layers: as for ``features.encode``.
        device: ``cpu`` or ``cuda``; with ``cuda`` a worker takes one GPU.
        workers: number of workers; None: Ray starts as many as help.
        cores: cores of each worker.
        batch_texts: rows per call of a worker, and so maximum texts per shard.
        keywords: the fields of ``VectorOptions`` and ``EncoderOptions``.

    Raises:
        SettingError: an option is unknown, or the data set has no such column.
        EncoderError: the encoder is not available.
        CacheError: the cache folder cannot be written. A worker raises it where its machine
            does not see the folder.
    """
    names = ds.columns() or [column]
    if column not in names:
        raise SettingError(f"the data set has no column {column!r}, but {', '.join(names)}")
    lazy, options = _loaded(encoder, device, keywords)
    spec = lazy.model.spec(layout, None if layers is None else tuple(layers), options)
    place = _made_space(cache, spec, lazy.model.label)
    # Only modules of this package import Ray.
    from features.encoding.cluster.connection import actor_pool

    return ds.map_batches(
        EncodingStage,
        fn_constructor_args=(column, output, place, lazy.model, (lazy.backend, device, cores)),
        batch_size=batch_texts,
        batch_format="numpy",
        compute=actor_pool(workers),
        num_cpus=cores,
        num_gpus=int(device == CUDA),
    )


class EncodingStage:
    """A worker of ``encode_dataset``; Ray calls it with one batch after another.

    Args:
        column, output: as for ``encode_dataset``.
        place: folder, spec and model name of the space.
        model: the encoder.
        running: back end, device and number of threads of the encoder.

    Raises:
        CacheError: this machine does not see the cache folder.
    """

    def __init__(
        self,
        column: str,
        output: str | None,
        place: tuple[Location, FeatureSpec, str],
        model: EncoderModel,
        running: tuple[str, str, int],
    ) -> None:
        backend, device, threads = running
        limit_threads(threads)
        self._column, self._output = column, output
        self._space = Space(*place)
        check_seen(self._space)
        self._encoder = LazyEncoder(find_same(model), device, backend)
        self._ready = False

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the batch, with the column of vectors.

        Raises:
            CorpusError: a cell is no text, or an empty one.
            BadVectorError: NaN, infinite or all-zero vectors; those of all other texts are
                cached.
        """
        texts = [self._text(cell) for cell in batch[self._column].tolist()]
        keys = text_keys(texts)
        self._fill(keys, texts)
        if self._output is None:
            return batch
        table = self._space.table(keys)
        values = np.asarray(table.values)
        if table.layout != POOLED:
            values = np.empty(len(texts), object)
            values[:] = [table.sequence(row) for row in range(len(texts))]
        return {**batch, self._output: values}

    def __del__(self) -> None:
        """Write the index of what was committed; Ray Data calls this when a worker ends."""
        space = getattr(self, "_space", None)
        if space is not None and space.committed:
            with suppress(ManyheadsError):  # the index is derived: the next run writes it
                space.save_index()

    def _fill(self, keys: np.ndarray, texts: list[str]) -> None:
        """Encode and commit the texts that are not cached."""
        if self._space.missing(keys).any():
            self._space.refresh()  # others may have encoded them meanwhile
        missing = self._space.missing(keys)
        once = np.zeros(len(keys), bool)
        once[np.unique(keys, return_index=True)[1]] = True
        rows = np.flatnonzero(missing & once)
        if not len(rows):
            return
        if not self._ready:
            prepare(self._encoder.loaded(), [self._space])
            self._ready = True
        unit = WorkUnit(rows, keys[rows], [texts[row] for row in rows.tolist()])
        done = encode_unit(
            unit, [self._space], self._encoder, lambda texts, tokens: None, UnitClock()
        )
        bad = BadTexts()
        bad.add(done.bad, done.large)
        bad.refuse()

    def _text(self, cell: object) -> str:
        if not isinstance(cell, str) or not cell.strip():
            raise CorpusError(
                f"column {self._column!r} holds {cell!r}, which is no text: leave such rows out"
            )
        return cell
