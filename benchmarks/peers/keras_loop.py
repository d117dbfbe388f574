"""The CNN as people write it in Keras: all texts padded to the longest, then ``fit``.

    KERAS_BACKEND=torch python -m benchmarks.peers.keras_loop FOLDER

Reads what ``benchmarks.trained`` wrote there and prints the test accuracy.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from benchmarks.handed import Handed
from heads.architectures.cnn import CnnSettings

SETTINGS = CnnSettings()


def padded(handed: Handed, rows: np.ndarray) -> np.ndarray:
    """(n, longest text of all, D) float32, zero at padding."""
    texts = [handed.table.sequence(row).astype(np.float32) for row in rows]
    longest = int(handed.table.lengths.max())
    return keras.utils.pad_sequences(texts, longest, dtype="float32", padding="post")


def cnn(longest: int, width: int, classes: int) -> keras.Model:
    """Parallel Conv1D, ReLU, global maxima, dropout, dense."""
    texts = keras.Input((longest, width))
    maps = [
        keras.layers.Conv1D(SETTINGS.filters, kernel, padding="same", activation="relu")(texts)
        for kernel in SETTINGS.kernels
    ]
    pooled = [keras.layers.GlobalMaxPooling1D()(each) for each in maps]
    dropped = keras.layers.Dropout(SETTINGS.dropout)(keras.layers.Concatenate()(pooled))
    return keras.Model(texts, keras.layers.Dense(classes)(dropped))


def main() -> None:
    """Train, restore the best epoch, score the test texts."""
    handed = Handed.read(Path(sys.argv[1]))
    keras.utils.set_random_seed(0)
    train, validation, test = (padded(handed, rows) for rows in handed.sides)
    labels = [handed.labels[rows] for rows in handed.sides]
    model = cnn(train.shape[1], train.shape[2], handed.classes)
    model.compile(
        keras.optimizers.AdamW(SETTINGS.learning_rate, weight_decay=SETTINGS.weight_decay),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    stop = keras.callbacks.EarlyStopping(
        "val_accuracy", patience=SETTINGS.patience, mode="max", restore_best_weights=True
    )
    model.fit(
        train,
        labels[0],
        SETTINGS.batch_size,
        SETTINGS.epochs,
        verbose=0,
        callbacks=[stop],
        validation_data=(validation, labels[1]),
    )
    print(model.evaluate(test, labels[2], verbose=0)[1])


if __name__ == "__main__":
    main()
