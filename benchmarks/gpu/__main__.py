"""Heads and encoder on a GPU: agreement with the CPU, determinism, memory and times.

    python -m benchmarks.gpu --out results                    # the first GPU, 4 minutes
    python -m benchmarks.gpu --out results --seconds 600
    python -m benchmarks.gpu --out results --device cpu:0 --scale 0.05    # a try without a GPU

Everything is made up from a seed: vectors in the shapes of isear and banking77, and an encoder
of all-MiniLM-L6-v2's size with random weights, which is as fast as a trained one. ``gpu.json``
is written again after each part, so a run that is cut short still tells what it saw.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from features.vectors.table import POOLED, TOKENS, FeatureTable
from heads.device import CPU, CUDA, device_label, find_device
from heads.problem import Problem
from heads.registry import HEADS, head_type, make_settings
from heads.settings import TrainingSettings
from heads.trained import fit, refit
from heads.training import device_vectors, trainer
from heads.training.inference import compute_logits
from heads.training.trainer import Trainer, start, training_on

LOGITS, LOSSES, ACCURACY = 1e-3, 1e-2, 0.05
"""Tolerances: of a logit predicted in float32, relative to the largest; of the loss of an epoch
in float32 without dropout; and of the accuracy with the default settings, on 300 texts."""

BY_STEPS = [name for name in HEADS if issubclass(HEADS[name].settings, TrainingSettings)]
TIMED = ("cnn", "lstm", "attention")
VARIANTS: Mapping[str, tuple[str, dict[str, object]]] = {
    **{name: (name, {}) for name in BY_STEPS},
    "cnn_valid_norm": ("cnn", {"padding": "valid", "batch_norm": True}),
    "cnn_flatten": ("cnn", {"pooling": "flatten", "max_vectors": 20}),
    "lstm_last_2_layers": ("lstm", {"layers": 2, "pooling": "last"}),
    "lstm_recurrent_dropout": ("lstm", {"recurrent_dropout": 0.2}),
    "attention_both_focal": (
        "attention",
        {"beside": "both", "loss": "focal", "class_weights": "balanced"},
    ),
    "meanmax_hardest_sgd": ("meanmax", {"loss": "hardest", "optimizer": "sgd", "dense": (64,)}),
    "cnn_lstm_sequential": ("cnn_lstm", {"form": "sequential", "optimizer": "rmsprop"}),
}
"""Heads and the settings whose operations differ."""

QUIET: dict[str, object] = {
    "precision": "float32",
    "input_dropout": 0.0,
    "dropout": 0.0,
    "layer_dropout": 0.0,
    "recurrent_dropout": 0.0,
}
"""Nothing random and nothing rounded in training, so that two devices can be compared."""


@dataclass(frozen=True)
class Shape:
    """Texts, mean vectors per text, and classes of a corpus."""

    texts: int
    vectors: int
    classes: int


SHAPES = {"isear": Shape(7600, 28, 7), "banking77": Shape(13083, 15, 77)}


def made_up(shape: Shape, device: str = CPU, width: int = 384, seed: int = 0) -> Problem:
    """Return texts of which one vector tells the class; a fifth of them validates."""
    random = np.random.default_rng(seed)
    spread = random.lognormal(-0.15, 0.55, shape.texts)
    lengths = np.clip((shape.vectors * spread).astype(np.int64), 2, 8 * shape.vectors)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    labels = np.arange(shape.texts) % shape.classes
    values = random.standard_normal((offsets[-1], width), dtype=np.float32)
    signs = random.standard_normal((shape.classes, width), dtype=np.float32)
    values[offsets[:-1] + random.integers(0, lengths)] += 1.2 * signs[labels]
    table = FeatureTable(values.astype(np.float16), offsets, TOKENS)
    rows = random.permutation(shape.texts)
    held = shape.texts // 5
    names = tuple(map(str, range(shape.classes)))
    return Problem(table, labels, rows[held:], rows[:held], shape.classes, names, device)


def pooled(problem: Problem) -> Problem:
    """Return the same texts with the mean of each text's vectors."""
    table = problem.table
    sums = np.add.reduceat(table.values.astype(np.float32), table.offsets[:-1], axis=0)
    values = (3 * sums / table.lengths[:, None]).astype(np.float16)
    return replace(problem, table=FeatureTable(values, np.arange(len(values) + 1), POOLED))


