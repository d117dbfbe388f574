"""What earlier runs learned about an encoder on this machine, so that it is learned once.

    Known(model).seconds(layers, precision)    of a batch in both back ends
    Known(model).conversion()                  the model as OpenVINO converted it

    $XDG_CACHE_HOME/manyheads/results/<digest>      records (~/.cache by default)
    $XDG_CACHE_HOME/manyheads/converted/<digest>    model.xml, model.bin

The name is a digest of the encoder's weights, of this code, of the packages, and of the
processor where that counts. So nothing is ever stale, and all of it may be deleted.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from features.encoders.description.model import EncoderModel
from features.machine.hardware import processor
from features.storage import results
from features.storage.location import user_folder

CODE = (
    "features.encoders.backends.known",
    "features.encoders.backends.bert",
    "features.encoders.backends.bert_shape",
    "features.encoders.backends.openvino",
    "features.encoders.backends.pytorch",
    "features.encoders.backends.selection",
    "features.encoders.loading",
    "features.encoders.text_tokenizer",
    "features.encoders.transformer",
    "features.vectors.precision",
)
"""Modules that decide how a model is loaded, converted and compared."""

PACKAGES = ("torch", "transformers", "tokenizers", "openvino")
"""Packages whose versions may change a conversion, or which back end is faster."""

SPARE_BYTES = 2**30
"""Bytes that a conversion leaves free on its disk, usually that of the home folder."""

UNUSED_DAYS = 90
"""Days since the last use after which a conversion is removed."""

CONVERTED, GRAPH, TEMPORARY = "converted", "model.xml", ".tmp-"
SEGMENTS, DIGEST = "token_type_ids", "digest"


class Known:
    """What is known about one encoder on this machine; all methods may be called at any time.

    Args:
        model: which encoder. Nothing is kept of one that runs Python code of its own.
        threads: number of threads that its products use.
    """

    def __init__(self, model: EncoderModel, threads: int) -> None:
        self._parts = (model.weights, model.tokenizer, model.family)
        self._here = (processor(), str(threads))
        self._root: Path | None = None
        if not model.trust_remote_code and len(results.installed(PACKAGES)) == len(PACKAGES):
            try:
                self._root = user_folder()
            except RuntimeError:  # no home folder
                return

    def seconds(self, layers: Sequence[int], precision: str) -> tuple[float, float] | None:
        """Return the seconds of a batch in torch and in OpenVINO; None: they were not tried."""
        found = self._read("seconds", layers, precision)
        if found is None:
            return None
        torch, openvino = found["seconds"].tolist()
        return torch, openvino

    def note_seconds(
        self, layers: Sequence[int], precision: str, seconds: Sequence[float]
    ) -> None:
        """Keep the seconds of a batch in torch and in OpenVINO, for each of the layers, too."""
        self._write({"seconds": np.array(seconds)}, "seconds", layers, precision)

    def note_refused(self, layers: Sequence[int], precision: str) -> None:
        """Keep that OpenVINO gave other hidden states for these layers: torch is faster."""
        path = self._work("seconds", layers, precision)
        if path is not None:
            results.write(path, {"seconds": np.array([0.0, np.inf])})

    def checked(self, layers: Sequence[int], precision: str) -> bool:
        """Return whether the conversion was compared with torch on this machine."""
        return self._read("checked", layers, precision) is not None

    def note_checked(self, layers: Sequence[int], precision: str) -> None:
        """Keep that the conversion gave the hidden states of torch, each of the layers."""
        self._write({"checked": np.ones(1)}, "checked", layers, precision)

    def segments(self) -> bool | None:
        """Return whether the model takes segment ids; None if no conversion is kept."""
        found = self._converted()
        if found is None or not self._folder().exists():
            return None
        return bool(found[SEGMENTS].item())

    def conversion(self) -> Path | None:
        """Return the graph of the conversion, which has its weights beside it.

        None if none is kept, or if it is damaged.
        """
        found = self._converted()
        if found is None:
            return None
        graph = self._folder() / GRAPH
        try:
            if _digest(graph) != found[DIGEST].tobytes():
                return None
            os.utime(graph.parent)
        except OSError:
            return None
        return graph

    def keep(self, save: Callable[[Path], object], segments: bool) -> bool:
        """Keep a conversion, if it can be written and the disk has room for it.

        Args:
            save: writes the graph to a file, and the weights beside it.
            segments: whether the model takes segment ids.

        Returns:
            Whether it is kept.
        """
        record = self._path("conversion")
        if record is None or self._root is None:
            return False
        folder = self._folder()
        with suppress(OSError, RuntimeError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            _remove_unused(folder.parent)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=TEMPORARY) as beside:
                made = Path(beside) / folder.name
                made.mkdir()
                save(made / GRAPH)
                if shutil.disk_usage(made).free < SPARE_BYTES:
                    return False
                digest = _digest(made / GRAPH)
                shutil.rmtree(folder, ignore_errors=True)  # damaged, or of another process
                made.rename(folder)
            results.write(
                record,
                {SEGMENTS: np.array(segments), DIGEST: np.frombuffer(digest, np.uint8)},
            )
            return record.exists()
        return False

    def _converted(self) -> results.Arrays | None:
        path = self._path("conversion")
        return None if path is None else results.read(path)

    def _folder(self) -> Path:
        record = self._path("conversion")
        assert record is not None
        return record.parents[1] / CONVERTED / record.name

    def _path(self, *what: str) -> Path | None:
        if self._root is None:
            return None
        return results.path_of(self._root, (*what, *self._parts), CODE, PACKAGES)

    def _work(self, what: str, layers: Sequence[int], precision: str) -> Path | None:
        return self._path(what, ",".join(map(str, layers)), precision, *self._here)

    def _read(self, what: str, layers: Sequence[int], precision: str) -> results.Arrays | None:
        path = self._work(what, layers, precision)
        return None if path is None else results.read(path)

    def _write(
        self, arrays: results.Arrays, what: str, layers: Sequence[int], precision: str
    ) -> None:
        """Keep it for some layers together, and for each of them alone unless that is known:
        encoding for one layout is followed by predicting with less.
        """
        alone = [(layer,) for layer in layers if len(layers) > 1]
        missing = [each for each in alone if self._read(what, each, precision) is None]
        for some in (layers, *missing):
            path = self._work(what, some, precision)
            if path is not None:
                results.write(path, arrays)


def _digest(graph: Path) -> bytes:
    """Return the SHA-256 of the digests of a graph and of its weights."""
    whole = hashlib.sha256()
    for path in (graph, graph.with_suffix(".bin")):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.digest()


def _remove_unused(folder: Path) -> None:
    """Remove conversions that were not used for long, and what killed processes left."""
    for other in folder.iterdir():
        days = 1 if other.name.startswith(TEMPORARY) else UNUSED_DAYS
        with suppress(OSError):
            if other.stat().st_mtime < time.time() - days * 24 * 3600:
                shutil.rmtree(other, ignore_errors=True)
