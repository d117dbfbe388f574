"""Training epochs against a plain PyTorch loop of the same architecture and batch size.

The plain loop is what one writes first: DataLoader, pad_sequence, nn.Conv1d or a packed
nn.LSTM, float32, AdamW. Both sides take their epochs in turn and are then compared on the
same validation texts, so that speed is not bought with accuracy.

    python -m benchmarks.heads                      # made-up features of isear's shape
    make bench ARGS="--data my.csv"                 # labelled texts of one's own
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Result, in_turn
from features.encoders.roofline import measured_peak
from features.vectors.table import TOKENS, FeatureTable
from heads.architectures.attention import AttentionSettings
from heads.architectures.cnn import CnnSettings
from heads.architectures.lstm import LstmSettings
from heads.problem import Problem
from heads.registry import head_type, make_settings
from heads.settings import TrainingSettings
from heads.training.inference import compute_logits
from heads.training.trainer import Trainer, use_bfloat16

GOALS = {"cnn": 2.5, "lstm": 1.8, "attention": 2.0}
EPOCHS = 6


class PlainCnn(torch.nn.Module):
    """Parallel Conv1d, ReLU, maximum over real positions, dropout, dense."""

    def __init__(self, settings: CnnSettings, width: int, classes: int) -> None:
        super().__init__()
        self.convolutions = torch.nn.ModuleList(
            torch.nn.Conv1d(width, settings.filters, kernel, padding="same")
            for kernel in settings.kernels
        )
        self.dropout = torch.nn.Dropout(settings.dropout)
        self.output = torch.nn.Linear(settings.filters * len(settings.kernels), classes)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        padding = (torch.arange(x.shape[1]) >= lengths[:, None])[:, None]
        x = x.transpose(1, 2)
        maps = [torch.relu(convolution(x)) for convolution in self.convolutions]
        pooled = [each.masked_fill(padding, 0.0).amax(dim=2) for each in maps]
        return self.output(self.dropout(torch.cat(pooled, dim=1)))


class PlainLstm(torch.nn.Module):
    """A packed bidirectional LSTM, maximum over real positions, dropout, dense."""

    def __init__(self, settings: LstmSettings, width: int, classes: int) -> None:
        super().__init__()
        units = settings.units
        self.lstm = torch.nn.LSTM(width, units, batch_first=True, bidirectional=True)
        self.dropout = torch.nn.Dropout(settings.dropout)
        self.output = torch.nn.Linear(2 * units, classes)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, padding_value=-torch.inf
        )
        return self.output(self.dropout(states.amax(dim=1)))


class PlainAttention(torch.nn.Module):
    """Softmax-weighted means by several queries over real positions, dropout, dense."""

    def __init__(self, settings: AttentionSettings, width: int, classes: int) -> None:
        super().__init__()
        self.scores = torch.nn.Linear(width, settings.queries)
        self.values = torch.nn.Linear(width, settings.values)
        self.dropout = torch.nn.Dropout(settings.dropout)
        self.output = torch.nn.Linear(settings.values * settings.queries, classes)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        padding = (torch.arange(x.shape[1]) >= lengths[:, None])[:, :, None]
        scores = self.scores(x).masked_fill(padding, -torch.inf)
        values = torch.relu(self.values(x))
        found = torch.einsum("btq,btd->bqd", torch.softmax(scores, dim=1), values)
        return self.output(self.dropout(found.flatten(1)))


PLAIN = {"cnn": PlainCnn, "lstm": PlainLstm, "attention": PlainAttention}


class Texts(Dataset[tuple[torch.Tensor, int]]):
    """The vectors and label of one text at a time, in float32."""

    def __init__(self, problem: Problem, rows: np.ndarray) -> None:
        self.problem = problem
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        row = self.rows[index]
        vectors = self.problem.table.sequence(row).astype(np.float32)
        return torch.from_numpy(vectors), int(self.problem.labels[row])


def collate(
    items: list[tuple[torch.Tensor, int]],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x = pad_sequence([vectors for vectors, _ in items], batch_first=True)
    lengths = torch.tensor([len(vectors) for vectors, _ in items])
    return x, lengths, torch.tensor([label for _, label in items])


class PlainLoop:
    """The usual training loop."""

    def __init__(
        self, head: torch.nn.Module, settings: TrainingSettings, problem: Problem
    ) -> None:
        self.head = head
        self.settings = settings
        size = settings.batch_size
        self.train = DataLoader(Texts(problem, problem.train), size, True, collate_fn=collate)
        self.validation = DataLoader(
            Texts(problem, problem.validation), size, collate_fn=collate
        )
        self.optimizer = torch.optim.AdamW(
            head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            settings.learning_rate,
            total_steps=settings.epochs * len(self.train),
            pct_start=settings.warmup,
        )

    def epoch(self) -> None:
        self.head.train()
        smoothing = self.settings.label_smoothing
        for x, lengths, labels in self.train:
            logits = self.head(x, lengths)
            loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.head.parameters(), self.settings.clip)
            self.optimizer.step()
            self.schedule.step()

    @torch.inference_mode()
    def accuracy(self) -> float:
        self.head.eval()
        right = [
            self.head(x, lengths).argmax(dim=1) == labels
            for x, lengths, labels in self.validation
        ]
        return float(torch.cat(right).float().mean())


def operations(
    settings: TrainingSettings, width: int, classes: int, lengths: np.ndarray
) -> float:
    """Floating-point operations of a training epoch over sequences, without their padding.

    Two for each weight and vector forwards, and as many for the gradient of the weights; as
    many again for the gradient of what went in, where that is not the frozen input.

    Args:
        lengths: (n,) vectors a text.
    """
    if isinstance(settings, CnnSettings):
        each = 4 * width * settings.filters * sum(settings.kernels)
        pooled = settings.filters * len(settings.kernels)
    elif isinstance(settings, LstmSettings):
        directions = 1 + settings.bidirectional
        each = directions * (4 * width + 6 * settings.units) * 4 * settings.units
        pooled = directions * settings.units
    else:
        assert isinstance(settings, AttentionSettings)
        queries, values = settings.queries, settings.values
        each = 4 * width * (queries + values) + 6 * queries * values
        pooled = queries * values
    return float(each * lengths.sum() + 6 * pooled * classes * len(lengths))


def compare(name: str, problem: Problem, epochs: int = EPOCHS) -> Result:
    """Median seconds of a training epoch of one head, ours against the plain loop.

    One member on both sides: an ensemble of ours is that many plain loops.
    """
    settings = make_settings(name, {"epochs": epochs, "members": 1})
    assert isinstance(settings, TrainingSettings)
    torch.manual_seed(0)
    width = problem.table.width
    head = head_type(name).build(settings, width, problem.classes)
    head.inputs.measure(problem.table, problem.train)
    ours = Trainer(head, settings, problem, seed=0)
    theirs = PlainLoop(PLAIN[name](settings, width, problem.classes), settings, problem)
    passes = iter(range(1, epochs + 1))
    own, plain = in_turn(epochs, lambda: ours.learn(next(passes)), theirs.epoch)
    logits = compute_logits(ours.averaged, problem.table, problem.validation)
    right = logits.argmax(axis=1) == problem.labels[problem.validation]
    lengths = problem.table.lengths[problem.train]
    precision = "bfloat16" if use_bfloat16(settings.precision) else "float32"
    needed = operations(settings, width, problem.classes, lengths)
    notes: dict[str, float | str] = {
        "texts": len(problem.train),
        "share of the roofline": needed / own / measured_peak(precision),
        "in": precision,
        "validation accuracy": float(right.mean()),
        "of the plain loop": theirs.accuracy(),
    }
    title = f"a training epoch of {name} against a plain PyTorch loop"
    return Result(title, own, plain, GOALS[name], notes)


def run(problem: Problem, epochs: int = EPOCHS) -> Iterator[Result]:
    """All of them."""
    return (compare(name, problem, epochs) for name in PLAIN)


def made_up_problem(texts: int = 6500, width: int = 384, classes: int = 7) -> Problem:
    """As many and as long texts as isear's training and validation; the class shows faintly."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(3.15, 0.55, texts).astype(np.int64), 3, 195)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    labels = np.arange(texts) % classes
    values = random.standard_normal((offsets[-1], width), dtype=np.float32)
    values[offsets[:-1] + random.integers(0, lengths)] += (
        1.2 * random.standard_normal((classes, width), dtype=np.float32)[labels]
    )
    table = FeatureTable(values.astype(np.float16), offsets, TOKENS)
    train, validation = train_test_split(
        np.arange(texts), test_size=0.2, stratify=labels, random_state=0
    )
    return Problem(table, labels, train, validation, classes)


def main() -> int:
    """Print a line a comparison, or one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heads", description=__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each side, in turn")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = list(run(made_up_problem(), options.epochs))
    if options.json:
        rows = [{**asdict(result), "ratio": result.ratio} for result in results]
        sys.stdout.write(json.dumps({"results": rows}) + "\n")
    else:
        for result in results:
            print(result.line())
    return 0 if all(result.reached for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
