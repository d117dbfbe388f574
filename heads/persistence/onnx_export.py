"""Export of a trained head to ONNX, which other runtimes run without torch and manyheads.

    x (texts, vectors, D) float32, mask (texts, vectors) bool  ->  logits (texts, C) float32

The first two axes may have any size, and padding may come before or after a text, as in
``Head.forward``. Only this module needs the extra ``manyheads[onnx]``.
"""

from __future__ import annotations

import copy
import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from features.errors import FaultError, SettingError
from heads.trained import TrainedHead

TEXTS, VECTORS = "texts", "vectors"
"""Names of the free axes."""

INT64 = 7
"""Number of the type int64 in ONNX."""

TOLERANCE = 1e-4
"""Maximum difference of a logit, absolute, or relative to the largest logit if that is above 1.
"""


def onnx_model(trained: TrainedHead) -> bytes:
    """Return a head as the bytes of an ONNX file, weights included.

    Its logits are compared with those of the head on texts of several lengths before.

    Raises:
        SettingError: the extra is not installed, or the head has operations that ONNX does not
            have.
        FaultError: the logits differ by more than ``TOLERANCE``.
    """
    script = import_onnxscript()
    head = copy.deepcopy(trained.module)
    _replace_lstms(head)
    texts, vectors = torch.export.Dim(TEXTS), torch.export.Dim(VECTORS)
    x = torch.zeros(3, 5, trained.width)
    mask = torch.ones(3, 5, dtype=torch.bool)
    try:
        with quiet():
            program = torch.onnx.export(
                head,
                (x, mask),
                input_names=["x", "mask"],
                output_names=["logits"],
                dynamic_shapes=({0: texts, 1: vectors}, {0: texts, 1: vectors}),
                custom_translation_table={torch.ops.aten.sort.stable: _stable_sort(script)},
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise SettingError(
            f"the head {trained.head} cannot be written as ONNX ({reason}); use it through "
            "manyheads predict"
        ) from error
    assert program is not None  # what the annotation allows for dynamo=False
    model = program.model_proto
    _check(trained, model)
    return without_traces(model)


def _check(trained: TrainedHead, model: Any) -> None:
    """Compare head and model on lengths and paddings other than those of the example."""
    run = importlib.import_module("onnx.reference").ReferenceEvaluator(model).run
    random = torch.Generator().manual_seed(0)
    for texts, vectors in ((1, 1), (4, 9)):
        x = torch.randn(texts, vectors, trained.width, generator=random)
        mask = torch.rand(texts, vectors, generator=random) < 0.7
        mask[:, 0] = True
        with torch.inference_mode():
            expected = trained.module(x, mask).numpy()
        (found,) = run(None, {"x": x.numpy(), "mask": mask.numpy()})
        worst = float(np.abs(found - expected).max())
        if not worst <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise FaultError(
                f"the ONNX model of {trained.head} must give the head's logits within "
                f"{TOLERANCE:g}, but one differs by {worst:.2g}: report this, with the version "
                f"of onnxscript and that of torch, {torch.__version__}"
            )


def import_onnxscript() -> Any:
    """Import the extra. Raises ``SettingError`` if it is missing."""
    try:
        importlib.import_module("onnx")
        return importlib.import_module("onnxscript")
    except ImportError as error:
        raise SettingError(
            f"ONNX needs packages that are not installed ({error.name}); install them with: "
            "pip install 'manyheads[onnx]'"
        ) from error


class OnnxLstm(torch.nn.LSTM):
    """ONNX's LSTM operator in place of one ``torch.nn.LSTM`` layer and direction, batch first.

    On export, torch would unroll the LSTM to the length of its example.
    """

    inputs: torch.Tensor
    recurrence: torch.Tensor
    biases: torch.Tensor

    def __init__(self, lstm: torch.nn.LSTM) -> None:
        super().__init__(lstm.input_size, lstm.hidden_size, batch_first=True, device="meta")
        of = {name: _onnx_gates(value) for name, value in lstm.named_parameters()}
        self.register_buffer("inputs", of["weight_ih_l0"][None])
        self.register_buffer("recurrence", of["weight_hh_l0"][None])
        self.register_buffer("biases", torch.cat([of["bias_ih_l0"], of["bias_hh_l0"]])[None])

    def forward(self, x: torch.Tensor, hx: None = None) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        """Return the states (B, T, U) for (B, T, D), and None in place of the final states."""
        states = torch.onnx.ops.symbolic(
            "LSTM",
            (x.transpose(0, 1), self.inputs, self.recurrence, self.biases),
            {"hidden_size": self.hidden_size},
            dtype=torch.float32,
            shape=(x.shape[1], 1, x.shape[0], self.hidden_size),
            version=14,
        )
        return states[:, 0].transpose(0, 1), None


def _onnx_gates(weights: torch.Tensor) -> torch.Tensor:
    """Reorder gates to ONNX's order (input, output, forget, cell)."""
    enter, forget, cell, leave = weights.detach().chunk(4)
    return torch.cat([enter, leave, forget, cell])


def _replace_lstms(module: torch.nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, torch.nn.LSTM):
            setattr(module, name, OnnxLstm(child))
        else:
            _replace_lstms(child)


def _stable_sort(script: Any) -> Any:
    """Return torch's stable sort, which onnxscript does not have, as a TopK of all values."""
    op = script.opset18

    def sort(self: Any, stable: bool = False, dim: int = -1, descending: bool = False) -> Any:
        count = op.Gather(op.Shape(self), op.Constant(value_ints=[dim]))
        integers = op.Cast(self, to=INT64)
        values, order = op.TopK(integers, count, axis=dim, largest=int(descending), sorted=1)
        return op.CastLike(values, self), order

    return sort


def without_traces(model: Any) -> bytes:
    """Return the model's bytes without torch's metadata, which holds paths of source files."""
    graph = model.graph
    lists = (graph.node, graph.input, graph.output, graph.value_info, graph.initializer)
    for part in (model, graph, *(each for parts in lists for each in parts)):
        del part.metadata_props[:]
    data: bytes = model.SerializeToString(deterministic=True)
    return data


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress torch's output during the export: deprecations and notes on missing packages."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
