"""Back ends: what runs the transformer. Token ids in, hidden states out.

    BertBackend        BERT, RoBERTa and MPNet in torch, without transformers
    TorchBackend       a torch module of transformers; bfloat16 by autocast
    OpenVinoBackend    the same weights in OpenVINO (``openvino``, an extra)
    FasterBackend      begins with the first and changes to the second if that is faster

All give the same hidden states within a tolerance, so none of this is part of a FeatureSpec.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from features.encoders.backends.base import Backend, Inputs, Run
from features.encoders.backends.bert import BertBackend
from features.encoders.backends.known import Known
from features.encoders.backends.names import OPENVINO, TORCH
from features.encoders.batching import out_of_memory
from features.encoders.description.model import EncoderModel
from features.errors import EncoderError, SettingError
from features.machine.hardware import AUTO

Check = Callable[["Backend", Sequence[int], str], None]
"""Raises ``EncoderError`` if a back end gives other vectors for some layers."""


PAYS_AFTER = 100_000
"""Tokens before a conversion is tried. It takes 4 s with the embedded encoder (2 cores);
smaller jobs never convert."""

PAYS_SOON = 20_000
"""The same where torch needs transformers: a conversion is kept, and without that library every
later command starts 2 s sooner."""

FASTER = 1.05
"""Minimum speed ratio at which a run changes to the other back end."""

TRIALS = 3
TRIED_SECONDS = 1.0
"""Seconds that a run of a trial should take at most; else fewer texts are tried."""

NOTHING = torch.zeros(0)


class FasterBackend:
    """Begins with one back end, and tries another after enough texts.

    Then both run the largest batch so far in turn, and the faster one is used from there on.
    This is done once per choice of layers and precision, and what earlier runs found is used.

    Args:
        first: the back end to begin with.
        prepare: returns the other back end; its first run may take seconds.
        pays_after: tokens, padding included, that ``first`` encodes before the trial.
        clock: returns seconds.
        known: what earlier runs learned; None: nothing, and nothing is kept.

    Attributes:
        name: name of the back end in use.
        check: raises an error if the other back end must not be used; may be set at any time.
    """

    def __init__(
        self,
        first: Backend,
        prepare: Callable[[], Backend],
        pays_after: int = PAYS_AFTER,
        clock: Callable[[], float] = time.perf_counter,
        known: Known | None = None,
    ) -> None:
        self.name = first.name
        self.check: Check = lambda other, layers, precision: None
        self._first, self._prepare = first, cache(prepare)
        self._chosen: dict[tuple[tuple[int, ...], str], Backend] = {}
        self._asked: set[tuple[tuple[int, ...], str]] = set()  # what earlier runs found
        self._pays_after = self._left = pays_after
        self._largest, self._clock, self._known = Inputs(), clock, known

    def foresee(self, times: float) -> bool:
        """Try the other back end at the next batch, if so many times the work done pays for it.

        Returns:
            Whether it will be tried.
        """
        done = self._pays_after - self._left
        if self._left > 0 and done * times >= self._pays_after:
            self._left = 0
            return True
        return False

    @contextmanager
    def running(self, layers: Sequence[int], precision: str) -> Iterator[Run]:
        """Return a forward pass; see ``Backend.running``."""
        work = (tuple(layers), precision)
        if work not in self._chosen and work not in self._asked:
            self._asked.add(work)
            if found := self._before(*work):
                self._chosen[work] = found
        with ExitStack() as stack:

            def start() -> Run:
                backend = self._chosen.get(work, self._first)
                self.name = backend.name
                return stack.enter_context(backend.running(*work))

            run = start()

            def counted(inputs: Inputs) -> dict[int, Tensor]:
                nonlocal run
                size = inputs["input_ids"].numel()
                if size >= self._largest.get("input_ids", NOTHING).numel():
                    self._largest = inputs
                # Between two batches: a few long texts may be one work unit without a pause.
                if self._left <= 0 and work not in self._chosen:
                    self._chosen[work] = self._faster(*work)
                    run = start()
                self._left -= size
                try:
                    return run(inputs)
                except (EncoderError, RuntimeError):  # it does not work, and was not asked for
                    if self._chosen.get(work, self._first) is self._first:
                        raise
                self._chosen[work] = self._first
                run = start()
                return run(inputs)

            yield counted

    def _before(self, layers: Sequence[int], precision: str) -> Backend | None:
        """Return what earlier runs found to be faster.

        None if they found nothing, or if the model would have to be converted, which pays only
        after some work.
        """
        seconds = self._known and self._known.seconds(layers, precision)
        if not self._known or not seconds:
            return None
        if seconds[0] < FASTER * seconds[1]:
            return self._first
        if self._known.segments() is None or not self._known.checked(layers, precision):
            return None
        try:
            other = self._prepare()
            self.check(other, layers, precision)  # for these vectors; what it found is kept
        except (EncoderError, RuntimeError):
            return self._first
        return other

    def _faster(self, layers: Sequence[int], precision: str) -> Backend:
        try:
            other = self._prepare()
            self.check(other, layers, precision)
            seconds = trial([self._first, other], self._largest, layers, precision, self._clock)
        except (EncoderError, RuntimeError) as error:  # it does not work, and was not asked for
            if self._known and isinstance(error, EncoderError) and not out_of_memory(error):
                self._known.note_refused(layers, precision)
            return self._first
        if self._known:
            self._known.note_seconds(layers, precision, seconds)
        return other if seconds[0] >= FASTER * seconds[1] else self._first


def trial(
    backends: Sequence[Backend],
    inputs: Inputs,
    layers: Sequence[int],
    precision: str,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Return the best time of each back end for one batch, in seconds.

    The back ends run in turn, after one run of each to warm up. Of a batch that takes a slow
    encoder long, only some texts are run.
    """
    best = [float("inf")] * len(backends)
    for turn in range(1 + TRIALS):
        for index, backend in enumerate(backends):
            with torch.no_grad(), backend.running(layers, precision) as run:
                start = clock()
                run(inputs)  # casts weights, compiles kernels
                warm = clock()
                run(inputs)
                seconds = clock() - warm
            if turn:
                best[index] = min(best[index], seconds)
            elif index == 0:
                inputs = _some(inputs, TRIED_SECONDS / max(warm - start, 1e-9))
    return best


