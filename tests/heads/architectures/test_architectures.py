"""Every head beside cnn and lstm, and the options of cnn, against plain torch text by text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from features.errors import BadVectorError
from features.vectors.table import POOLED, FeatureTable
from heads.head import Head, SequenceHead
from heads.problem import Problem
from heads.registry import head_type, make_settings
from heads.trained import TrainedHead, fit
from tests.support.tables import cluster_problem

WIDTH, CLASSES = 5, 4
LENGTHS = (1, 2, 7, 4, 11)
TOLERANCE = 1e-5
functional = torch.nn.functional


def ready(name: str, **settings: object) -> SequenceHead:
    """An untrained head in evaluation mode whose statistics are not those of its first step.

    Of one member: what several are together is tested in test_heads_ensemble.
    """
    torch.manual_seed(3)
    alone = make_settings(name, {**settings, "members": 1})
    head = head_type(name).build(alone, WIDTH, CLASSES)
    assert isinstance(head, SequenceHead)
    head.inputs.center.uniform_(-1.0, 1.0)
    head.inputs.scale.uniform_(0.5, 2.0)
    for buffer_name, buffer in head.named_buffers():
        if buffer_name.endswith(("norm.mean", "norm.variance")):
            buffer.uniform_(0.5, 2.0)
    return head.eval()


@torch.no_grad()
def compare(head: SequenceHead, expected: object) -> None:
    """The head's logits of a padded batch against ``expected(vectors (T, D))`` of each text."""
    x = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    got = head(x, mask)
    largest = 0.0
    for row, length in enumerate(LENGTHS):
        vectors = (x[row, :length] - head.inputs.center) * head.inputs.scale
        largest = max(largest, float((got[row] - expected(vectors)).abs().max()))
    print(f"largest difference: {largest:.1e}")
    assert largest < TOLERANCE


