"""A head as people write it in Keras: all texts padded to the longest, then ``fit``.

    KERAS_BACKEND=torch python -m benchmarks.peers.keras_loop FOLDER cnn|lstm|attention

Reads what ``benchmarks.trained`` wrote there and prints the test accuracy.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from benchmarks.handed import Handed
from heads.architectures.settings import AttentionSettings, CnnSettings, LstmSettings
from heads.registry import make_settings
from heads.settings import TrainingSettings


def padded(handed: Handed, rows: np.ndarray) -> np.ndarray:
    """(n, longest text of all, D) float32, zero at padding."""
    texts = [handed.table.sequence(row).astype(np.float32) for row in rows]
    longest = int(handed.table.lengths.max())
    return keras.utils.pad_sequences(texts, longest, dtype="float32", padding="post")


def cnn(texts: keras.KerasTensor, settings: CnnSettings) -> keras.KerasTensor:
    """Parallel Conv1D, ReLU, global maxima."""
    maps = [
        keras.layers.Conv1D(settings.filters, kernel, padding="same", activation="relu")(texts)
        for kernel in settings.kernels
    ]
    pooled = [keras.layers.GlobalMaxPooling1D()(each) for each in maps]
    return keras.layers.Concatenate()(pooled)


def lstm(texts: keras.KerasTensor, settings: LstmSettings) -> keras.KerasTensor:
    """A bidirectional LSTM over masked texts, global maxima."""
    masked = keras.layers.Masking()(texts)
    layer = keras.layers.LSTM(settings.units, return_sequences=True)
    return keras.layers.GlobalMaxPooling1D()(keras.layers.Bidirectional(layer)(masked))


def attention(texts: keras.KerasTensor, settings: AttentionSettings) -> keras.KerasTensor:
    """Softmax-weighted means by several queries over real positions."""
    ops = keras.ops
    real = ops.cast(ops.any(ops.not_equal(texts, 0.0), axis=2, keepdims=True), "float32")
    scores = keras.layers.Dense(settings.queries)(texts) - 1e9 * (1.0 - real)
    values = keras.layers.Dense(settings.values, activation="relu")(texts)
    found = ops.matmul(ops.transpose(ops.softmax(scores, axis=1), (0, 2, 1)), values)
    return keras.layers.Flatten()(found)


HEADS = {"cnn": cnn, "lstm": lstm, "attention": attention}


def model_of(
    head: str, settings: TrainingSettings, longest: int, width: int, classes: int
) -> keras.Model:
    """A head, dropout, dense."""
    texts = keras.Input((longest, width))
    dropped = keras.layers.Dropout(settings.dropout)(HEADS[head](texts, settings))
    return keras.Model(texts, keras.layers.Dense(classes)(dropped))


def main() -> None:
    """Train, restore the best epoch, score the test texts."""
    handed, head = Handed.read(Path(sys.argv[1])), sys.argv[2]
    settings = make_settings(head, {})
    assert isinstance(settings, TrainingSettings)
    keras.utils.set_random_seed(0)
    train, validation, test = (padded(handed, rows) for rows in handed.sides)
    labels = [handed.labels[rows] for rows in handed.sides]
    model = model_of(head, settings, train.shape[1], train.shape[2], handed.classes)
    model.compile(
        keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    stop = keras.callbacks.EarlyStopping(
        "val_accuracy", patience=settings.patience, mode="max", restore_best_weights=True
    )
    model.fit(
        train,
        labels[0],
        settings.batch_size,
        settings.epochs,
        verbose=0,
        callbacks=[stop],
        validation_data=(validation, labels[1]),
    )
    print(model.evaluate(test, labels[2], verbose=0)[1])


if __name__ == "__main__":
    main()