class Report:
    """``gpu.json``: results by part, written again whenever one is added."""

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "gpu.json"
        self.started = time.perf_counter()
        self.seconds = seconds
        self.parts: dict[str, Any] = {}

    @property
    def left(self) -> float:
        return self.seconds - (time.perf_counter() - self.started)

    def add(self, part: str, name: str, values: object) -> None:
        self.parts.setdefault(part, {})[name] = values
        self.parts["seconds"] = round(time.perf_counter() - self.started, 1)
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(self.parts, indent=1, default=str) + "\n", "utf-8")
        temporary.replace(self.path)
        print(f"[{self.parts['seconds']:6.1f} s] {part}, {name}: {values}", flush=True)

    @contextmanager
    def part(self, part: str, name: str, least: float = 5.0) -> Iterator[dict[str, Any] | None]:
        """Collect values; an error becomes one of them. None: no time is left for it."""
        if self.left < least:
            self.add(part, name, "not run: the time was up")
            yield None
            return
        values: dict[str, Any] = {}
        begun = time.perf_counter()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                yield values
            except Exception as error:  # what fails must not hide what works
                values["error"] = f"{type(error).__name__}: {error}"[:600]
        if said:
            values["warnings"] = sorted({str(each.message)[:300] for each in said})
        values["took"] = round(time.perf_counter() - begun, 2)
        self.add(part, name, values)


def known(head: str, wanted: Mapping[str, object]) -> dict[str, object]:
    fields = head_type(head).settings.model_fields
    return {name: value for name, value in wanted.items() if name in fields}


def agreement(report: Report, device: str, problem: Problem) -> None:
    """Compare logits, losses of some steps and accuracies of every head on both devices."""
    flat = pooled(problem)
    for name, (head, more) in VARIANTS.items():
        with report.part("agreement", name) as values:
            if values is None:
                continue
            own = flat if head == "mlp" else problem
            quiet = make_settings(head, {**known(head, QUIET), **more, "epochs": 1})
            if more.get("recurrent_dropout"):
                quiet = quiet.model_copy(update={"recurrent_dropout": 0.0})
            one_epoch(values, head, quiet, own, device)
            usual = make_settings(head, {"epochs": 4, **more})
            scores = {}
            for place in (CPU, device):
                sides = own.train, own.validation, own.names
                found = fit(head, usual, own.table, own.labels, *sides, 0, device=place)
                scores[place] = found.history[-1].validation_accuracy
            values["accuracy"] = scores
            gap = abs(scores[device] - scores[CPU])
            values["agrees"] = bool(values.pop("close") and gap <= ACCURACY)


def one_epoch(
    values: dict[str, Any], head: str, settings: Any, problem: Problem, device: str
) -> None:
    """Train an epoch on both devices without dropout, and predict with one head on both."""
    sides = problem.train, problem.validation, problem.names
    here, there = (
        fit(head, settings, problem.table, problem.labels, *sides, 0, device=place)
        for place in (CPU, device)
    )
    rows = np.arange(len(problem.table))
    logits = here.logits(problem.table, rows)
    apart = np.abs(here.logits(problem.table, rows, device) - logits).max()
    values["logits apart"] = float(apart / max(1.0, np.abs(logits).max()))
    losses = [each.history[0].train_loss for each in (here, there)]
    values["losses without dropout"] = losses
    values["weights apart"] = float(
        max(np.abs(there.state[key] - value).max() for key, value in here.state.items())
    )
    close = abs(losses[1] - losses[0]) <= LOSSES * max(1.0, losses[0])
    values["close"] = values["logits apart"] <= LOGITS and close


def determinism(report: Report, device: str, problem: Problem) -> None:
    """Train and refit twice with one seed; the weights must be the same bit for bit."""
    flat = pooled(problem)
    for name, (head, more) in VARIANTS.items():
        with report.part("determinism", name) as values:
            if values is None:
                continue
            own = flat if head == "mlp" else problem
            settings = make_settings(head, {"epochs": 3, **more})
            sides = own.train, own.validation, own.names
            every = np.arange(len(own.table))
            runs = []
            for _ in range(2):
                first = fit(head, settings, own.table, own.labels, *sides, 7, device=device)
                again = refit(first, own.table, own.labels, every, 7, device)
                logits = again.logits(own.table, every, device)
                runs.append([*first.state.values(), *again.state.values(), logits])
            same = [a.tobytes() == b.tobytes() for a, b in zip(*runs, strict=True)]
            values["same bits"] = all(same)


@contextmanager
def forced(**names: object) -> Iterator[None]:
    """Replace functions of the trainer, to time what a card would not choose by itself."""
    kept = {name: getattr(trainer, name) for name in names}
    for name, value in names.items():
        setattr(trainer, name, value)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(trainer, name, value)


def epochs(
    report: Report, device: str, name: str, head: str, problem: Problem, count: int, **more: Any
) -> None:
    """Time epochs of training alone, then one prediction of all texts."""
    with report.part("epochs", name) as values:
        if values is None:
            return
        settings = make_settings(head, {"epochs": 20, **more})
        assert isinstance(settings, TrainingSettings)
        on_gpu = device.startswith(CUDA)
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        with training_on(device, settings.precision):
            begun = time.perf_counter()
            trained: Trainer = start(
                head_type(head).build, settings, replace(problem, device=device), 0
            )
            values["start"] = round(time.perf_counter() - begun, 3)
            times = timed(lambda epoch: trained.learn(epoch), count)
        values["bfloat16"] = trained.bfloat16
        values["steps per epoch"] = trained.steps // settings.epochs
        values["first epoch"], values["epoch"] = times[0], float(np.median(times[1:] or times))
        values["milliseconds per step"] = 1e3 * values["epoch"] / values["steps per epoch"]
        every = np.arange(len(problem.table))
        values["predict all"] = min(
            timed(lambda _: compute_logits(trained.averaged, problem.table, every, device), 2)
        )
        if on_gpu:
            values["peak MB"] = round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
            values["vectors MB"] = round(problem.table.values.nbytes / 1e6, 1)


