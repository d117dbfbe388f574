"""From texts to cached vectors: print the plan, encode what is missing, read the vectors.

Imports no torch: a warm run never pays for it. The encoder's module is imported when the
first text has to be encoded, here and nowhere else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from features.encoders.description.model import EncoderModel, find_model, find_same
from features.encoders.protocol import Encoder
from features.encoding.cluster.resources import Cluster
from features.encoding.devices import CPU, core_count, parse_devices, present
from features.encoding.job import EncodingReport
from features.encoding.plan import EncodingPlan, check_disk, plan_encoding
from features.encoding.processes import encode_on_devices
from features.encoding.serial import encode
from features.machine.hardware import AUTO
from features.probe.probe import prepare
from features.storage.buffers import on_disk
from features.store.space import Space
from features.store.store import FeatureStore
from features.text.languages import ForeignTexts
from features.vectors.spec import parse_layers
from features.vectors.table import POOLED, SENTENCES, FeatureTable
from pipeline.config import VectorConfig
from pipeline.console import print_note
from pipeline.encoding.foreign import foreign_texts
from pipeline.progress import Progress

MIN_PLANNED = 100
"""Texts to encode from which a plan is told where an encoder is at hand."""

MOST_TOKENS = 4096
"""Of the ``--max-tokens`` that is advised; beyond it a text takes seconds."""


@dataclass(frozen=True)
class Vectors:
    """The cached vectors of some texts, in the requested layouts.

    Attributes:
        model: the encoder.
        spaces: one a layout.
        plan: what there was to do.
        report: what was done.
        memory: bytes that the vectors of a table may take of it; None: half of what is
            available.
        foreign: a language that many of the texts are in and the encoder does not read.
    """

    model: EncoderModel
    spaces: tuple[Space, ...]
    plan: EncodingPlan
    report: EncodingReport
    memory: int | None = None
    foreign: ForeignTexts | None = None

    def space(self, layout: str) -> Space:
        """Return the space of one of the layouts."""
        return next(space for space in self.spaces if space.spec.layout == layout)

    def table(self, layout: str) -> FeatureTable:
        """Return the vectors of all texts, in their order."""
        table = self.space(layout).table(self.plan.keys, self.memory)
        if on_disk(table.values):
            print_note(
                f"the {layout} vectors, {table.values.nbytes / 1e9:,.2f} GB, are more than may "
                "stand in memory: they are read from a file in the cache (see --memory)"
            )
        return table

    @cached_property
    def tokens(self) -> np.ndarray:
        """Return (N,) int32: tokens of every text, before truncation."""
        return self.spaces[0].tokens(self.plan.keys)

    @property
    def truncated(self) -> np.ndarray:
        """Return (N,) bool: whether a text is truncated."""
        return self._beyond > 0

    @property
    def windowed(self) -> np.ndarray:
        """Return (N,) bool: whether a text was encoded in several windows."""
        spec = self.spaces[0].spec
        long: np.ndarray = self.tokens > (spec.max_length if spec.max_tokens else np.inf)
        return long

    def cut_share(self, rows: np.ndarray | None = None) -> float:
        """Return the share of tokens, in [0, 1], that the encoder does not see."""
        chosen = slice(None) if rows is None else rows
        tokens = int(self.tokens[chosen].sum(dtype=np.int64))
        return float(self._beyond[chosen].sum() / max(1, tokens))

    @property
    def _beyond(self) -> np.ndarray:
        """Return (N,) int64: tokens of each text that are cut off; with sentences none."""
        if self.spaces[-1].spec.layout == SENTENCES:
            return np.zeros(len(self.plan.keys), np.int64)
        limit = self.spaces[0].spec.limit
        return np.maximum(self.tokens.astype(np.int64) - limit, 0)


def open_spaces(
    config: VectorConfig, layouts: Sequence[str], model: EncoderModel
) -> tuple[Space, ...]:
    """Return the spaces of a configuration, one per layout.

    Raises:
        SettingError: an unknown layout, layer, language or prompt, or windows that are not
            needed.
        CacheError: a cache folder that cannot be read.
    """
    layers = parse_layers(config.layers, model.depth)
    prompt = model.chosen_prompt(config.prompt, config.prompt_name)
    store = FeatureStore(config.cache)
    options = config.on(named_devices(config))
    specs = [model.spec(name, layers, options, prompt=prompt) for name in layouts]
    return tuple(store.space(spec, model.label) for spec in specs)


def ensure_vectors(
    texts: Iterable[str],
    config: VectorConfig,
    layouts: Sequence[str],
    *,
    model: EncoderModel | None = None,
    load: Callable[[EncoderModel], Encoder] | None = None,
    cluster: Cluster | None = None,
) -> Vectors:
    """Cache the vectors of texts in some layouts, encoding only those that are missing.

    Args:
        texts: N texts, the same whenever they are iterated: a list, or ``CorpusTexts``, which
            reads them from a file.
        layouts: without repeats.
        model: a description at hand; None looks the configured encoder up.
        load: gives the encoder when something is missing; None loads the model itself. Who has
            an encoder at hand asks often: a plan of a few texts is not told.
        cluster: encodes; None: this machine.

    Raises:
        InputError: an encoder, cache folder, layer or layout that will not do, too little
            disk, or texts that cannot be read.
        BadVectorError: the encoder gave vectors that must not be stored.
        WorkerError: one of several processes died.
    """
    model = model or find_model(config.one_encoder, config.trust_remote_code)
    return fill(texts, config, open_spaces(config, layouts, model), model, load, cluster)


def fill(
    texts: Iterable[str],
    config: VectorConfig,
    spaces: tuple[Space, ...],
    model: EncoderModel,
    load: Callable[[EncoderModel], Encoder] | None = None,
    cluster: Cluster | None = None,
) -> Vectors:
    """Cache the vectors of texts in some spaces of one encoder, from one forward pass.

    Raises:
        InputError, BadVectorError: as ``ensure_vectors``.
    """
    plan = plan_encoding(texts, spaces)
    if load is None or len(plan.missing) >= MIN_PLANNED:
        print_note(plan_line(plan))
    foreign = foreign_texts(model, texts)
    if foreign and len(plan.missing):
        print_note(f"note: {foreign.text}")
    if len(plan.missing):
        FeatureStore(config.cache).prepare()
        check_disk(plan, config.cache)
    here = len(plan.missing) and not load and not cluster
    devices = chosen_devices(config) if here else ()
    device = devices[0] if devices else None
    own = load or partial(load_encoder, backend=config.backend, device=device)

    def ready() -> Encoder:
        encoder = own(model)
        prepare(encoder, spaces, print_note)
        return encoder

    with Progress("encoding", len(plan.missing), "texts") as progress:

        def on_batch(count: int, tokens: int) -> None:
            progress.advance(count)

        if cluster and len(plan.missing):
            from features.encoding.cluster.ray_cluster import encode_on_ray

            far = partial(load_far, model, config.backend)
            report = encode_on_ray(plan, texts, spaces, far, cluster, on_batch)
        elif len(devices) > 1:
            each = partial(load_encoder, model, config.backend)
            report = encode_on_devices(plan, texts, spaces, each, devices, on_batch)
        else:
            report = encode(plan, texts, spaces, ready, on_batch)
    return Vectors(model, spaces, plan, report, config.memory_bytes, foreign)


def plan_line(plan: EncodingPlan) -> str:
    """Return the line before encoding: texts, distinct, cached, to encode, disk space."""
    counts = f"plan: {len(plan.keys):,} texts, {plan.distinct:,} distinct"
    if not len(plan.missing):
        return f"{counts}: 0 of {plan.distinct:,} texts encoded, all cached"
    return (
        f"{counts}, {plan.cached:,} cached, {len(plan.missing):,} to encode, "
        f"about {plan.bytes_needed / 1e6:,.0f} MB of disk"
    )


def tokens_to_see(tokens: np.ndarray, limit: int) -> int:
    """Return the ``--max-tokens`` that shows 99 of 100 texts whole, at most ``MOST_TOKENS``.

    Args:
        tokens: (N,) tokens of each whole text.
        limit: tokens that are seen now.
    """
    long = max(int(np.quantile(tokens, 0.99)), limit + 1)
    return min(MOST_TOKENS, 1 << (long - 1).bit_length())


def with_pooled(layout: str) -> tuple[str, ...]:
    """Return the layout and pooled, which comes from the same forward pass and is small."""
    return (layout,) if layout == POOLED else (POOLED, layout)


def named_devices(config: VectorConfig) -> tuple[str, ...]:
    """Return the devices of a configuration; () if the encoder chooses."""
    return parse_devices(config.devices) if config.devices is not None else ()


def chosen_devices(config: VectorConfig) -> tuple[str, ...]:
    """Return the devices to encode on, one per process; () if the encoder chooses.

    Raises:
        SettingError: a device that this machine lacks.
    """
    devices = named_devices(config)
    # torch alone knows the GPUs, and nothing else is worth its import.
    asks_gpu = any(device != CPU for device in devices)
    gpus = importlib.import_module("torch").cuda.device_count() if asks_gpu else 0
    return present(devices, core_count(), gpus)


def load_encoder(
    model: EncoderModel, backend: str = AUTO, device: str | None = None
) -> Encoder:
    """Load an encoder; imports torch.

    Raises:
        EncoderError: it cannot be loaded.
        SettingError: a back end that does not run on the device.
    """
    module = importlib.import_module("features.encoders.transformer")
    encoder: Encoder = module.load_encoder(model, device, backend)
    return encoder


def load_far(model: EncoderModel, backend: str, device: str) -> Encoder:
    """Load an encoder on another machine than that which described it. Raises as
    ``load_encoder``."""
    return load_encoder(find_same(model), backend, device)