def conv1d(
    head: SequenceHead, x: torch.Tensor, kernel: int, first: int, place: int
) -> torch.Tensor:
    """(T, D) -> (F, T) of one kernel, whose taps start at row ``first`` of the joint weight."""
    filters = head.convolutions.filters
    block = head.convolutions.weight[first : first + filters * kernel]
    weight = block.view(kernel, filters, WIDTH).permute(1, 2, 0)
    bias = head.convolutions.bias[place : place + filters]
    sides = functional.pad(x.T[None], ((kernel - 1) // 2, kernel // 2))
    return functional.conv1d(sides, weight, bias)[0]


def maps(head: SequenceHead, x: torch.Tensor) -> list[torch.Tensor]:
    """(F, T) of each kernel."""
    found, first, place = [], 0, 0
    for kernel in head.convolutions.kernels:
        found.append(conv1d(head, x, kernel, first, place))
        first += kernel * head.convolutions.filters
        place += head.convolutions.filters
    return found


def test_parallel_cnn_lstm_is_a_conv_pool_lstm_for_each_kernel() -> None:
    head = ready("cnn_lstm", kernels=(2, 3, 6), filters=4, units=3, dense=(6,))

    def expected(x: torch.Tensor) -> torch.Tensor:
        ends = []
        for layer, each in zip(head.lstms, maps(head, x), strict=True):
            pooled = functional.max_pool1d(torch.relu(each)[None], 2, ceil_mode=True)[0]
            ends.append(layer.directions[0](pooled.T[None])[1][0][0, 0])
        return head.output(torch.relu(head.dense.layers[0](torch.cat(ends))))

    compare(head, expected)


@pytest.mark.parametrize("pool", [1, 3, 10])
def test_sequential_cnn_lstm_is_conv_norm_relu_pool_lstm(pool: int) -> None:
    head = ready(
        "cnn_lstm", form="sequential", kernels=(3,), filters=0, pool=pool, batch_norm=True
    )

    def expected(x: torch.Tensor) -> torch.Tensor:
        (found,) = maps(head, x)
        norm = head.norm
        normal = functional.batch_norm(
            found[None], norm.mean, norm.variance, norm.weight, norm.bias
        )
        pooled = functional.max_pool1d(torch.relu(normal), pool, ceil_mode=True)
        states, (last, _) = head.lstms[0].directions[0](pooled.transpose(1, 2))
        assert torch.equal(states[0, -1], last[0, 0])
        return head.output(last[0, 0])

    compare(head, expected)


def test_valid_padding_takes_windows_inside_the_text() -> None:
    head = ready("cnn", kernels=(2, 3), filters=4, padding="valid")

    def expected(x: torch.Tensor) -> torch.Tensor:
        pooled = []
        for kernel, each in zip((2, 3), maps(head, x), strict=True):
            if len(x) >= kernel:
                before = (kernel - 1) // 2
                each = each[:, before : before + len(x) - kernel + 1]
            pooled.append(torch.relu(each).amax(dim=1))
        return head.output(torch.cat(pooled))

    compare(head, expected)


@pytest.mark.parametrize("norm", [True, False])
def test_flatten_is_max_pooling_over_a_fixed_length(norm: bool) -> None:
    length, pool = 7, 2
    head = ready(
        "cnn",
        kernels=(1, 3),
        filters=4,
        max_vectors=length,
        pooling="flatten",
        pool=pool,
        batch_norm=norm,
    )

    def expected(x: torch.Tensor) -> torch.Tensor:
        x = x[:length]
        found = torch.cat(maps(head, x))
        if norm:
            each = head.norm
            found = functional.batch_norm(
                found[None], each.mean, each.variance, each.weight, each.bias
            )[0]
        found = functional.pad(torch.relu(found), (0, length - len(x)))
        pooled = functional.max_pool1d(found[None], pool, ceil_mode=True)[0]
        assert pooled.shape == (8, 4)
        return head.output(pooled.T.flatten())

    compare(head, expected)


@pytest.mark.parametrize("beside", ["none", "mean", "max", "both"])
@pytest.mark.parametrize("combine", ["concat", "mean"])
@pytest.mark.parametrize("values", [0, 6])
def test_attention_is_softmax_weighted_means(beside: str, combine: str, values: int) -> None:
    head = ready("attention", queries=3, combine=combine, beside=beside, values=values)

    def expected(x: torch.Tensor) -> torch.Tensor:
        projected = head.projection(x)
        features = torch.relu(projected[:, 3:]) if values else x
        weights = [torch.softmax(projected[:, query], dim=0) for query in range(3)]
        found = [(weight[:, None] * features).sum(dim=0) for weight in weights]
        parts = found if combine == "concat" else [sum(found) / 3]
        if beside in ("mean", "both"):
            parts = [*parts, features.mean(dim=0)]
        if beside in ("max", "both"):
            parts = [*parts, features.amax(dim=0)]
        return head.output(torch.cat(parts))

    compare(head, expected)


def test_meanmax_is_mean_and_maximum() -> None:
    head = ready("meanmax")
    compare(head, lambda x: head.output(torch.cat([x.mean(dim=0), x.amax(dim=0)])))


def test_mlp_is_dense_layers() -> None:
    head = ready("mlp", dense=(6, 3), dense_activation="tanh")
    first, second = head.dense.layers
    compare(
        head,
        lambda x: head.output(torch.tanh(second(torch.tanh(first(x.mean(dim=0)))))),
    )


def count(head: Head) -> int:
    return sum(parameter.numel() for parameter in head.parameters())


def test_parameter_counts_by_hand() -> None:
    # A query has 5 weights and a bias; concatenated results are 3 x 5 features, 4 classes.
    assert count(ready("attention", queries=3, values=0)) == 3 * 6 + 15 * 4 + 4
    # 3 queries and 6 value features are one layer; mean of queries beside the maximum: 12.
    head = ready("attention", queries=3, values=6, combine="mean", beside="max")
    assert count(head) == 9 * 6 + 12 * 4 + 4
    assert count(ready("meanmax")) == 10 * 4 + 4
    assert count(ready("mlp", dense=(7,))) == 7 * 6 + 7 * 4 + 4


def train_knn(problem: Problem, **settings: object) -> TrainedHead:
    names = tuple("abcdef"[: problem.classes])
    rows = (problem.train, problem.validation)
    made = make_settings("knn", settings)
    return fit("knn", made, problem.table, problem.labels, *rows, names, seed=0)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_knn_is_that_of_scikit_learn(k: int) -> None:
    problem = cluster_problem(texts=300, width=4, spread=3.0)
    trained = train_knn(problem, k=(k,), temperature=0, smoothing=1e-6)
    values = problem.table.values
    oracle = KNeighborsClassifier(k, metric="cosine", algorithm="brute")
    oracle.fit(values[problem.train], problem.labels[problem.train])
    got = trained.predict_proba(problem.table, problem.validation)
    largest = float(np.abs(got - oracle.predict_proba(values[problem.validation])).max())
    print(f"largest difference: {largest:.1e}")
    assert largest < 1e-5


def test_near_neighbours_weigh_more() -> None:
    angles = np.radians([0.0, 10.0, 30.0, 5.0, 5.0])
    values = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * 7
    table = FeatureTable(values, np.arange(6), POOLED)
    labels = np.array([0, 1, 1, 0, 0])
    problem = Problem(table, labels, np.arange(3), np.array([3, 4]), 2)
    trained = train_knn(problem, k=(2,), temperature=0.1, smoothing=0.01)
    # From 1 degree the cosines to 0 and 10 degrees are those of 1 and 9 degrees.
    query = np.radians([1.0])
    new = FeatureTable(
        np.stack([np.cos(query), np.sin(query)], 1).astype(np.float32), np.arange(2), POOLED
    )
    weight = np.exp((np.cos(np.radians(9.0)) - np.cos(np.radians(1.0))) / 0.1)
    share = 0.99 / (1 + weight) + 0.005
    assert trained.predict_proba(new, np.array([0]))[0, 0] == pytest.approx(share, abs=1e-5)


def test_knn_chooses_k_on_validation_and_keeps_it() -> None:
    problem = cluster_problem(texts=300, width=4, spread=4.0)
    trained = train_knn(problem, k=(1, 7, 30))
    assert [record.value for record in trained.history] == [1, 7, 30]
    best = max(trained.history, key=lambda r: (r.validation_accuracy, -r.validation_loss))
    assert trained.history[trained.best_epoch - 1] == best
    assert trained.module.k == best.value == trained.state["neighbors"][0]
    assert trained.parameters == 0
    predicted = trained.logits(problem.table, problem.validation).argmax(axis=1)
    right = float(np.mean(predicted == problem.labels[problem.validation]))
    assert right == best.validation_accuracy
    assert all(value.dtype == np.float32 for value in trained.state.values())


def test_a_training_text_is_not_its_own_neighbour() -> None:
    problem = cluster_problem(texts=200, width=4, spread=4.0)
    record = train_knn(problem, k=(1,)).history[0]
    values, labels = problem.table.values[problem.train], problem.labels[problem.train]
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    assert record.train_accuracy == np.mean(labels[cosines.argmax(axis=1)] == labels)


def test_more_neighbours_than_texts() -> None:
    problem = cluster_problem(texts=24)
    trained = train_knn(problem, k=(1, 5000))
    assert [record.value for record in trained.history] == [1, 17]
    assert trained.logits(problem.table, problem.validation).shape == (6, 3)


def test_knn_names_vectors_that_are_not_finite() -> None:
    problem = cluster_problem(40)
    values = problem.table.values.copy()
    values[problem.train[0], 1] = np.nan
    table = FeatureTable(values, problem.table.offsets, POOLED)
    bad = Problem(table, problem.labels, problem.train, problem.validation, 3)
    with pytest.raises(BadVectorError, match=f"text {problem.train[0]} of the table"):
        train_knn(bad)
