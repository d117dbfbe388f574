"""``knn``: the k nearest training texts vote, by cosine of pooled vectors; validation chooses
k.

Nothing is learned, so the score shows what the encoder's vectors give by themselves. faiss
searches among training and validation texts; the head itself is one product and a top-k, so
that it can be exported like any other.
"""

from __future__ import annotations

import time
from typing import Any

import faiss
import numpy as np
import torch

from features.vectors.table import FeatureTable
from heads.architectures.settings import KnnSettings
from heads.evaluation.metrics import accuracy, log_loss
from heads.head import Head
from heads.layers.standardize import statistics
from heads.problem import EpochRecord, Fitted, OnEpoch, Problem

# Training texts at the most that are asked for their own neighbours, for the history alone.
ASKED = 10_000


class KnnHead(Head):
    """The logarithms of the shares of the votes as logits.

    Attributes:
        vectors: (n, D) float32 buffer, unit vectors of the training texts.
        votes: (n, C) float32 buffer, 1 at each text's class.
        k: number of texts that vote, stored as the buffer ``neighbors``.
    """

    vectors: torch.Tensor
    votes: torch.Tensor

    def __init__(self, settings: KnnSettings, width: int, classes: int) -> None:
        super().__init__()
        self.temperature = settings.temperature
        self.smoothing = settings.smoothing
        self.classes = classes
        self.k = 1
        self.register_buffer("vectors", torch.zeros(1, width))
        self.register_buffer("votes", torch.zeros(1, classes))
        self.register_buffer("neighbors", torch.ones(1))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See :meth:`Head.forward`; of several positions the mean is used."""
        real = x.to(self.vectors.dtype).masked_fill(~mask[:, :, None], 0.0)
        query = torch.nn.functional.normalize(real.sum(dim=1), dim=1)
        cosines, rows = torch.topk(query @ self.vectors.t(), self.k, dim=1)
        weights = torch.ones_like(cosines)
        if self.temperature:
            weights = torch.exp((cosines - cosines[:, :1]) / self.temperature)
        shares = (self.votes[rows] * weights[:, :, None]).sum(1) / weights.sum(1, keepdim=True)
        return torch.log((1 - self.smoothing) * shares + self.smoothing / self.classes)

    def _load_from_state_dict(
        self, state_dict: dict[str, torch.Tensor], prefix: str, *rest: Any
    ) -> None:
        """Resize the buffers to the number of texts in the state before loading it."""
        for name, buffer in (("vectors", self.vectors), ("votes", self.votes)):
            if prefix + name in state_dict:
                texts = len(state_dict[prefix + name])
                setattr(self, name, buffer.new_empty(texts, buffer.shape[1]))
        if prefix + "neighbors" in state_dict:
            self.k = int(state_dict[prefix + "neighbors"])
        super()._load_from_state_dict(state_dict, prefix, *rest)


def fit_knn(
    settings: KnnSettings, problem: Problem, seed: int, on_epoch: OnEpoch | None = None
) -> Fitted:
    """Store the training texts and choose k.

    Best is the highest validation accuracy, ties broken by the lower validation loss. Nothing
    is random, so the seed is not used.

    Raises:
        BadVectorError: a training vector is not finite.
    """
    started = time.perf_counter()
    statistics(problem.table, problem.train)  # refuses what is not finite
    vectors = _unit(problem.table, problem.train)
    labels = problem.labels[problem.train]
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    max_k = min(settings.k[-1], max(1, len(vectors) - 1))
    held_out = index.search(_unit(problem.table, problem.validation), max_k)
    asked = np.arange(min(len(vectors), ASKED))
    own = _without_self(*index.search(vectors[asked], min(max_k + 1, len(vectors))), asked)
    history: list[EpochRecord] = []
    best, best_k, best_key = 0, 1, (-np.inf, -np.inf)
    for k in sorted({min(k, max_k) for k in settings.k}):
        train = _logits(settings, *own, labels, k, problem.classes)
        validation = _logits(settings, *held_out, labels, k, problem.classes)
        now = time.perf_counter()
        epoch = len(history) + 1
        record = _record(epoch, k, train, labels[asked], validation, problem, now - started)
        started = now
        history.append(record)
        if on_epoch is not None:
            on_epoch(record)
        key = (record.validation_accuracy, -record.held_out_loss)
        if key > best_key:
            best, best_k, best_key = epoch, k, key
    return Fitted(_state(vectors, labels, best_k, problem.classes), tuple(history), best)


def refit_knn(
    settings: KnnSettings, problem: Problem, seed: int, best: EpochRecord
) -> dict[str, np.ndarray]:
    """Store all texts, with the k that was best."""
    vectors = _unit(problem.table, problem.train)
    labels = problem.labels[problem.train]
    return _state(vectors, labels, int(best.value), problem.classes)


def _state(
    vectors: np.ndarray, labels: np.ndarray, k: int, classes: int
) -> dict[str, np.ndarray]:
    """Return the state of a :class:`KnnHead` with n texts."""
    votes = np.zeros((len(labels), classes), dtype=np.float32)
    votes[np.arange(len(labels)), labels] = 1.0
    return {"vectors": vectors, "votes": votes, "neighbors": np.array([k], np.float32)}


def _unit(table: FeatureTable, rows: np.ndarray) -> np.ndarray:
    """Return (n, D) float32 unit vectors of the rows of a pooled table."""
    vectors: np.ndarray = table.values[rows].astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


def _without_self(
    cosines: np.ndarray, rows: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Remove the texts themselves from their neighbours: (q, k + 1) to (q, k)."""
    others = rows != own[:, None]
    others[others.all(axis=1), -1] = False  # copies came before it
    shape = (len(rows), rows.shape[1] - 1)
    return cosines[others].reshape(shape), rows[others].reshape(shape)


def _logits(
    settings: KnnSettings,
    cosines: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    k: int,
    classes: int,
) -> np.ndarray:
    """Return (q, C) float32 from the neighbours of q texts, as :class:`KnnHead` gives them."""
    weights = np.ones_like(cosines[:, :k])
    if settings.temperature:
        weights = np.exp((cosines[:, :k] - cosines[:, :1]) / settings.temperature)
    shares = np.zeros((len(rows), classes), dtype=np.float32)
    np.add.at(shares, (np.arange(len(rows))[:, None], labels[rows[:, :k]]), weights)
    shares /= weights.sum(axis=1, keepdims=True)
    logits: np.ndarray = np.log(
        (1 - settings.smoothing) * shares + settings.smoothing / classes
    )
    return logits


def _record(
    epoch: int,
    k: int,
    train: np.ndarray,
    train_labels: np.ndarray,
    validation: np.ndarray,
    problem: Problem,
    seconds: float,
) -> EpochRecord:
    validation_labels = problem.labels[problem.validation]
    return EpochRecord(
        epoch=epoch,
        train_loss=log_loss(train_labels, train),
        train_accuracy=accuracy(train_labels, train.argmax(axis=1)),
        validation_loss=log_loss(validation_labels, validation),
        validation_accuracy=accuracy(validation_labels, validation.argmax(axis=1)),
        value=float(k),
        seconds=seconds,
        gradient_norm=0.0,
    )
