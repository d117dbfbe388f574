"""``manyheads features --estimate``: what encoding a corpus would take, before it is done.

    texts --plan--> distinct, cached, missing (exact)
    a random sample --tokenize--> tokens, vectors and bytes of all (estimated)
    as many of them as take some seconds --encode--> tokens per second here (measured)

Nothing is written, neither to the cache nor elsewhere.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any

import numpy as np

from features.encoders.description.model import EncoderModel, find_model
from features.encoders.protocol import Encoder, backend_name
from features.encoders.segmentation import sentences
from features.encoding.devices import CUDA
from features.encoding.plan import EncodingPlan, plan_encoding
from features.probe.probe import probe
from features.storage.storage import storage_of
from features.store.space import Space, missing_by_space
from features.text.keys import text_keys
from features.vectors.precision import STORED_DTYPES, vector_bytes
from features.vectors.sizes import ROW_BYTES
from features.vectors.spec import DEFAULT_LAYOUTS, FeatureSpec, parse_layers
from features.vectors.table import POOLED, SENTENCES, TOKENS
from pipeline.config import DataConfig, VectorConfig
from pipeline.console import print_note
from pipeline.corpora import stream_texts
from pipeline.encoding.estimate import Estimate, Measured, Stored, TokenCounts
from pipeline.encoding.vectors import (
    chosen_devices,
    load_encoder,
    open_spaces,
    with_pooled,
)

SAMPLE = 2048
"""Texts from which the tokens of all are estimated."""

MIN_SAMPLE = 256
"""Missing texts that a sample of the corpus must have; else the first missing ones serve."""

SECONDS = 5.0
"""Seconds of encoding from which the speed is measured, at least, if there are enough texts."""

WARM_UP = 64
"""Texts that are encoded before the speed is measured, and texts that are measured first."""

Load = Callable[[EncoderModel], Encoder]


class SampledTexts:
    """Texts that pass through, of which a random sample is kept, the same every time.

    Args:
        texts: as for ``plan_encoding``.
        size: maximum texts of the sample.

    Attributes:
        sample: the sample of the texts of the last iteration.
    """

    def __init__(self, texts: Iterable[str], size: int = SAMPLE) -> None:
        self._texts, self._size = texts, size
        self.sample: list[str] = []

    def __iter__(self) -> Iterator[str]:
        """Yield all texts (Li's algorithm L: it draws only where a text enters the sample)."""
        rng = random.Random(0)
        self.sample = []
        weight, due = 1.0, self._size - 1
        for position, text in enumerate(self._texts):
            if position < self._size:
                self.sample.append(text)
            elif position == due:
                self.sample[rng.randrange(self._size)] = text
            if position == due:
                weight *= math.exp(math.log(1 - rng.random()) / self._size)
                due += 1 + int(math.log(1 - rng.random()) / math.log1p(-weight))
            yield text


def run_estimate(
    data: DataConfig,
    vectors: VectorConfig,
    layout: str | None,
    workers: int | None = None,
    *,
    load: Load | None = None,
) -> Estimate:
    """Estimate what ``manyheads features`` would do with these options.

    Args:
        layout: as for ``run_features``.
        workers: number of workers of a cluster to tell beside the usual ones.
        load: gives the encoder; None loads the model itself.

    Raises:
        InputError: data, an encoder or settings that will not do.
    """
    start, layouts = time.perf_counter(), with_pooled(layout) if layout else DEFAULT_LAYOUTS
    model = find_model(vectors.one_encoder, vectors.trust_remote_code)
    spaces = open_spaces(vectors, layouts, model)
    texts = SampledTexts(stream_texts(data))
    plan = plan_encoding(texts, spaces)
    planning = time.perf_counter() - start
    sample = _missing_sample(plan, texts.sample, spaces)
    measured, tokens = None, np.zeros(0, np.int32)
    if sample:
        print_note(f"measuring: some of {len(sample):,} random texts are encoded, not stored")
        measured, tokens = _measure(plan, sample, spaces, model, vectors, load)
    distinct_keys = np.unique(plan.keys)
    cached = ~missing_by_space(distinct_keys, spaces).any(axis=1)
    counts = TokenCounts(
        spaces[0].tokens(distinct_keys[cached]), tokens, len(plan.missing), spaces[0].spec.limit
    )
    stored = _stored(plan.distinct, counts, texts.sample, model, vectors)
    per_layout = {
        one.layout: one.bytes / plan.distinct for one in stored if one.dtype == vectors.dtype
    }
    free = storage_of(vectors.cache).free_bytes()
    return Estimate(
        texts=len(plan.keys),
        distinct=plan.distinct,
        missing=len(plan.missing),
        counts=counts,
        sentences=SENTENCES in layouts,
        planning=planning,
        measured=measured,
        stored=stored,
        layouts=tuple(layouts),
        dtype=vectors.dtype,
        bytes_needed=round(
            sum(
                per_layout[space.spec.layout] * count
                for space, count in zip(spaces, plan.missing_by_space.sum(axis=0), strict=True)
            )
        ),
        bytes_free=None if math.isinf(free) else int(free),
        cache=str(vectors.cache),
        workers=workers,
    )


def _missing_sample(
    plan: EncodingPlan, sample: Sequence[str], spaces: Sequence[Space]
) -> list[str]:
    """Return random texts that are not cached yet, or the first of them where those are rare.

    Args:
        sample: random texts of the corpus.
    """
    rng = random.Random(0)
    if len(plan.held) < len(plan.missing):
        distinct = list(dict.fromkeys(sample))
        lacking = missing_by_space(text_keys(distinct), spaces)
        found = list(compress(distinct, map(any, lacking)))
        if len(found) >= MIN_SAMPLE:
            rng.shuffle(found)
            return found
    return rng.sample(plan.held, min(SAMPLE, len(plan.held)))


def _measure(
    plan: EncodingPlan,
    sample: list[str],
    spaces: Sequence[Space],
    model: EncoderModel,
    vectors: VectorConfig,
    load: Load | None,
) -> tuple[Measured, np.ndarray]:
    """Return the speed of the encoder, and (n,) int32 tokens of random missing texts."""
    lacking = map(any, plan.missing_by_space.T)
    specs = [space.spec for space in compress(spaces, lacking)]
    devices = chosen_devices(vectors)
    start = time.perf_counter()
    encoder = (
        load(model) if load else load_encoder(model, vectors.backend, next(iter(devices), None))
    )
    if hasattr(encoder, "unpadded"):  # without padding it is slower; this notes nothing
        probe(encoder, specs, print_note)
    loading = time.perf_counter() - start
    warm = min(WARM_UP, len(sample) // 4)
    tokens = _warmed(encoder, sample[:warm], specs, len(plan.missing) / max(1, warm))
    seconds, timed = _timed(encoder, sample[warm:], specs)
    seen = int(np.minimum(timed, TokenCounts.limit_of(specs)).sum(dtype=np.int64))
    counted: Any = getattr(encoder, "tokens", None)
    gpus = sum(device.startswith(CUDA) for device in devices)
    own = str(getattr(encoder, "device", ""))
    measured = Measured(
        texts=len(timed),
        seconds=seconds,
        tokens_per_second=max(1, gpus) * seen / seconds,
        loading=loading,
        devices=devices or ((own,) if own else ()),
        backend=backend_name(encoder),
        precision=specs[0].precision,
    )
    every = counted(sample, specs[0].prompt) if counted else np.concatenate([tokens, timed])
    return measured, every


def _warmed(
    encoder: Encoder, texts: list[str], specs: Sequence[FeatureSpec], times: float
) -> np.ndarray:
    """Encode a few texts before the speed is measured; return (n,) int32 tokens of each.

    Args:
        times: texts of the whole run per text of these.
    """
    if not texts:
        return np.zeros(0, np.int32)
    block = encoder.encode(texts, specs, lambda *_: None)[0]
    foresee: Any = getattr(getattr(encoder, "backend", None), "foresee", None)
    if foresee and foresee(times):  # a long run changes its back end on the way
        encoder.encode(texts, specs, lambda *_: None)
    return block.tokens


def _timed(
    encoder: Encoder, sample: list[str], specs: Sequence[FeatureSpec]
) -> tuple[float, np.ndarray]:
    """Encode texts for some seconds, in ever larger parts, as batches of many pad less.

    Returns:
        The seconds, and (n,) int32 tokens of each text that was encoded.
    """
    size, spent, tokens = WARM_UP, 0.0, [np.zeros(0, np.int32)]
    while sample and spent < SECONDS:
        part, sample = sample[:size], sample[size:]
        start = time.perf_counter()
        block = encoder.encode(part, specs, lambda *_: None)[0]
        spent += time.perf_counter() - start
        tokens.append(block.tokens)
        size *= 2
    return max(spent, 1e-9), np.concatenate(tokens)


def _stored(
    distinct: int,
    counts: TokenCounts,
    sample: Sequence[str],
    model: EncoderModel,
    vectors: VectorConfig,
) -> tuple[Stored, ...]:
    """Return how many bytes all texts take, in each layout and stored type."""
    layers = parse_layers(vectors.layers, model.depth)
    split = [len(sentences(text, vectors.language)) for text in sample]
    per_text = {
        POOLED: 1.0,
        TOKENS: counts.seen / distinct,
        SENTENCES: float(np.mean(split)),
    }
    widths = {
        POOLED: model.pooled_width,
        TOKENS: model.width * len(layers or (0,)),
        SENTENCES: model.pooled_width,
    }
    return tuple(
        Stored(
            layout,
            dtype,
            round(distinct * (ROW_BYTES + number * vector_bytes(dtype, widths[layout]))),
        )
        for layout, number in per_text.items()
        for dtype in STORED_DTYPES
    )
