"""A configuration as the options of a command that gives it again, defaults left out."""

from __future__ import annotations

import shlex

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
    """The command that trains with it, on the same data and vectors."""
    words = ["manyheads", "train"]
    words += ["--preset", training.preset] if training.preset else ["--head", training.head]
    words += [*words_of(training.data), *words_of(training.vectors)]
    if training.layout is not None:
        words += ["--layout", training.layout]
    if training.seed != ExperimentConfig.seed:
        words += ["--seed", str(training.seed)]
    if training.device != ExperimentConfig.device:
        words += ["--device", training.device]
    settings = {**training.settings, "learning_rate": f"{rate:.2g}"}
    words += ["--set", *(f"{name}={value}" for name, value in settings.items())]
    return shlex.join(words)