def _some(inputs: Inputs, share: float) -> Inputs:
    """Return a share of the texts of a batch, at least one; all of them from 1 on."""
    texts = len(inputs["input_ids"])
    some = max(1, min(texts, int(share * texts)))
    return {name: tensor[:some].contiguous() for name, tensor in inputs.items()}


def known_of(model: EncoderModel, backend: str, device: torch.device) -> Known | None:
    """Return what earlier runs learned about a model; None where OpenVINO cannot run it."""
    if backend == TORCH or device.type != "cpu":
        return None
    return Known(model, torch.get_num_threads())


def make_backend(
    name: str,
    own: Backend,
    load: Callable[[], Any],
    device: torch.device,
    options: dict[str, Any],
    known: Known | None = None,
) -> Backend:
    """Return the back end of a name for a transformer on its device.

    Args:
        name: ``torch``, ``openvino``, or ``auto``: openvino if it is installed, the device is a
            CPU and it proves faster; otherwise torch.
        own: the one in torch.
        load: returns the transformer, the same every time; called if it is to be converted.
        device: where it is.
        options: arguments of every forward pass.
        known: what earlier runs learned about it; None: nothing, and nothing is kept.

    Raises:
        SettingError: ``name`` is openvino, which is not installed, or the device is a GPU.
        EncoderError: ``name`` is openvino, which does not work here.
    """
    on_gpu = device.type != "cpu"
    if name == TORCH or (name == AUTO and (on_gpu or not installed())):
        return own
    if on_gpu:
        raise SettingError(
            f"--backend {OPENVINO} runs on the processor, and the device is "
            f"{device}; pass --devices cpu, or --backend {TORCH}"
        )
    if not installed():
        raise SettingError(
            f"--backend {OPENVINO} needs a package that is not installed: pip install "
            f"'manyheads[openvino]', or pass --backend {TORCH}"
        )

    def converted() -> Backend:
        try:
            module = importlib.import_module("features.encoders.backends.openvino")
            backend: Backend = module.OpenVinoBackend(load, options, known)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise EncoderError(
                f"OpenVINO is installed and does not work here ({reason}); "
                f"install it again, or choose --backend {TORCH}"
            ) from error
        return backend

    if name == OPENVINO:
        return converted()
    pays_after = PAYS_AFTER if isinstance(own, BertBackend) else PAYS_SOON
    return FasterBackend(own, converted, pays_after, known=known)


def installed() -> bool:
    """Return whether OpenVINO is installed; imports nothing."""
    return importlib.util.find_spec("openvino") is not None
