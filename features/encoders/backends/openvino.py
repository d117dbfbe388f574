"""The OpenVINO back end, converted from the torch module, or from a conversion that was kept.

Only this module imports openvino, which is an extra.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from features.encoders.backends.base import Inputs, Run
from features.encoders.backends.known import SEGMENTS, Known
from features.encoders.backends.names import OPENVINO
from features.errors import EncoderError
from features.vectors.precision import MIN_COSINE

# Without this package the converter works, and does not report every use to its makers.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
openvino = importlib.import_module("openvino")

CHECKED = 4
"""Number of texts that are compared with torch after the conversion."""

PRECISION_HINTS = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}


class HiddenStates(torch.nn.Module):
    """A transformer as a function of tensors only, which can be traced."""

    def __init__(self, transformer: Any, options: dict[str, Any]) -> None:
        super().__init__()
        self.transformer, self.options = transformer, options

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return the hidden states (B, T, D) of all layers, embeddings first, for (B, T)
        inputs.
        """
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            inputs["token_type_ids"] = token_type_ids
        hidden: tuple[Tensor, ...] = self.transformer(
            **inputs, **self.options, output_hidden_states=True, return_dict=True
        ).hidden_states
        return tuple(hidden)


class OpenVinoBackend:
    """A transformer converted once, and compiled for each choice of layers and precision.

    Args:
        load: returns the model, on the CPU; its weights are shared, not copied. It is not
            called if a conversion is kept that was compared with it before.
        options: arguments of every forward pass.
        known: what earlier runs learned about the model; None: nothing, and nothing is kept.
    """

    name = OPENVINO

    def __init__(
        self, load: Callable[[], Any], options: dict[str, Any], known: Known | None
    ) -> None:
        self._load, self._options, self._known = load, options, known
        self._core = openvino.Core()
        self._model: Any = None
        self._kept = False
        self._requests: dict[tuple[tuple[int, ...], str], Any] = {}

    @cached_property
    def _module(self) -> HiddenStates:
        return HiddenStates(self._load(), self._options).eval()

    @contextmanager
    def running(self, layers: Sequence[int], precision: str) -> Iterator[Run]:
        """Return a forward pass; the first run converts, and compares some texts with torch.

        Raises:
            EncoderError: the model cannot be converted, or gives other hidden states.
        """
        chosen = tuple(layers)

        def run(inputs: Inputs) -> dict[int, Tensor]:
            request = self._requests.get((chosen, precision))
            if request is None:
                request = self._compile(inputs, chosen, precision)
                if not (self._known and self._kept and self._known.checked(chosen, precision)):
                    self._check(request, inputs, chosen, precision)
                    request = self._keep(request, inputs, chosen, precision)
                self._requests[chosen, precision] = request
            return dict(zip(chosen, _infer(request, inputs), strict=True))

        yield run

    def _compile(self, inputs: Inputs, layers: tuple[int, ...], precision: str) -> Any:
        """Return an inference request for some layers; the layers above are not computed."""
        settings = {
            "INFERENCE_PRECISION_HINT": PRECISION_HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            # With pinning, several processes would all take the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._model = self._model or self._read(list(inputs)) or self._convert([*inputs])
            outputs = [self._model.outputs[layer] for layer in layers]
            model = openvino.Model(outputs, self._model.get_parameters())
            return self._core.compile_model(model, "CPU", settings).create_infer_request()
        except Exception as error:
            raise EncoderError(
                "this encoder cannot be converted to OpenVINO "
                f"({str(error).strip().partition(chr(10))[0]}); pass --backend torch"
            ) from error

    def _check(
        self, request: Any, inputs: Inputs, layers: tuple[int, ...], precision: str
    ) -> None:
        """Compare with torch on the texts of a batch, which are not those of the trace."""
        some = {name: tensor[:CHECKED].contiguous() for name, tensor in inputs.items()}
        mask = some["attention_mask"].bool()
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            hidden = self._module(**some)
        for layer, got in zip(layers, _infer(request, some), strict=True):
            cosines = torch.nn.functional.cosine_similarity(got, hidden[layer], dim=-1)
            min_cosine = float(cosines[mask].min())
            if not min_cosine >= MIN_COSINE[precision]:
                raise EncoderError(
                    "OpenVINO does not give the hidden states that torch gives for this "
                    f"encoder (cosine {min_cosine:.4f} in layer {layer}); pass --backend torch"
                )

    def _read(self, names: list[str]) -> Any:
        """Return the conversion that is kept for such inputs; None if there is none."""
        graph = self._known and self._known.conversion()
        if graph is None:
            return None
        with suppress(RuntimeError):  # it is converted again
            model = self._core.read_model(graph)
            self._kept = len(model.inputs) == len(names)
            return model if self._kept else None
        return None

    def _keep(
        self, request: Any, inputs: Inputs, layers: tuple[int, ...], precision: str
    ) -> Any:
        """Keep the conversion, and that it was compared with torch; return the request to use.

        A conversion that is kept now is read again and compared as well: later runs use that.
        """
        if self._known is None:
            return request
        if not self._kept and self._known.keep(
            lambda graph: openvino.save_model(self._model, graph, compress_to_fp16=False),
            segments=SEGMENTS in inputs,
        ):
            self._model = None
            request = self._compile(inputs, layers, precision)
            self._check(request, inputs, layers, precision)
        if self._kept:
            self._known.note_checked(layers, precision)
        return request

    def _convert(self, names: list[str]) -> Any:
        with warnings.catch_warnings(), torch.no_grad(), torch.autocast("cpu", enabled=False):
            # They are about values that the trace takes as constant, which they are.
            warnings.simplefilter("ignore")
            return openvino.convert_model(self._module, example_input=_example(names))


def _infer(request: Any, inputs: Inputs) -> list[Tensor]:
    """Return a request's outputs, which are in its own memory and valid until its next run."""
    arrays = [tensor.numpy() for tensor in inputs.values()]
    outputs = request.infer(arrays, share_inputs=True, share_outputs=True)
    return [torch.from_numpy(outputs[index]) for index in range(len(outputs))]


def _example(names: list[str]) -> Inputs:
    """Return inputs for the trace: two texts, one of them padded, so that the mask counts."""
    example = {name: torch.zeros((2, 8), dtype=torch.int64) for name in names}
    example["attention_mask"][0] = 1
    example["attention_mask"][1, :5] = 1
    return example
