"""A configuration as the options of a command that gives it again, defaults left out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from features.options import options_of, to_values
from pipeline.config import DataConfig, ExperimentConfig, VectorConfig


def words_of(config: DataConfig | VectorConfig) -> list[str]:
    """Return the options that give a configuration again."""
    values, usual = to_values(config), to_values(type(config)())
    words = []
    for option in options_of(type(config)):
        value = values[option.name]
        if value == usual[option.name]:
            continue
        if value is True:
            words.append(option.flag)
        elif str(value).startswith("-"):  # else it would be taken for an option
            words.append(f"{option.flag}={value}")
        else:
            words += [option.flag, str(value)]
    return words


def command(training: ExperimentConfig, rate: float) -> str:
    """Return the command that trains with a learning rate, on the same data and vectors."""
    return train_command(training, {**training.settings, "learning_rate": f"{rate:.2g}"})


def train_command(training: ExperimentConfig, settings: Mapping[str, object]) -> str:
    """Return the command that trains a head with some settings.

    Args:
        training: the data, vectors, head and seed.
        settings: those that differ from the head's defaults, in place of its own.
    """
    words = ["manyheads", "train"]
    words += ["--preset", training.preset] if training.preset else ["--head", training.head]
    if training.split_of is None:
        words += words_of(training.data)
    else:
        usual = DataConfig.split, DataConfig.split_seed
        data = replace(training.data, split=usual[0], split_seed=usual[1])
        words += [*words_of(data), "--split-of", training.split_of]
    words += words_of(training.vectors)
    if training.layout is not None:
        words += ["--layout", training.layout]
    if training.seed != ExperimentConfig.seed:
        words += ["--seed", str(training.seed)]
    if training.device != ExperimentConfig.device:
        words += ["--device", training.device]
    if settings:
        words += ["--set", *(f"{name}={value}" for name, value in settings.items())]
    return shlex.join(words)
