"""A configuration as the options of a command that gives it again, defaults left out."""

from __future__ import annotations

import shlex

from pipeline.config import NO_COLUMN, DataConfig, ExperimentConfig, VectorConfig

Option = tuple[str, object, object]
"""Name, value, and the default with which it is left out."""


def data_words(config: DataConfig) -> list[str]:
    """The options of ``data_options`` and ``split_options`` for a configuration."""
    default = DataConfig()
    columns, usual = config.columns, default.columns
    options: list[Option] = [
        ("--data", config.data, default.data),
        ("--text-column", columns.text, usual.text),
        ("--label-column", columns.label, usual.label),
        ("--split-column", columns.split or NO_COLUMN, usual.split),
        ("--group-column", columns.group, usual.group),
        ("--split", config.split, default.split),
        ("--split-seed", config.split_seed, default.split_seed),
        ("--skip-empty", config.skip_empty, default.skip_empty),
    ]
    return _words(options)


def vector_words(config: VectorConfig) -> list[str]:
    """The options of ``vector_options`` and ``memory_option`` for a configuration."""
    default = VectorConfig()
    names = (
        "encoder",
        "layers",
        "precision",
        "dtype",
        "backend",
        "devices",
        "max_tokens",
        "prompt",
        "prompt_name",
        "language",
        "memory",
        "cache",
        "trust_remote_code",
    )
    options: list[Option] = [
        (f"--{name.replace('_', '-')}", getattr(config, name), getattr(default, name))
        for name in names
    ]
    return _words(options)


def _words(options: list[Option]) -> list[str]:
    words = []
    for name, value, default in options:
        if value == default:
            continue
        if value is True:
            words.append(name)
        elif str(value).startswith("-"):  # else it would be taken for an option
            words.append(f"{name}={value}")
        else:
            words += [name, str(value)]
    return words


def command(training: ExperimentConfig, rate: float) -> str:
    """The command that trains with it, on the same data and vectors."""
    words = ["manyheads", "train"]
    words += ["--preset", training.preset] if training.preset else ["--head", training.head]
    words += [*data_words(training.data), *vector_words(training.vectors)]
    if training.layout is not None:
        words += ["--layout", training.layout]
    if training.seed != ExperimentConfig.seed:
        words += ["--seed", str(training.seed)]
    settings = {**training.settings, "learning_rate": f"{rate:.2g}"}
    words += ["--set", *(f"{name}={value}" for name, value in settings.items())]
    return shlex.join(words)
