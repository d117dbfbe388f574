"""Presets: published systems as a head with settings, and one of this project.

Each published system keeps its layers, sizes, dropout, optimiser, batch size and epochs. The
embedding layer is left out, since the vectors come from the encoder; ``what`` says after
"ours" what the source does not specify. This project's defaults (warm-up, averaged weights,
clipping, label smoothing, input dropout, more epochs for few texts, final training with the
validation texts) are off. Standardised inputs, the best epoch by validation and early
stopping stay on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.errors import SettingError
from features.messages import listed, meant


@dataclass(frozen=True)
class Preset:
    """One system.

    Attributes:
        name: name for ``--preset``.
        head: name of the head.
        what: one line of description.
        settings: setting -> value, or a function of the number of classes.
    """

    name: str
    head: str
    what: str
    settings: Mapping[str, Any]

    def overrides(self, classes: int) -> dict[str, object]:
        """Return the settings for C ``classes``."""
        return {
            setting: value(classes) if callable(value) else value
            for setting, value in self.settings.items()
        }


def find_preset(name: str) -> Preset:
    """Return the preset with a name in upper or lower case.

    Raises:
        SettingError: there is none; the message lists the presets.
    """
    if name.upper() not in PRESETS:
        raise SettingError(
            f"no preset is called {name!r}{meant(name, PRESETS)}; choose one of: "
            f"{listed(PRESETS, len(PRESETS))}"
        )
    return PRESETS[name.upper()]


def check_head(head: str, preset: str) -> None:
    """Check that a preset belongs to a head.

    Raises:
        SettingError: there is no such preset, or it belongs to another head.
    """
    needed = find_preset(preset).head
    if head != needed:
        raise SettingError(
            f"preset {preset} is one of head {needed}, not {head}: leave --head out"
        )


_PLAIN = {
    "min_steps": 0,
    "learning_rate": 1e-3,
    "schedule": "constant",
    "warmup": 0.0,
    "averaging": 0.0,
    "clip": 0.0,
    "label_smoothing": 0.0,
    "weight_decay": 0.0,
    "input_dropout": 0.0,
    "refit": False,
}
_RMSPROP = {**_PLAIN, "optimizer": "rmsprop"}
_ADAM = {**_PLAIN, "optimizer": "adam"}

# An LSTM that is read at its last real position and loses nothing on the way.
_LSTM = {
    "bidirectional": False,
    "pooling": "last",
    "dropout": 0.0,
    "layer_dropout": 0.0,
}


def _together(*rates: float) -> float:
    """Return the rate of one dropout equivalent to several in a row."""
    remaining = 1.0
    for rate in rates:
        remaining *= 1 - rate
    return round(1 - remaining, 6)


def _quarter(classes: int) -> int:
    return max(1, classes // 4)


_JOBS = {**_ADAM, **_LSTM, "units": 100, "batch_size": 100, "epochs": 50}
_NEWS = {**_ADAM, **_LSTM, "units": 128}

SOURCES: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "A1",
            "cnn",
            "parallel kernels 2 and 6, global maximum, a dense layer",
            {
                **_RMSPROP,
                "kernels": (2, 6),
                "filters": 100,
                "dropout": 0.6,
                "dense": (270,),
                "batch_size": 64,
                "epochs": 15,
            },
        ),
        Preset(
            "A2",
            "lstm",
            "last state of an LSTM, a dense layer",
            {
                **_RMSPROP,
                **_LSTM,
                "units": 120,
                "dropout": 0.5,
                "dense": (550,),
                "dense_activation": "elu",
                "batch_size": 60,
                "epochs": 20,
            },
        ),
        Preset(
            "A3",
            "cnn_lstm",
            "kernels 2, 3 and 6, each with its own maxima of pairs and LSTM, a dense layer",
            {
                **_RMSPROP,
                "form": "parallel",
                "kernels": (2, 3, 6),
                "filters": 100,
                "pool": 2,
                "layer_dropout": 0.6,
                "units": 80,
                "pooling": "last",
                "dropout": 0.6,
                "dense": (270,),
                "batch_size": 64,
                "epochs": 20,
            },
        ),
        Preset(
            "A4",
            "lstm",
            "two small LSTM layers, no dense one; units 8, then try 16 and 32 (ours: the "
            "dropout of 0.2 between them, batch size, epochs)",
            {
                **_ADAM,
                **_LSTM,
                "units": 8,
                "layers": 2,
                "layer_dropout": 0.2,
                "recurrent_dropout": 0.2,
                "batch_size": 64,
                "epochs": 20,
            },
        ),
        Preset(
            "A5",
            "cnn",
            "one kernel, batch normalisation, maxima of pairs, flattened: the middle of what "
            "its search covers, no search (ours: batch size, 180 vectors for "
            "its 179)",
            {
                **_ADAM,
                "max_vectors": 180,
                "kernels": (7,),
                "filters": 256,
                "batch_norm": True,
                "pooling": "flatten",
                "pool": 2,
                "dropout": 0.4,
                "dense": (160,),
                "batch_size": 64,
                "epochs": 5,
            },
        ),
        Preset(
            "B1",
            "lstm",
            "an LSTM with spatial, input and recurrent dropout",
            # Spatial dropout and the dropout of a Keras LSTM both take a feature from all
            # vectors of a text.
            {**_JOBS, "input_dropout": _together(0.2, 0.2), "recurrent_dropout": 0.2},
        ),
        Preset(
            "B2",
            "lstm",
            "an LSTM and two dense layers (ours: Adam)",
            {**_JOBS, "dropout": 0.5, "dense": (128, 64), "dense_init": "he_uniform"},
        ),
        Preset(
            "B3",
            "lstm",
            "an LSTM and three sigmoid layers, each normalised (ours: Adam)",
            {
                **_JOBS,
                "input_dropout": _together(0.4, 0.4),
                "recurrent_dropout": 0.4,
                "dense": (128, 64, 32),
                "dense_activation": "sigmoid",
                "dense_norm": True,
                "dense_init": "normal",
                "dense_std": (0.039, 0.55, 0.55),
            },
        ),
        Preset(
            "B4",
            "lstm",
            "the least: an LSTM of C // 4 units (ours: Adam)",
            {**_JOBS, "units": _quarter},
        ),
        Preset(
            "B5",
            "lstm",
            "B4 that learns from the 16 hardest texts of each batch of 128 (ours: the head)",
            {
                **_JOBS,
                "units": _quarter,
                "loss": "hardest",
                "hardest": 16,
                "batch_size": 128,
                "epochs": 100,
            },
        ),
        Preset(
            "C1",
            "lstm",
            "an LSTM with orthogonal first weights (ours: all else, as 128 units and Adam)",
            {**_NEWS, "init": "orthogonal"},
        ),
        Preset(
            "C2",
            "lstm",
            "an LSTM over the first 50 vectors of each text (all else as C1)",
            {**_NEWS, "max_vectors": 50},
        ),
        Preset(
            "C4",
            "cnn_lstm",
            "a convolution, batch normalisation, maxima of ten vectors, an LSTM (all "
            "else as C1; pool=20 for 3,000 words)",
            {
                **_ADAM,
                "form": "sequential",
                "kernels": (3,),
                "filters": 0,
                "batch_norm": True,
                "pool": 10,
                "layer_dropout": 0.0,
                "units": 128,
                "pooling": "last",
                "dropout": 0.0,
            },
        ),
        Preset(
            "C5",
            "lstm",
            "two LSTM layers (all else as C1)",
            {**_NEWS, "layers": 2},
        ),
    )
}
"""Presets of published systems by name."""

# Over a long text a query has hundreds of vectors to find few in, so many queries look; at the
# vectors themselves, since making features of each is what takes the time: docs/long-texts.md.
OWN: dict[str, Preset] = {
    "LONG": Preset(
        "LONG",
        "attention",
        "ours, for long texts, with --max-tokens: many queries on the vectors themselves, a "
        "dense layer",
        {"values": 0, "queries": 32, "dense": (256,)},
    )
}
"""Presets of this project by name."""

PRESETS = SOURCES | OWN
"""All presets by name."""