def timed(call: Callable[[int], object], count: int) -> list[float]:
    """Return the seconds of each of ``count`` calls, which are numbered from 1."""
    seconds = []
    for number in range(1, count + 1):
        begun = time.perf_counter()
        call(number)
        seconds.append(round(time.perf_counter() - begun, 4))
    return seconds


def gpu_epochs(report: Report, device: str, name: str, problem: Problem) -> None:
    """Every timed head in the precision of the card, in others, and with streamed vectors."""
    for head in TIMED:
        epochs(report, device, f"{name} {head}", head, problem, 5)
    for head in TIMED:
        exact = f"{name} {head}, float32"
        epochs(report, device, exact, head, problem, 4, precision="float32")
        with forced(use_bfloat16=lambda *_: False):
            epochs(report, device, f"{name} {head}, TF32", head, problem, 4)
    room, device_vectors.free_memory = device_vectors.free_memory, lambda _: 0
    try:
        table = FeatureTable(problem.table.values, problem.table.offsets, TOKENS)
        streamed = replace(problem, table=table)  # another table: the first stays on the GPU
        for head in TIMED:
            epochs(report, device, f"{name} {head}, streamed", head, streamed, 3)
    finally:
        device_vectors.free_memory = room


def machine(device: str) -> dict[str, Any]:
    """Return what the run ran on."""
    found: dict[str, Any] = {
        "device": device_label(device),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "processor": platform.processor(),
    }
    if device.startswith(CUDA):
        facts = torch.cuda.get_device_properties(device)
        found |= {
            "capability": [facts.major, facts.minor],
            "memory GB": round(facts.total_memory / 1e9, 1),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return found


def summary(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what failed, and how many times as fast as the CPU the epochs are."""
    wrong = []
    for part in ("machine", "epochs", "determinism", "agreement", "encoding"):
        for name, values in parts.get(part, {}).items():
            if isinstance(values, str):
                wrong.append(f"{part}, {name}: {values}")
            elif "error" in values:
                wrong.append(f"{part}, {name}: {values['error']}")
            elif values.get("same bits") is False or values.get("agrees") is False:
                wrong.append(f"{part}, {name}")
    seconds = {
        name: values["epoch"]
        for name, values in parts.get("epochs", {}).items()
        if isinstance(values, dict) and "epoch" in values
    }
    ratios = {
        name.removesuffix(", cpu"): round(taken / seconds[name.removesuffix(", cpu")], 2)
        for name, taken in seconds.items()
        if name.endswith(", cpu") and name.removesuffix(", cpu") in seconds
    }
    return {"wrong": wrong, "times as fast as the CPU": ratios}


def encoding(report: Report, device: str, scale: float) -> None:
    """Compare the encoder with sentence-transformers on the same device."""
    with report.part("encoding", "import") as values:
        if values is not None:
            from benchmarks.gpu.encoding import compare

            values["compared"] = True
            texts = max(64, round(7600 * scale))
    if values is not None and "error" not in values:
        compare(report, device, texts)


def main() -> int:
    """Run all parts, the most telling first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of gpu.json")
    parser.add_argument("--seconds", type=float, default=240.0, help="of all parts together")
    parser.add_argument("--device", default=CUDA, help="cuda:N; cpu:0 tries the script alone")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the texts")
    options = parser.parse_args()
    device = options.device if options.device == "cpu:0" else find_device(options.device)
    if device == "cpu:0":
        device_vectors.free_memory = lambda _: 1 << 40
    report = Report(options.out, options.seconds)
    with report.part("machine", "machine") as values:
        if values is not None:
            values |= machine(device)
    shapes = {
        name: replace(shape, texts=max(8 * shape.classes, round(shape.texts * options.scale)))
        for name, shape in SHAPES.items()
    }
    problems = {name: made_up(shape, width=384) for name, shape in shapes.items()}
    small = made_up(Shape(max(100, round(1500 * options.scale)), 12, 5), width=96)
    for head in TIMED:
        epochs(report, device, f"isear {head}, first", head, problems["isear"], 4)
    determinism(report, device, small)
    agreement(report, device, small)
    encoding(report, device, options.scale)
    for name, problem in problems.items():
        gpu_epochs(report, device, name, problem)
    for name, problem in problems.items():
        for head in TIMED:
            epochs(report, CPU, f"{name} {head}, cpu", head, problem, 2)
    found = summary(report.parts)
    report.add("machine", "summary", found)
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
